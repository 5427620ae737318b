// SPDX-License-Identifier: MIT
#ifndef SIM_MATCHES_H
#define SIM_MATCHES_H

#include <stdint.h>

#include "calls.h"
#include "filter.h"
#include "idvec.h"

enum { MATCHES_SLOTS = 48 };

/* Which calls pass a filter, remembered for the filters used last and kept true while calls come
 * and go, so that paging costs two binary searches. Not safe by itself: the store holds the lock.
 */
struct matches {
    struct {
        struct filter filter;
        struct idvec vec;
        uint64_t used; /* 0: empty */
    } slots[MATCHES_SLOTS];
    uint64_t tick;
};

/* Forgets all filters and frees what was remembered. */
void matches_release(struct matches *m);

/* The calls of `all` that pass `f`, in order; NULL when memory is short. Valid until the next call
 * here. */
const struct idvec *matches_get(struct matches *m, const struct calls *c, const struct idvec *all,
                                const struct filter *f);

/* Tells that a call joined, or is about to leave, the set of all calls. */
void matches_joined(struct matches *m, const struct calls *c, uint32_t id);
void matches_leaving(struct matches *m, const struct calls *c, uint32_t id);

#endif
