// SPDX-License-Identifier: MIT
/*
 * What stat says (DESIGN.md section 1, "Attributes"). No FUSE here.
 */
#ifndef CDRFS_FS_ATTR_H
#define CDRFS_FS_ATTR_H

#include "fs/fs.h"
#include "fs/shot.h"

#define CALL_NLINK 8 /* the views that list every call */

/*
 * Bytes of a window's listing that suit being read at once: opendir(3) makes its buffer so large
 * where st_blksize says so, and Linux asks us for as much as a program does. 1,300 calls.
 */
#define LISTED_AT_ONCE (256 << 10)

/*
 * What a caller is told of an inode number: with inode32 one of 32 bits, for programs without
 * large-file support. Two calls may then have the same, so that none has more than one link: it
 * would be taken for another.
 */
uint64_t inode_shown(const struct fs *fs, uint64_t ino);

void attr_of_call(const struct fs *fs, const struct entry *e, struct stat *ret);

/* A rendered file. */
void attr_of_shot(const struct fs *fs, const struct shot_info *s, struct stat *ret);

/* A directory, or a control file; a window has the mtime of its newest call held, else its own
 * beginning, which is always its ctime; every other has that of the store's creation. */
void attr_of_dir(const struct fs *fs, const struct dir *d, uint64_t ino, struct stat *ret);

#endif
