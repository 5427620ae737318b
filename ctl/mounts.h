// SPDX-License-Identifier: MIT
/*
 * Which mounts of cdrfs there are, and which of them a path is in. Pure but for memory.
 */
#ifndef CDRFS_CTL_MOUNTS_H
#define CDRFS_CTL_MOUNTS_H

#include "api/util.h"

#define CTL_PATH_MAX 4096

struct mounts {
    char **v; /* mountpoints */
    size_t n;
};

/* Takes those of cdrfs from the text of /proc/self/mountinfo, each mountpoint once. -ENOMEM. */
int mounts_parse(const char *text, struct mounts *ret) MUST_CHECK;
void mounts_release(struct mounts *m);

/*
 * The one that path is in, or NULL; ret is then the rest of it. path is absolute and has no `.`, no
 * `..` and no slash too many (path_clean).
 */
const char *mounts_above(const struct mounts *m, const char *path, const char **ret);

/* Joins dir and a path below it, or takes one that begins with a slash, and cleans it as text
 * alone: links are not looked at. -ENAMETOOLONG. */
int path_clean(const char *dir, const char *path, char out[CTL_PATH_MAX]) MUST_CHECK;

/*
 * The path below /.cdrfs/explain that tells of path, which is relative to the mount: a call in a
 * date is one of by-uuid there. -ENAMETOOLONG.
 */
int path_explained(const char *path, char out[CTL_PATH_MAX]) MUST_CHECK;

/* The last component of path is a date, or a range of dates; also with .csv or .ndjson behind it.
 */
bool path_is_dated(const char *path);

#endif
