// SPDX-License-Identifier: MIT
/*
 * /.cdrfs: what the mount is told. It is not listed in the root.
 *
 *     status    read: how the API fares, and what is held
 *     refresh   write a path to it: what is held there is read anew at the next access
 */
#ifndef CDRFS_FS_CONTROL_H
#define CDRFS_FS_CONTROL_H

#include "fs/fs.h"

enum control { CONTROL_STATUS, CONTROL_REFRESH, CONTROLS };

/* The number of a control file's name, -1 for another; and back. */
int control_by_name(const char *name);
const char *control_name(enum control control);

/* Which of them are written to; the others are read, each look-up making a snapshot (shot.h). */
bool control_is_written(enum control control);

#define CONTROL_TEXT_MAX (1u << 20)

/* Appends the text of one that is read. */
void control_read(struct fs *fs, enum control control, struct buf *out);

/*
 * Takes what was written to a control file: paths below the mount, one a line, with or without a
 * slash in front; a file stands for its directory, `/` for everything. All are checked before any
 * is followed. -EINVAL, -ENOENT for a path that cannot be.
 */
int control_write(struct fs *fs, const char *text, size_t n) MUST_CHECK;

#endif
