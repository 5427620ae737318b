// SPDX-License-Identifier: MIT
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include <jansson.h>
#include <pthread.h>

#include "calls.h"
#include "column.h"
#include "filter.h"
#include "idvec.h"
#include "matches.h"
#include "text.h"

/* All calls of the account, in order, behind one lock. Safe from any thread. */
struct store {
    pthread_mutex_t lock;
    struct calls calls;     /* lock */
    struct idvec order;     /* lock: all that were not deleted */
    struct matches matches; /* lock */
};

/* What a page is cut from: ends in [lo, hi), rows [first, first + count), newest first unless asc.
 */
struct page {
    int64_t lo;
    int64_t hi;
    int64_t first;
    int64_t count;
    bool asc;
    enum dialect dialect;
    const struct filter *filter;
};

/* An empty store for the account that `seed` stands for; release it once, when no thread uses it.
 */
void store_init(struct store *s, uint64_t seed);
void store_release(struct store *s);

/* Adds many calls at once, ids in the order given. Returns 0 or -errno. */
int store_bulk(struct store *s, const int64_t *ends, size_t n);

/* Adds a call. Takes `extra` (may be NULL) over, also on failure. When it sets end_time, that wins
 * over `end`. Appends the call's uuid as JSON string to `uuid_out` unless that is NULL. */
int store_insert(struct store *s, int64_t end, struct extra *extra, struct text *uuid_out);

/* Changes raw JSON literals of a call: member values are strings of JSON text, or null to leave a
 * key out. Returns 0, -ENOENT, -EINVAL (a member is neither), -E2BIG or -ENOMEM. */
int store_amend(struct store *s, const char *uuid, const json_t *set);

/* Deletes a call; 0 or -ENOENT. */
int store_delete(struct store *s, const char *uuid);

/* Appends the rows of a page separated by ", "; *ret_total counts all matches. Returns the rows or
 * -errno. */
int64_t store_page(struct store *s, const struct page *p, struct text *out, int64_t *ret_total);

/* Appends the row of one call that ended in [lo, hi); -ENOENT when there is none. */
int store_single(struct store *s, const char *uuid, int64_t lo, int64_t hi, struct text *out);

/* The ids of calls that ended in [lo, hi), oldest first, malloc'd (NULL when none); 0 or -ENOMEM.
 */
int store_ids(struct store *s, int64_t lo, int64_t hi, uint32_t **ret_ids, size_t *ret_n);

/* Appends a line of the oracle for call `id`; nothing when it was deleted. */
void store_oracle(struct store *s, uint32_t id, enum dialect d, struct text *out);

#endif
