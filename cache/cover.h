// SPDX-License-Identifier: MIT
/*
 * Coverage: what was read whole, and for how long that may be believed (DESIGN.md section 2).
 *
 * A span says: of this set of filters, the interval of end_time was read whole at fetched_at. It is
 * fresh for max(ttl, (fetched_at - its end) / 10) seconds after that. An instant of it that was
 * read more than `settle` seconds after it is final: believed for ever, whatever becomes of the
 * rest. The end of a span that reached the clock when it was read is open: while the span is
 * younger than ttl it also answers for the seconds since.
 *
 * Pure: no I/O, no clock; all times are UTC seconds of the server's clock. Not locked; the owner
 * (cache.c) does that.
 */
#ifndef CDRFS_CACHE_COVER_H
#define CDRFS_CACHE_COVER_H

#include "cache/ivset.h"

struct span {
    int64_t id;     /* row of the store; 0 while it has none */
    struct query q; /* filters, and the interval as num[AXIS_END_TIME] */
    int64_t fetched_at;
    uint64_t seq; /* of the walk that read it, in this process; 0 for an earlier one */
};

struct cover_rule {
    int64_t ttl, settle;
};

#define DOUBTS_MAX 64 /* one more, and everything is doubted */

/* A wish to have something read anew: spans of walks up to seq are not believed within q. */
struct doubt {
    struct query q;
    uint64_t seq;
    int64_t at; /* when, for who has other readings than those of this process */
};

struct cover {
    struct span *v;
    size_t n, cap;
    struct doubt doubts[DOUBTS_MAX];
    int ndoubts;
};

/* Asked of coverage: when, and which walks count as fresh however short ttl is. */
struct cover_when {
    int64_t now;
    uint64_t after_seq; /* spans with a greater seq count whole; UINT64_MAX: none does */
    bool only_later;    /* no other span counts at all */
    bool undoubting;    /* doubts do not count */
};

void cover_release(struct cover *c);

/* Adds a span and drops those it supersedes. -ENOMEM. */
int cover_add(struct cover *c, const struct span *s) MUST_CHECK;

/* True when `by` makes `old` superfluous: read no earlier, of filters that hold old's, of an
 * interval that holds old's. */
bool cover_superseded(const struct span *old, const struct span *by);

/* How a span is believed. */
enum span_state {
    SPAN_STALE, /* not all of it any more */
    SPAN_FRESH, /* for now */
    SPAN_FINAL, /* for ever */
    SPAN_STATES
};

enum span_state cover_state(const struct cover *c, const struct span *s, struct cover_rule rule,
                            int64_t now) MUST_CHECK;

void cover_doubt(struct cover *c, const struct doubt *d);

/* When q's interval was last doubted; INT64_MIN: never. */
int64_t cover_doubted_at(const struct cover *c, const struct query *q);

/* All of q's interval up to *ret_to is held, by one reading or several, as it was at that time or
 * later; 0: none of it is, or not so, or only by the two directions together, or no memory. */
int64_t cover_held_since(const struct cover *c, const struct query *q, int64_t *ret_to);

/* The part of one span's interval that may be believed at that time. */
struct range cover_believed(const struct span *s, struct cover_rule rule, struct cover_when when);

/*
 * A span that held q's filters and reached into the interval not longer than `within` seconds ago,
 * and is no longer believed. Reading what is new by its wider filters refreshes every narrower
 * question too. The widest such; NULL when there is none.
 */
const struct span *cover_recent(const struct cover *c, const struct query *q, struct range interval,
                                int64_t now, int64_t within);

/*
 * Adds to out the instants of q's interval that must be asked of the source: those for which no
 * believed and undoubted span holds q's filters, alone or both directions together.
 */
void cover_remainder(const struct cover *c, struct cover_rule rule, struct cover_when when,
                     const struct query *q, struct ivset *out);

#endif
