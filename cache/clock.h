// SPDX-License-Identifier: MIT
/*
 * The server's clock, kept going between answers by this machine's boot time, so that neither a
 * wrong local clock nor one that is set while we run changes what is fresh or which day it is.
 * Until the first answer the local clock stands in. Any thread.
 */
#ifndef CDRFS_CACHE_CLOCK_H
#define CDRFS_CACHE_CLOCK_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/util.h"

struct clock {
    atomic_int_least64_t offset_s; /* server's UTC seconds minus seconds since boot */
};

void clock_init(struct clock *c);

/* The server said it is this time, UTC seconds. */
void clock_learn(struct clock *c, int64_t date);

/* UTC seconds now, by the server's clock. */
int64_t clock_now(struct clock *c);

/* Milliseconds of a clock that is never set. */
int64_t clock_ms(void);

/* A condition that can be waited for by clock_wait(): until signalled, or that long, by such a
 * clock. */
void clock_cond_init(pthread_cond_t *cond);
void clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms);

#endif
