// SPDX-License-Identifier: MIT
/*
 * Sets of instants: sorted, disjoint, half-open intervals of UTC seconds. Pure but for memory.
 *
 * A set that ran out of memory is marked and behaves as empty, which for coverage is the safe side:
 * nothing is claimed.
 */
#ifndef CDRFS_CACHE_IVSET_H
#define CDRFS_CACHE_IVSET_H

#include "api/query.h"

struct ivset {
    struct range *v;
    size_t n, cap;
    bool failed;
};

void ivset_release(struct ivset *s);

#define CLEANUP_IVSET __attribute__((cleanup(ivset_release)))

/* True when there is no instant in it; a set that ran out of memory does not say so. */
static inline bool ivset_is_empty(const struct ivset *s)
{
    return s->n == 0 && !s->failed;
}

/* Adds an interval; an empty one changes nothing. */
void ivset_add(struct ivset *s, struct range r);

/* Removes an interval. */
void ivset_cut(struct ivset *s, struct range r);

/* Closes gaps between intervals that are no longer than that. */
void ivset_bridge(struct ivset *s, int64_t longest);

/* Adds to out all instants that are in a and in b. */
void ivset_add_common(struct ivset *out, const struct ivset *a, const struct ivset *b);

#endif
