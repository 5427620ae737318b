// SPDX-License-Identifier: MIT
/*
 * /.cdrfs: what the mount is told. It is not listed in the root.
 *
 *     refresh   write a path to it: what is held there is read anew at the next access
 */
#ifndef CDRFS_FS_CONTROL_H
#define CDRFS_FS_CONTROL_H

#include "fs/fs.h"

/*
 * Takes what was written to a control file: paths below the mount, one a line, with or without a
 * slash in front; a file stands for its directory, `/` for everything. All are checked before any
 * is followed. -EINVAL, -ENOENT for a path that cannot be.
 */
int control_write(struct fs *fs, const char *text, size_t n) MUST_CHECK;

#endif
