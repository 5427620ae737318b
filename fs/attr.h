// SPDX-License-Identifier: MIT
/*
 * What stat says (DESIGN.md section 1, "Attributes"). No FUSE here.
 */
#ifndef CDRFS_FS_ATTR_H
#define CDRFS_FS_ATTR_H

#include "fs/fs.h"
#include "fs/shot.h"

#define CALL_NLINK 8 /* the views that list every call */

void attr_of_call(const struct fs *fs, const struct entry *e, struct stat *ret);

/* A rendered file. */
void attr_of_shot(const struct fs *fs, const struct shot_info *s, struct stat *ret);

/* A directory, or a control file; a window has the mtime of its newest call held, else its own
 * beginning, which is always its ctime; every other has that of the store's creation. */
void attr_of_dir(const struct fs *fs, const struct dir *d, uint64_t ino, struct stat *ret);

#endif
