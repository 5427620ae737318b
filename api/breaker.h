// SPDX-License-Identifier: MIT
/*
 * Whether requests may leave at all: when the API has refused us, or has failed again and again,
 * the next one is answered at once with what the last one met, instead of after all its attempts
 * (DESIGN.md section 3, API.md traps 35, 36). Pure: the caller passes the time, in milliseconds of
 * the monotonic clock, and the failures.
 *
 *     CLOSED   requests go
 *        | 5 requests in a row were given up, within no less than 5 s
 *        v
 *     OPEN     requests are held back. After a pause (1 s, doubled up to 15 s) one goes out to
 * probe: |     one of our own if somebody has asked since the last, else the next that is asked for
 *        | an answer came, to the probe or to what was still under way
 *        v
 *     CLOSED
 *
 *     CLOSED --401, 403--> REFUSED: held back for 30 s, without probes --> CLOSED
 */
#ifndef CDRFS_API_BREAKER_H
#define CDRFS_API_BREAKER_H

#include "api/failure.h"

#define BREAKER_FAILURES 5
#define BREAKER_LEAST_MS 5000
#define BREAKER_PAUSE_MS 1000
#define BREAKER_PAUSE_MOST_MS 15000
#define REFUSED_PAUSE_MS 30000

struct breaker {
    enum { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_REFUSED } state;
    int failed;         /* requests given up in a row */
    int64_t first_ms;   /* when the first of them was */
    int64_t until_ms;   /* OPEN: when to probe; REFUSED: when it ends */
    int64_t pause_ms;   /* before the probe after this one */
    bool probing;       /* a probe is out */
    bool asked;         /* somebody was held back since the last probe */
    struct failure why; /* what the last one met */
};

/* A request was answered, whatever the answer said. */
void breaker_good(struct breaker *b);

/* A request was given up. */
void breaker_failed(struct breaker *b, const struct failure *f, int64_t now_ms);

/* True when a request must be held back now; false lets one go, which may be the probe. */
bool breaker_holds(struct breaker *b, int64_t now_ms);

/* True when a probe of our own is to go out now, which then counts as out. */
bool breaker_wants_probe(struct breaker *b, int64_t now_ms);

/* Milliseconds until breaker_wants_probe() may say so; INT64_MAX while nothing is to be probed. */
int64_t breaker_probe_in(const struct breaker *b, int64_t now_ms);

/* True while a failed request is not worth another attempt of its own. */
bool breaker_is_open(const struct breaker *b);

/* What those held back are told: the last failure, marked as said before. */
void breaker_failure(const struct breaker *b, struct failure *ret);

#endif
