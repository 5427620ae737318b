// SPDX-License-Identifier: MIT
/*
 * The log: standard error while in the foreground (with priorities where that is systemd's
 * journal), syslog once in the background. Any thread. A message is one line, whatever is in it,
 * and the token is masked.
 */
#ifndef CDRFS_FS_LOG_H
#define CDRFS_FS_LOG_H

#include <stdatomic.h>

#include "fs/mask.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
    enum log_level level; /* what is less important is dropped */
    struct mask mask;     /* set before threads, then only read */
    atomic_bool background;
};

void log_line(const struct log *l, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
