// SPDX-License-Identifier: MIT
#include "vclock.h"

#include <time.h>

#include "utc.h"

static int64_t read_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * UTC_SECOND_US + ts.tv_nsec / 1000;
}

int64_t mono_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t real_now_us(void)
{
    return read_us(CLOCK_REALTIME);
}

void vclock_init(struct vclock *c, int64_t now_us, bool frozen)
{
    pthread_mutex_init(&c->lock, NULL);
    c->base_us = now_us;
    c->mono_us = mono_now_us();
    c->frozen = frozen;
}

void vclock_release(struct vclock *c)
{
    pthread_mutex_destroy(&c->lock);
}

static int64_t now_locked(const struct vclock *c)
{
    return c->frozen ? c->base_us : c->base_us + (mono_now_us() - c->mono_us);
}

int64_t vclock_now_us(struct vclock *c)
{
    int64_t now;

    pthread_mutex_lock(&c->lock);
    now = now_locked(c);
    pthread_mutex_unlock(&c->lock);
    return now;
}

int64_t vclock_now(struct vclock *c)
{
    int64_t us = vclock_now_us(c);

    return us / UTC_SECOND_US - (us % UTC_SECOND_US < 0);
}

void vclock_set(struct vclock *c, int64_t now_us)
{
    pthread_mutex_lock(&c->lock);
    c->base_us = now_us;
    c->mono_us = mono_now_us();
    pthread_mutex_unlock(&c->lock);
}

void vclock_advance(struct vclock *c, int64_t delta_us)
{
    pthread_mutex_lock(&c->lock);
    c->base_us = now_locked(c) + delta_us;
    c->mono_us = mono_now_us();
    pthread_mutex_unlock(&c->lock);
}
