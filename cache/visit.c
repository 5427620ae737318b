// SPDX-License-Identifier: MIT
/* Reading ahead of who goes through window after window; the decisions are ahead.c's. */
#include "api/utc.h"
#include "cache/keeper.h"

#define BELIEVED_S 60

/* Whether all of q's filters are known within r, as far as it can be asked for. */
static bool is_known(struct cache *c, const struct query *q, struct range r)
{
    CLEANUP_IVSET struct ivset missing = {0};
    struct query part = *q;
    part.num[AXIS_END_TIME] = r;
    cache_missing(c, c->rule, UINT64_MAX, &part, &missing);
    return ivset_is_empty(&missing);
}

/* Fetches what is missing of a piece and not on its way; false when nothing is missing. */
static bool fetch_piece(struct cache *c, const struct query *q, struct range piece)
{
    CLEANUP_IVSET struct ivset missing = {0};
    struct query part = *q;
    part.num[AXIS_END_TIME] = piece;
    cache_missing(c, c->rule, UINT64_MAX, &part, &missing);
    struct fetch_wish wish = {.ahead = true};
    bool any = missing.n > 0;
    fetches_cut(c, &part, &missing);
    for (size_t i = 0; i < missing.n; i++)
        fetch_start(c, &part, missing.v[i], &wish);
    return any;
}

/* What is not believed for long enough to be of use when it is come to is not read ahead: with a
 * short ttl that is the day which is not over, or was not for long. */
static struct range limits_of(struct cache *c)
{
    int64_t now = cache_now(c);
    bool brief = c->rule.ttl < BELIEVED_S;
    return (struct range){cache_served_from(c),
                          brief ? utc_midnight(now - 10 * BELIEVED_S) : now + 1};
}

static void read_ahead(struct cache *c, struct ahead_run *run, const struct query *q)
{
    struct range piece, limits = limits_of(c);
    struct query seen = *q;
    int64_t calls = 0;
    seen.num[AXIS_END_TIME] = run->seen;
    if (store_count_now(c->store, &seen, &calls) < 0)
        return;
    while (ahead_next(run, limits, calls, &piece))
        if (fetch_piece(c, q, piece))
            return;
}

void keeper_take_visit(struct cache *c, const struct query *q)
{
    char key[QUERY_KEY_MAX];
    struct range gap, window = q->num[AXIS_END_TIME];
    if (store_is_frozen(c->store))
        return;
    query_filter_key(q, key);
    struct ahead_run *run = ahead_run_of(&c->ahead, key);
    bool follows = !ahead_gap(run, window, &gap) || is_known(c, q, gap);
    if (ahead_visit(run, window, follows))
        read_ahead(c, run, q);
}

void cache_visit(struct cache *c, const struct query *q)
{
    struct range r = q->num[AXIS_END_TIME];
    if (q->none || r.lo == INT64_MIN || r.hi - r.lo != UTC_DAY)
        return; /* hours and months are not listed, so nobody walks them */
    struct post *p = calloc(1, sizeof(*p));
    if (!p)
        return; /* it is only slower */
    p->kind = POST_VISIT;
    p->want.q = *q;
    cache_post(c, p);
}
