// SPDX-License-Identifier: MIT
/*
 * The command line, and the one table of options that parsing, defaults, ranges and --help come
 * from; the manual and the completions are compared with it (tests/mount/test_manuals.py).
 */
#ifndef CDRFS_FS_OPTIONS_H
#define CDRFS_FS_OPTIONS_H

#include <sys/types.h>

#include "api/util.h"

enum option_type {
    OPTION_TEXT,
    OPTION_URL,      /* one that a token may be sent to; kept without slashes at its end */
    OPTION_DATABASE, /* where the shared tier is, without a password */
    OPTION_CHOICE,   /* words separated by `|` in `values` */
    OPTION_SECONDS,  /* a whole number, or one with s, m, h or d behind it */
    OPTION_WHOLE,
    OPTION_NUMBER, /* any positive number, as digits and a dot */
    OPTION_OCTAL,
    OPTION_FLAG
};

struct option_def {
    const char *name;
    enum option_type type;
    size_t offset;        /* in struct options */
    double least, most;   /* of what can be counted */
    const char *fallback; /* as it would be written; NULL: none */
    const char *env;      /* variable that stands in for the option, unless empty; NULL: none */
    const char *values;   /* what it takes, for people */
    const char *help;
};

extern const struct option_def option_defs[];
extern const size_t option_defs_count;

/* An option that is not ours, and takes no value. */
struct foreign_def {
    const char *name;
    bool
        kernel; /* handed on to the kernel's mount; else meant for mount(8) or fstab, and dropped */
};

extern const struct foreign_def foreign_defs[];
extern const size_t foreign_defs_count;

struct flag_def {
    const char *name, *longer; /* longer: NULL: none */
    size_t offset;             /* of a bool in struct options */
    const char *help;
};

/* `-o`, which takes a list, stands last and has no member. */
extern const struct flag_def flag_defs[];
extern const size_t flag_defs_count;

struct options {
    char *mountpoint; /* absolute */
    char *auth_id;    /* NULL: from the environment */
    bool foreground, debug, single, help, version;
    char *kernel; /* options for the kernel's mount, comma separated; NULL: none */

    char *dialect, *console_tz, *api_url, *cache_dir, *auth_token_file, *log_level, *crawlers,
        *shared;
    int64_t ttl, settle, stale_if_error, keep_days, deadline;
    double rate;
    int64_t connections;
    int64_t uid, gid, umask; /* uid and gid: -1 is the mounter's */
    bool ro, inode32;
    uint64_t given; /* bits, by place in option_defs, of those on the command line */
};

/*
 * Parses. The last of equal options holds. -EINVAL with one line for the user in error, which names
 * the option or the variable and what it takes, and repeats nothing that may be a secret; -ENOMEM.
 * With help or version set nothing else is required. Release with options_release() in any case.
 */
int options_parse(int argc, char **argv, struct options *ret, char *error, size_t cap) MUST_CHECK;
void options_release(struct options *o);

/* The text of --help. */
void options_help(struct buf *out);

#endif
