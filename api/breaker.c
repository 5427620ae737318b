// SPDX-License-Identifier: MIT
#include "api/breaker.h"

#include <errno.h>

void breaker_good(struct breaker *b)
{
    if (b->state != BREAKER_REFUSED)
        *b = (struct breaker){0};
}

static void refuse(struct breaker *b, const struct failure *f, int64_t now_ms)
{
    *b = (struct breaker){
        .state = BREAKER_REFUSED, .until_ms = now_ms + REFUSED_PAUSE_MS, .why = *f};
}

/* Of what was still under way when it opened only the probe moves the next one away. */
static void stay_open(struct breaker *b, int64_t now_ms)
{
    if (!b->probing)
        return;
    b->probing = false;
    b->until_ms = now_ms + b->pause_ms;
    b->pause_ms *= 2;
    if (b->pause_ms > BREAKER_PAUSE_MOST_MS)
        b->pause_ms = BREAKER_PAUSE_MOST_MS;
}

void breaker_failed(struct breaker *b, const struct failure *f, int64_t now_ms)
{
    if (f->err == -EACCES) {
        refuse(b, f, now_ms);
        return;
    }
    if (b->state == BREAKER_REFUSED)
        return;
    if (!b->failed++)
        b->first_ms = now_ms;
    b->why = *f;
    if (b->state == BREAKER_OPEN) {
        stay_open(b, now_ms);
    } else if (b->failed >= BREAKER_FAILURES && now_ms - b->first_ms >= BREAKER_LEAST_MS) {
        b->state = BREAKER_OPEN;
        b->until_ms = now_ms + BREAKER_PAUSE_MS;
        b->pause_ms = 2 * BREAKER_PAUSE_MS;
        b->asked = true; /* those whose failures these were */
    }
}

bool breaker_holds(struct breaker *b, int64_t now_ms)
{
    if (b->state == BREAKER_REFUSED && now_ms >= b->until_ms)
        *b = (struct breaker){0};
    if (b->state == BREAKER_CLOSED)
        return false;
    bool due = b->state == BREAKER_OPEN && !b->probing && now_ms >= b->until_ms;
    b->probing = b->probing || due;
    b->asked = !due;
    return !due;
}

int64_t breaker_probe_in(const struct breaker *b, int64_t now_ms)
{
    if (b->state != BREAKER_OPEN || b->probing || !b->asked)
        return INT64_MAX;
    return b->until_ms > now_ms ? b->until_ms - now_ms : 0;
}

bool breaker_wants_probe(struct breaker *b, int64_t now_ms)
{
    bool due = breaker_probe_in(b, now_ms) == 0;
    b->probing = b->probing || due;
    b->asked = b->asked && !due;
    return due;
}

bool breaker_is_open(const struct breaker *b)
{
    return b->state == BREAKER_OPEN;
}

void breaker_failure(const struct breaker *b, struct failure *ret)
{
    *ret = b->why;
    ret->date = 0;
    ret->repeated = true;
}
