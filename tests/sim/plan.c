// SPDX-License-Identifier: MIT
#include "plan.h"

#include <errno.h>
#include <stdlib.h>

#include "rng.h"
#include "utc.h"

enum { SALT_TIME = 0x30000, TRIES = 2000, BUSIEST = 22 };

/* How busy each hour of the UTC day is. */
static const unsigned char hours[24] = {2,  1,  1,  1,  1,  2,  4,  8, 14, 20, 22, 22,
                                        18, 20, 22, 21, 19, 16, 12, 9, 7,  5,  4,  3};

struct span {
    int64_t lo;
    int64_t hi;
};

static bool is_counted_day(const struct options *o, int64_t at)
{
    for (size_t i = 0; i < o->n_day_counts; i++)
        if (at >= o->day_counts[i].day && at < o->day_counts[i].day + UTC_DAY)
            return true;
    return false;
}

/* Draws a second of the span as busy as its hour; may give one in a counted day when `o` is NULL.
 */
static int draw_end(const struct options *o, uint64_t seed, uint64_t n, const struct span *in,
                    int64_t *ret_end)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t h = rng_hash(seed, n, (uint64_t)(SALT_TIME + i));
        int64_t at = in->lo + (int64_t)((h >> 8) % (uint64_t)(in->hi - in->lo));
        int64_t hour = (at % UTC_DAY + UTC_DAY) % UTC_DAY / 3600;

        if ((h & 255) * BUSIEST / 256 >= hours[hour] || (o && is_counted_day(o, at)))
            continue;
        *ret_end = at;
        return 0;
    }
    return -ERANGE;
}

static size_t total(const struct options *o)
{
    int64_t n = o->calls;

    for (size_t i = 0; i < o->n_day_counts; i++)
        n += o->day_counts[i].count;
    return (size_t)n;
}

static int draw_all(int64_t *ends, const struct options *o, int64_t now)
{
    struct span window = {now - o->days * UTC_DAY, now + 1};
    size_t at = 0;
    int err = 0;

    for (int64_t i = 0; i < o->calls && err == 0; i++, at++)
        err = draw_end(o, o->seed, at, &window, &ends[at]);
    for (size_t d = 0; d < o->n_day_counts; d++) {
        struct span day = {o->day_counts[d].day, o->day_counts[d].day + UTC_DAY};

        for (int64_t i = 0; i < o->day_counts[d].count && err == 0; i++, at++)
            err = draw_end(NULL, o->seed, at, &day, &ends[at]);
    }
    return err;
}

int plan_fill(struct store *s, const struct options *o, int64_t now)
{
    size_t n = total(o);
    int64_t *ends;
    int err;

    if (n > CALLS_MAX)
        return -ERANGE;
    ends = malloc((n ? n : 1) * sizeof *ends);
    if (!ends)
        return -ENOMEM;
    err = draw_all(ends, o, now);
    if (err == 0)
        err = store_bulk(s, ends, n);
    free(ends);
    return err;
}
