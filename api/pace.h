// SPDX-License-Identifier: MIT
/*
 * When the next request may go out, and when a failed one is tried again (DESIGN.md section 3,
 * API.md trap 36). Pure: the caller passes the time, in milliseconds of the monotonic clock.
 *
 * Two rules hold together. A token bucket of `rate` a second, with half a second's worth of burst
 * so that a small window opens at once; and, because the API counts in windows of 5 s, never more
 * than 5 x rate requests within any 5.1 s.
 */
#ifndef CDRFS_API_PACE_H
#define CDRFS_API_PACE_H

#include "api/util.h"

#define PACE_WINDOW_MS 5100
#define PACE_LOG_MAX                                                                               \
    4096 /* above 800 requests/s the window is not kept: the bucket alone decides */
#define RETRY_ATTEMPTS 4

struct pace {
    double rate;   /* requests a second asked for */
    double factor; /* of the rate in force: 1, halved by each push back, regained slowly */
    double tokens;
    int64_t at_ms; /* when tokens was right */
    int64_t *log;  /* the last window_count start times, a ring */
    int window_count, log_next;
};

/* rate > 0. -ENOMEM. */
int pace_init(struct pace *p, double rate, int64_t now_ms) MUST_CHECK;
void pace_release(struct pace *p);

/* Takes a token and returns 0, or returns the milliseconds to wait before asking again. */
int64_t pace_take(struct pace *p, int64_t now_ms);

/* The API pushed back (429, or 500 used as one): halves the rate, to a sixteenth at the least. */
void pace_slow_down(struct pace *p);

/* A request was answered well: regains a hundredth of the rate. */
void pace_speed_up(struct pace *p);

/*
 * Milliseconds to wait before attempt + 1 (attempts count from 1), or -1 when this was the last, or
 * the server wants a longer pause than anybody waits for. retry_after_s is -1 when it named none;
 * pushed: it said that there are too many requests; noise is any random number.
 */
int64_t retry_delay_ms(int attempt, int retry_after_s, bool pushed, uint32_t noise);

#endif
