// SPDX-License-Identifier: MIT
/*
 * Requests of the kernel that wait for the API. A handler that cannot answer from what is held
 * parks its request and returns; the cache's thread resumes it. No FUSE thread ever waits for the
 * network.
 *
 * An interrupt may come at any moment, on another thread, with libfuse's lock of that request held:
 * it finds the request by its number, never by a pointer, and only posts. Locks are taken in the
 * order libfuse's request lock, the park's, the cache's queue.
 */
#ifndef CDRFS_FS_PARK_H
#define CDRFS_FS_PARK_H

#include <fuse_lowlevel.h>

#include "fs/fs.h"

struct parked {
    uint64_t id; /* set by the park */
    fuse_req_t req;
    struct query q;      /* what it waits for */
    uint64_t since;      /* from cache_since(), when the request came */
    uint64_t seen;       /* the tick before it last looked */
    int64_t deadline_ms; /* set by the park: of all its waits together */
    /*
     * Called on the cache's thread when more may be found: either replies and calls park_end(), or
     * parks again. err: reply with it. whole: all of q is held now.
     */
    void (*resume)(struct fs *fs, struct parked *p, int err, bool whole);
    /* For the handlers: */
    char uuid[CALL_UUID_MAX]; /* not "": only this call is wanted */
    int64_t most;             /* not 0: as in struct want */
    struct dir file;          /* a FILE_RENDERED */
    uint64_t ino;             /* its st_ino */
    struct dirh *dirh;
    size_t size;
    int64_t off;
    bool plus;
    bool interrupted, submitted; /* the park's, under its lock */
};

struct park *park_create(void);
void park_destroy(struct park *p); /* nothing may be parked any more; accepts NULL */

/* How many requests wait. */
size_t park_count(struct park *p);

/* A copy of *model that can wait; NULL: no memory. Ended by park_end(). */
struct parked *park_new(struct fs *fs, const struct parked *model);

/* Waits for p->q. p may be gone when this returns: replied to, on this thread or another. */
void park_wait(struct fs *fs, struct parked *p);

/* Forgets and frees p. To be called before its request is replied to. */
void park_end(struct fs *fs, struct parked *p);

#endif
