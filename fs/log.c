// SPDX-License-Identifier: MIT
#include "fs/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

void log_line(const struct log *l, enum log_level level, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    if (level > l->level)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (l->background)
        syslog(priorities[level], "%s", line);
    else
        fprintf(stderr, "cdrfs: %s\n", line);
}
