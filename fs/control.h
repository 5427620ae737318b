// SPDX-License-Identifier: MIT
/*
 * /.cdrfs: what the mount says about itself, and is told. It is not listed in the root.
 *
 *     status    how the API fares, what is held and on its way, for people
 *     metrics   counters, for Prometheus
 *     errors    the last failures, a line of JSON each
 *     config    the options in force, without secrets
 *     explain/  what a path costs, as JSON: the tree again, in which dates and calls are files
 *     refresh   write a path to it: what is held there is read anew at the next access
 *     prefetch  write a path to it: it is read ahead; read it: what has become of that
 *
 * A path that is written may end in a range of dates, 2026-05-01..2026-05-31.
 */
#ifndef CDRFS_FS_CONTROL_H
#define CDRFS_FS_CONTROL_H

#include "fs/fs.h"

enum control {
    CONTROL_STATUS,
    CONTROL_METRICS,
    CONTROL_ERRORS,
    CONTROL_CONFIG,
    CONTROL_EXPLAIN,
    CONTROL_REFRESH,
    CONTROL_PREFETCH,
    CONTROLS
};

/* The number of a control file's name, -1 for another; and back. */
int control_by_name(const char *name);
const char *control_name(enum control control);

/* Which of them are read, each look-up making a snapshot (shot.h); explain is a directory. */
bool control_is_read(enum control control);

/* Which of them that inode number is of, if it can be written to; -1 if not. */
int control_written_at(uint64_t ino);

#define CONTROL_TEXT_MAX (1u << 20)

/* Appends the text of one that is read; the token is masked. */
void control_read(struct fs *fs, enum control control, struct buf *out);

/* The same of explain: of a window or a rendered file, or, with a uuid, of that call in d. */
void control_explain(struct fs *fs, const struct dir *d, const char *uuid, struct buf *out);

/*
 * Takes what was written to a control file: paths below the mount, one a line, with or without a
 * slash in front; a file stands for its directory, `/` for everything, a date for that of by-date.
 * All are checked before any is followed. -EINVAL, -ENOENT for a path that cannot be; of prefetch
 * also as cache_prefetch().
 */
int control_write(struct fs *fs, enum control control, const char *text, size_t n) MUST_CHECK;

#endif
