// SPDX-License-Identifier: MIT
#include "cache/ahead.h"

#include <string.h>

struct ahead_run *ahead_run_of(struct ahead *a, const char *key)
{
    struct ahead_run *oldest = &a->runs[0];
    for (int i = 0; i < AHEAD_RUNS; i++) {
        struct ahead_run *r = &a->runs[i];
        if (r->used && strcmp(r->key, key) == 0) {
            r->used = ++a->uses;
            return r;
        }
        if (r->used < oldest->used)
            oldest = r;
    }
    *oldest = (struct ahead_run){.used = ++a->uses};
    str_copy(oldest->key, sizeof(oldest->key), key, strlen(key));
    return oldest;
}

static bool is_new(const struct ahead_run *r)
{
    return r->seen.lo >= r->seen.hi;
}

bool ahead_gap(const struct ahead_run *r, struct range window, struct range *ret)
{
    if (window.lo > r->seen.hi)
        *ret = (struct range){r->seen.hi, window.lo};
    else if (window.hi < r->seen.lo)
        *ret = (struct range){window.hi, r->seen.lo};
    else
        return false;
    return !is_new(r);
}

static void begin(struct ahead_run *r, struct range window)
{
    r->seen = window;
    r->way = r->steps = 0;
}

static void set_out(struct ahead_run *r, struct range window)
{
    r->entry = r->edge = r->way > 0 ? window.hi : window.lo;
    r->step = 4 * r->window;
}

bool ahead_visit(struct ahead_run *r, struct range window, bool follows)
{
    bool inside = window.lo >= r->seen.lo && window.hi <= r->seen.hi;
    int way = window.lo >= r->seen.hi ? 1 : window.hi <= r->seen.lo ? -1 : 0;
    r->window = window.hi - window.lo;
    if (!is_new(r) && inside)
        return false;
    if (is_new(r) || !follows || !way) {
        begin(r, window);
        return false;
    }
    if (window.lo < r->seen.lo)
        r->seen.lo = window.lo;
    if (window.hi > r->seen.hi)
        r->seen.hi = window.hi;
    if (way != r->way)
        r->steps = 0;
    r->way = way;
    if (++r->steps < AHEAD_STEPS)
        return false;
    if (r->steps == AHEAD_STEPS) {
        set_out(r, window);
        return true;
    }
    return way > 0 ? r->seen.hi > r->entry : r->seen.lo < r->entry;
}

/* The length of the next piece; a walk through many calls needs no long ones. */
static int64_t length(const struct ahead_run *r, int64_t calls)
{
    int64_t seen = r->seen.hi - r->seen.lo, most = r->step;
    if (calls > 0 && seen / calls < most / AHEAD_CALLS)
        most = (seen / calls + 1) * AHEAD_CALLS;
    return most / r->window ? most / r->window * r->window : r->window;
}

bool ahead_next(struct ahead_run *r, struct range limits, int64_t calls, struct range *ret)
{
    int64_t n = length(r, calls);
    *ret = r->way > 0 ? (struct range){r->edge, r->edge + n} : (struct range){r->edge - n, r->edge};
    r->entry = r->edge;
    r->edge = r->way > 0 ? ret->hi : ret->lo;
    r->step = 2 * n;
    if (ret->lo < limits.lo)
        ret->lo = limits.lo;
    if (ret->hi > limits.hi)
        ret->hi = limits.hi;
    return ret->lo < ret->hi;
}
