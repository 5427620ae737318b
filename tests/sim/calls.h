// SPDX-License-Identifier: MIT
#ifndef SIM_CALLS_H
#define SIM_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "book.h"
#include "cdr.h"
#include "extra.h"

#define CALL_GONE INT64_MIN

enum { CALLS_MAX = 20000000 };

/* Sixteen bytes a call: all else follows from the seed and the place in the table. */
struct call {
    int64_t end; /* UTC second, or CALL_GONE once deleted */
    struct extra *extra;
};

/* The table of all calls ever made, by id. Not safe by itself: the store holds the lock. */
struct calls {
    uint64_t seed;
    struct book book;
    struct call *table;
    uint32_t n;
    uint32_t cap;
    uint32_t *named; /* ids of calls whose uuid was given from outside */
    size_t n_named;
};

/* An empty table for the account that `seed` stands for; release it once. */
void calls_init(struct calls *c, uint64_t seed);
void calls_release(struct calls *c);

/* Adds a call that ended at `end`; takes `extra` (may be NULL) over on success. Returns 0, -ENOMEM,
 * -ENOSPC. */
int calls_add(struct calls *c, int64_t end, struct extra *extra, uint32_t *ret_id);

/* Works out the record of call `id`, amendments included. */
void calls_cdr(const struct calls *c, uint32_t id, struct cdr *out);

/* The uuid shown for a call; `buffer` is used unless one was given. */
const char *calls_uuid(const struct calls *c, uint32_t id, char buffer[]);

/* Finds a call that was not deleted; 0 or -ENOENT. */
int calls_find(const struct calls *c, const char *uuid, uint32_t *ret_id);

/* Notes that the call has an uuid of its own now. Returns 0 or -ENOMEM. */
int calls_name(struct calls *c, uint32_t id);

/* Order of calls: by end, those of one second by falling uuid. <0, 0, >0. */
int calls_compare(const struct calls *c, uint32_t a, uint32_t b);

#endif
