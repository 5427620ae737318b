// SPDX-License-Identifier: MIT
#include "arrivals.h"

#include <time.h>

#include "rng.h"

enum { SALT_LATE = 0x40000 };

static void wait_until_locked(struct arrivals *a, int64_t until_us)
{
    struct timespec ts = {until_us / 1000000, until_us % 1000000 * 1000};

    pthread_cond_timedwait(&a->changed, &a->lock, &ts);
}

static void make_call(struct arrivals *a, uint64_t n, int64_t late_max_s)
{
    int64_t late = 0;

    if (late_max_s > 0)
        late = (int64_t)(rng_hash(SALT_LATE, n, 0) % (uint64_t)(late_max_s + 1));
    store_insert(a->store, vclock_now(a->clock) - late, NULL, NULL);
}

/* One step of the stream: waits for the next call to be due, or makes it. */
static int64_t step_locked(struct arrivals *a, int64_t due_us, uint64_t n)
{
    int64_t late = a->late_max_s;

    if (a->per_second <= 0) {
        pthread_cond_wait(&a->changed, &a->lock);
        return mono_now_us();
    }
    if (mono_now_us() < due_us) {
        wait_until_locked(a, due_us);
        return due_us;
    }
    due_us += (int64_t)(1e6 / a->per_second);
    pthread_mutex_unlock(&a->lock);
    make_call(a, n, late);
    pthread_mutex_lock(&a->lock);
    return due_us;
}

static void *run(void *arg)
{
    struct arrivals *a = arg;
    int64_t due_us = mono_now_us();

    pthread_mutex_lock(&a->lock);
    for (uint64_t n = 0; !a->stop; n++)
        due_us = step_locked(a, due_us, n);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

int arrivals_start(struct arrivals *a, struct store *store, struct vclock *clock)
{
    pthread_condattr_t attr;
    int err;

    *a = (struct arrivals){.store = store, .clock = clock};
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &attr);
    pthread_condattr_destroy(&attr);
    err = pthread_create(&a->thread, NULL, run, a);
    a->started = err == 0;
    return -err;
}

void arrivals_stop(struct arrivals *a)
{
    if (!a->started)
        return;
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
}

void arrivals_set(struct arrivals *a, double per_second, int64_t late_max_s)
{
    pthread_mutex_lock(&a->lock);
    a->per_second = per_second;
    a->late_max_s = late_max_s;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
}
