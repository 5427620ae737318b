// SPDX-License-Identifier: MIT
#include "cache/clock.h"

#include <time.h>

int64_t clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void clock_init(struct clock *c)
{
    clock_learn(c, (int64_t)time(NULL));
}

void clock_learn(struct clock *c, int64_t date)
{
    atomic_store(&c->offset_s, date - clock_ms() / 1000);
}

int64_t clock_now(struct clock *c)
{
    return atomic_load(&c->offset_s) + clock_ms() / 1000;
}
