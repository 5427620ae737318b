// SPDX-License-Identifier: MIT
#ifndef SIM_VCLOCK_H
#define SIM_VCLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The clock the API lives by. It starts where it is told, runs in step with CLOCK_MONOTONIC unless
 * frozen, and may be moved. Safe from any thread. */
struct vclock {
    pthread_mutex_t lock;
    int64_t base_us; /* lock */
    int64_t mono_us; /* lock: monotonic time at which base_us was right */
    bool frozen;
};

/* Starts the clock at `now_us` (microseconds UTC). */
void vclock_init(struct vclock *c, int64_t now_us, bool frozen);

/* Ends its use; nothing else may be using it. */
void vclock_release(struct vclock *c);

/* Virtual microseconds since 1970. */
int64_t vclock_now_us(struct vclock *c);

/* Virtual seconds since 1970, rounded down. */
int64_t vclock_now(struct vclock *c);

/* Moves the clock to `now_us`. */
void vclock_set(struct vclock *c, int64_t now_us);

/* Moves the clock by `delta_us`, which may be negative. */
void vclock_advance(struct vclock *c, int64_t delta_us);

/* CLOCK_MONOTONIC in microseconds: for intervals, never for records. */
int64_t mono_now_us(void);

/* The real UTC time in microseconds. */
int64_t real_now_us(void);

#endif
