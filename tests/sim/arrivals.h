// SPDX-License-Identifier: MIT
#ifndef SIM_ARRIVALS_H
#define SIM_ARRIVALS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store.h"
#include "vclock.h"

/* A thread that makes calls end, so many a second of real time. Safe from any thread. */
struct arrivals {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started;
    bool stop;          /* lock */
    double per_second;  /* lock; 0: none */
    int64_t late_max_s; /* lock */
    struct store *store;
    struct vclock *clock;
};

/* Starts the thread, idle. Store and clock must outlive it. Returns 0 or -errno. */
int arrivals_start(struct arrivals *a, struct store *store, struct vclock *clock);

/* Ends and joins the thread; harmless when it never started. */
void arrivals_stop(struct arrivals *a);

/* From now on `per_second` calls, each ending at the virtual now or up to `late_max_s` before it.
 */
void arrivals_set(struct arrivals *a, double per_second, int64_t late_max_s);

#endif
