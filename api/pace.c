// SPDX-License-Identifier: MIT
#include "api/pace.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define FACTOR_LEAST (1.0 / 16)
#define RETRY_FIRST_MS 250
#define RETRY_AFTER_MOST_S 60

int pace_init(struct pace *p, double rate, int64_t now_ms)
{
    double count = floor(rate * 5);
    memset(p, 0, sizeof(*p));
    p->rate = rate;
    p->factor = 1;
    p->tokens = fmax(1, rate / 2);
    p->at_ms = now_ms;
    if (count < 1 || count > PACE_LOG_MAX)
        return 0;
    p->window_count = (int)count;
    p->log = calloc((size_t)p->window_count, sizeof(*p->log));
    if (!p->log)
        return -ENOMEM;
    for (int i = 0; i < p->window_count; i++)
        p->log[i] = now_ms - PACE_WINDOW_MS;
    return 0;
}

void pace_release(struct pace *p)
{
    free(p->log);
    p->log = NULL;
}

static void refill(struct pace *p, int64_t now_ms)
{
    double rate = p->rate * p->factor;
    double most = fmax(1, rate / 2);
    p->tokens = fmin(most, p->tokens + (double)(now_ms - p->at_ms) * rate / 1000);
    p->at_ms = now_ms;
}

int64_t pace_take(struct pace *p, int64_t now_ms)
{
    refill(p, now_ms);
    if (p->tokens < 1) {
        double wait = ceil((1 - p->tokens) * 1000 / (p->rate * p->factor));
        return wait < 1 ? 1 : (int64_t)fmin(wait, 3600e3);
    }
    if (p->log) {
        int64_t oldest = p->log[p->log_next];
        if (now_ms - oldest < PACE_WINDOW_MS)
            return PACE_WINDOW_MS - (now_ms - oldest);
        p->log[p->log_next] = now_ms;
        p->log_next = (p->log_next + 1) % p->window_count;
    }
    p->tokens -= 1;
    return 0;
}

void pace_slow_down(struct pace *p)
{
    p->factor = fmax(FACTOR_LEAST, p->factor / 2);
    p->tokens = fmin(p->tokens, 1);
}

void pace_speed_up(struct pace *p)
{
    p->factor = fmin(1, p->factor + 0.01);
}

int64_t retry_delay_ms(int attempt, int retry_after_s, bool pushed, uint32_t noise)
{
    if (attempt >= RETRY_ATTEMPTS)
        return -1;
    if (retry_after_s >= 0)
        return retry_after_s < RETRY_AFTER_MOST_S ? retry_after_s * 1000 : -1;
    int64_t base = (int64_t)RETRY_FIRST_MS << (attempt - 1);
    if (pushed)
        base *= 4;
    return base + noise % (uint32_t)base;
}
