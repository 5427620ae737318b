// SPDX-License-Identifier: MIT
/*
 * The log: standard error while in the foreground, syslog (journal) once in the background. Any
 * thread. What is logged never holds a secret; callers see to that.
 */
#ifndef CDRFS_FS_LOG_H
#define CDRFS_FS_LOG_H

#include "api/util.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
    enum log_level level; /* what is less important is dropped */
    bool background;
};

void log_line(const struct log *l, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
