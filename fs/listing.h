// SPDX-License-Identifier: MIT
/*
 * The names a directory that is no window lists: views, values of an axis, dates. A listing is
 * taken whole when a directory is read from its beginning, so that it is stable while it is read.
 */
#ifndef CDRFS_FS_LISTING_H
#define CDRFS_FS_LISTING_H

#include "fs/fs.h"

#define LISTING_NAME_MAX 32

struct listing {
    char (*names)[LISTING_NAME_MAX];
    size_t n, cap;
};

/* -ENOMEM, or an error of the store. */
int listing_take(const struct fs *fs, const struct dir *d, struct listing *ret) MUST_CHECK;
void listing_release(struct listing *l);

#endif
