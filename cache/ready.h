// SPDX-License-Identifier: MIT
/*
 * Rows of listings that were read before they are asked for: while the kernel takes in one reply,
 * which costs it more than it costs us, the next one's rows are read. They are taken once, and only
 * if nothing in the store has changed since before they were read; so who is given them sees what
 * he would have read himself.
 *
 * Also remembers who goes through window after window, and which way. Any thread.
 */
#ifndef CDRFS_CACHE_READY_H
#define CDRFS_CACHE_READY_H

#include <pthread.h>

#include "cache/store.h"

#define READY_ROWS 4096 /* of one listing at once; 100 bytes each */
#define READY_PLACES 4  /* listings; the oldest goes */
#define READY_WALKS 4
#define READY_GAP_DAYS 7 /* windows that lie further apart are no walk */

struct rows {
    struct entry *v; /* owned */
    size_t n;
    bool all; /* there are none behind them */
};

void rows_release(struct rows *r);

struct ready {
    pthread_mutex_t lock; /* guards the rest */
    struct ready_place {
        struct query q;
        int64_t after;
        uint64_t changes;
        struct rows rows;
        uint64_t used; /* 0: it is free */
    } places[READY_PLACES];
    struct ready_walk {
        struct query at;
        int way; /* of the last step: 1, -1, or 0 when there was none */
        uint64_t used;
    } walks[READY_WALKS];
    uint64_t uses;
};

void ready_init(struct ready *r);
void ready_release(struct ready *r);

/* Keeps rows, which it takes over, of q behind the id `after`; changes: from cache_changes(),
 * before they were read. */
void ready_put(struct ready *r, const struct query *q, int64_t after, uint64_t changes,
               struct rows *rows);

/* Hands them out, to be released by the caller; false when there are none as of these changes. */
bool ready_take(struct ready *r, const struct query *q, int64_t after, uint64_t changes,
                struct rows *ret);

/* Whether they are there. */
bool ready_has(struct ready *r, const struct query *q, int64_t after, uint64_t changes);

/* Somebody begins to list q. */
void ready_begin(struct ready *r, const struct query *q);

/* Which way he goes who began last with q, of all that go through windows of its filters. */
int ready_way(struct ready *r, const struct query *q);

#endif
