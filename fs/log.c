// SPDX-License-Identifier: MIT
#include "fs/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* Bytes of the UTF-8 sequence at s, whose first one is not ASCII; 0 when it is none, or the escape
 * of a terminal. */
static int sequence(const unsigned char *s)
{
    static const unsigned least[] = {0, 0, 0xa0, 0x800, 0x10000};
    int n = *s < 0xc0 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf8 ? 4 : 0;
    unsigned v = *s & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (s[i] & 0x3fu);
    }
    bool good = v >= least[n] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
    return good ? n : 0;
}

/* Names that somebody looks up are logged too: nothing of them may move a terminal's cursor, or
 * look like a line of its own. */
static void make_harmless(char *line)
{
    unsigned char *s = (unsigned char *)line;
    while (*s) {
        int n = *s >= 0x80 ? sequence(s) : *s >= 0x20 && *s != 0x7f;
        if (!n)
            *s = '?';
        s += n ? n : 1;
    }
}

/* Whether systemd says that standard error is what it reads into its journal. */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* The journal knows who writes, and takes the priority from the beginning of a line. */
static void say(int priority, const char *line)
{
    if (is_journal())
        fprintf(stderr, "<%d>%s\n", priority, line);
    else
        fprintf(stderr, "cdrfs: %s\n", line);
}

void log_line(const struct log *l, enum log_level level, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    if (level > l->level)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    mask_text(&l->mask, line);
    make_harmless(line);
    if (atomic_load(&l->background))
        syslog(priorities[level], "%s", line);
    else
        say(priorities[level], line);
}
