// SPDX-License-Identifier: MIT
/*
 * Snapshots: the rendered files of csv/ and ndjson/, and what is read in .cdrfs/. A snapshot is
 * made when its file is looked up, is a node of its own, and never changes; when its calls do, the
 * next look-up makes another, and who has the old one open goes on reading it. Those of calls stand
 * in one unlinked file beside the store; what the kernel forgets is punched out of it. Those of
 * .cdrfs/ stand in memory, so that they can be read when the disk is full.
 *
 * shots_take() is called from one thread; the others from any.
 */
#ifndef CDRFS_FS_SHOT_H
#define CDRFS_FS_SHOT_H

#include "api/dialect.h"
#include "cache/cache.h"
#include "fs/path.h"

#define NODE_SHOT ((uint64_t)1 << 61)

struct shot_info {
    uint64_t id;   /* node id */
    uint64_t ino;  /* st_ino: a function of the path */
    int64_t size;  /* bytes */
    int64_t mtime; /* newest call in it, UTC seconds; an empty day's is its beginning */
};

struct shots;

/* dir: where the file is made, as one without a name. NULL: no memory, or no such file can be made.
 */
struct shots *shots_create(const char *dir, enum dialect_id dialect);
void shots_destroy(struct shots *s); /* accepts NULL */

/* The snapshot of a FILE_RENDERED as its calls are now; counts one look-up. */
int shots_take(struct shots *s, struct cache *c, const struct dir *d, uint64_t ino,
               struct shot_info *ret) MUST_CHECK;

/* A snapshot of a text, which it takes over; counts one look-up. text->p is NULL for an empty one.
 * -ENOMEM, -EMSGSIZE: the text was not built whole. */
int shots_put_text(struct shots *s, struct buf *text, uint64_t ino, int64_t mtime,
                   struct shot_info *ret) MUST_CHECK;

/* Makes a shots_take() under way end with -ENOTCONN, and all later ones. */
void shots_stop(struct shots *s);

/* -ENOENT. */
int shots_get(struct shots *s, uint64_t id, struct shot_info *ret) MUST_CHECK;

/* Bytes read, or an error. */
ssize_t shots_read(struct shots *s, uint64_t id, void *buf, size_t size, int64_t off) MUST_CHECK;

void shots_forget(struct shots *s, uint64_t id, uint64_t lookups);

#endif
