// SPDX-License-Identifier: MIT
/*
 * Reading ahead: recognises who goes through window after window of one query, such as find(1)
 * through the dates, and says what to read before it is asked for (DESIGN.md section 3).
 *
 * A run begins with three windows that follow each other, forwards or backwards in time. Behind the
 * third one a piece of four times its length is to be read, and whenever the run enters the last
 * piece, a further one of twice that length: so a walk over 90 days is read in eight parts, and a
 * day that is small or empty costs no request of its own. A piece holds no more than AHEAD_CALLS
 * calls by what the run has met so far, but never less than one window.
 *
 * Pure. Times are UTC seconds.
 */
#ifndef CDRFS_CACHE_AHEAD_H
#define CDRFS_CACHE_AHEAD_H

#include "api/query.h"

#define AHEAD_CALLS 2000 /* 100 requests */
#define AHEAD_STEPS 2    /* windows that followed the first: then it is a run */
#define AHEAD_RUNS 16    /* the one that was idle longest makes place */

/* Who goes through the windows of one set of filters. */
struct ahead_run {
    char key[QUERY_KEY_MAX]; /* of the filters */
    uint64_t used;
    struct range seen; /* the windows visited, and what lay between */
    int64_t window;    /* length of the last one */
    int way;           /* 1 forwards, -1 backwards, 0 not known yet */
    int steps;         /* windows that followed, that way */
    int64_t entry;     /* where the last piece begins, in that way */
    int64_t edge;      /* and where the next one does */
    int64_t step;      /* its length, as far as time goes */
};

struct ahead {
    struct ahead_run runs[AHEAD_RUNS];
    uint64_t uses;
};

/* The run of those filters, new or not. */
struct ahead_run *ahead_run_of(struct ahead *a, const char *key);

/*
 * What lies between the run and a window visited now, in ret; false when the window is part of the
 * run already, touches it, or there is no run. The caller finds out whether that is known: dates
 * known to be empty are not listed, and so are stepped over.
 */
bool ahead_gap(const struct ahead_run *r, struct range window, struct range *ret);

/* The window is visited. follows: nothing unknown lies between it and the run. True when the time
 * has come for the next piece. */
bool ahead_visit(struct ahead_run *r, struct range window, bool follows);

/* The next piece, within limits; false at their end. calls: held within r->seen. */
bool ahead_next(struct ahead_run *r, struct range limits, int64_t calls, struct range *ret);

#endif
