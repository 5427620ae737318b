// SPDX-License-Identifier: MIT
/* What a question would cost, told without asking it. Any thread. */
#include <errno.h>
#include <string.h>

#include "api/dialect.h"
#include "cache/keeper.h"

#define FOR_EVER_S (100 * 366 * (int64_t)86400)

/* --- which readings cover what is held --- */

struct candidates {
    struct cache_reading *v;
    size_t n;
};

static struct query with_direction(const struct query *q, int64_t direction)
{
    struct query d = *q;
    query_meet_range(&d, AXIS_DIRECTION, (struct range){direction, direction + 1});
    return d;
}

static bool touches(const struct span *s, struct range r)
{
    struct range a = s->q.num[AXIS_END_TIME];
    return a.lo < r.hi && (r.lo < a.hi || a.hi > s->fetched_at);
}

/* Both directions together are everything. */
static bool answers(const struct span *s, const struct query *q)
{
    struct query in = with_direction(q, DIRECTION_INBOUND);
    struct query out = with_direction(q, DIRECTION_OUTBOUND);
    return touches(s, q->num[AXIS_END_TIME]) &&
           (query_filters_imply(q, &s->q) || query_filters_imply(&in, &s->q) ||
            query_filters_imply(&out, &s->q));
}

static int newest_first(const void *a, const void *b)
{
    const struct cache_reading *x = a, *y = b;
    return (x->fetched_at < y->fetched_at) - (x->fetched_at > y->fetched_at);
}

static int find_candidates(struct cache *c, const struct query *q, struct candidates *ret)
{
    int64_t now = cache_now(c);
    pthread_mutex_lock(&c->cover_lock);
    ret->v = calloc(c->cover.n + 1, sizeof(*ret->v));
    for (size_t i = 0; i < c->cover.n && ret->v; i++) {
        const struct span *s = &c->cover.v[i];
        if (answers(s, q))
            ret->v[ret->n++] = (struct cache_reading){s->q, s->fetched_at,
                                                      cover_state(&c->cover, s, c->rule, now)};
    }
    pthread_mutex_unlock(&c->cover_lock);
    if (!ret->v)
        return -ENOMEM;
    qsort(ret->v, ret->n, sizeof(*ret->v), newest_first);
    return 0;
}

/* Of intervals that may be unbounded. */
static uint64_t length_of(const struct ivset *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += (uint64_t)s->v[i].hi - (uint64_t)s->v[i].lo;
    return sum;
}

/* True when that reading brought something of what newer ones had left open. */
static bool cuts(const struct cache_reading *r, struct ivset *left)
{
    struct range a = r->q.num[AXIS_END_TIME];
    uint64_t before = length_of(left);
    if (a.hi > r->fetched_at)
        a.hi = INT64_MAX;
    ivset_cut(left, a);
    return length_of(left) < before;
}

static int find_readings(struct cache *c, const struct query *q, struct cache_explained *ret)
{
    CLEANUP_IVSET struct ivset left = {0}, left_in = {0}, left_out = {0};
    struct query in = with_direction(q, DIRECTION_INBOUND);
    struct candidates found = {0};
    int rc = find_candidates(c, q, &found);
    ivset_add(&left, q->num[AXIS_END_TIME]);
    ivset_add(&left_in, q->num[AXIS_END_TIME]);
    ivset_add(&left_out, q->num[AXIS_END_TIME]);
    for (size_t i = 0; i < found.n; i++) {
        const struct cache_reading *r = &found.v[i];
        bool used = query_filters_imply(q, &r->q)     ? cuts(r, &left)
                    : query_filters_imply(&in, &r->q) ? cuts(r, &left_in)
                                                      : cuts(r, &left_out);
        if (!used)
            continue;
        if (ret->readings < CACHE_READINGS_SHOWN)
            ret->reading[ret->readings] = *r;
        ret->readings++;
        ret->fetched_at = r->fetched_at;
    }
    free(found.v);
    if (ret->beyond) /* what cannot be asked is not missing */
        ret->known = ret->held =
            rc == 0 &&
            (ivset_is_empty(&left) || (ivset_is_empty(&left_in) && ivset_is_empty(&left_out)));
    return rc;
}

/* --- what it would cost --- */

/* As wants.c would ask for it: a wider reading that is just old is refreshed instead. */
static struct query asked_for(struct cache *c, const struct query *q, struct range interval)
{
    pthread_mutex_lock(&c->cover_lock);
    const struct span *wider = cover_recent(&c->cover, q, interval, cache_now(c), REFRESH_S);
    struct query filters = wider ? wider->q : *q;
    pthread_mutex_unlock(&c->cover_lock);
    struct query asked = c->source->ops->narrowest(c->source, &filters);
    asked.num[AXIS_END_TIME] = interval;
    return asked;
}

/*
 * What was read whole before is whole again with one page, if no more calls are new than that has.
 * Of what was not, nobody knows how many calls there are.
 */
static int64_t cost_of(struct cache *c, const struct query *asked, bool *sure)
{
    struct mark mark = {0};
    pthread_mutex_lock(&c->cover_lock);
    bool strays = c->strays_shown;
    pthread_mutex_unlock(&c->cover_lock);
    *sure = *sure && cache_held(c, asked) && !strays;
    if (!strays || cache_mark(c, asked, &mark) < 0 || mark.calls < API_PAGE_LIMIT)
        return 1;
    return (mark.calls + API_PAGE_LIMIT - 1) / API_PAGE_LIMIT;
}

/* What the API no longer serves is asked of the shared tier alone. */
static void cut_archived(struct cache *c, struct ivset *missing, struct cache_explained *ret)
{
    int64_t served_from = cache_served_from(c);
    for (size_t i = 0; i < missing->n; i++)
        ret->archived = ret->archived || missing->v[i].lo < served_from;
    ivset_cut(missing, (struct range){INT64_MIN, served_from});
}

static bool is_shared(struct cache *c)
{
    struct tier_stats s;
    return cache_tier(c, &s) && (s.state == TIER_TOGETHER || s.state == TIER_READING);
}

static void add_up(struct cache *c, const struct query *q, struct ivset *missing, int64_t *requests,
                   struct cache_explained *ret)
{
    cut_archived(c, missing, ret);
    ivset_bridge(missing, BRIDGE_S);
    for (size_t i = 0; i < missing->n; i++) {
        struct query asked = asked_for(c, q, missing->v[i]);
        *requests += cost_of(c, &asked, &ret->sure);
        if (!ret->asks)
            ret->asked = asked;
        ret->asks = true;
    }
}

static void explain_costs(struct cache *c, const struct query *q, struct cache_explained *ret)
{
    CLEANUP_IVSET struct ivset missing = {0}, all = {0};
    struct query askable;
    ret->sure = true;
    cache_missing(c, c->rule, UINT64_MAX, q, &missing);
    add_up(c, q, &missing, &ret->requests, ret);
    if (!cache_askable(c, q, &askable))
        return;
    ivset_add(&all, askable.num[AXIS_END_TIME]);
    add_up(c, q, &all, &ret->reread, ret);
}

static int explain_window(struct cache *c, const struct query *q, struct cache_explained *ret)
{
    struct mark mark;
    ret->known = cache_known(c, q);
    ret->held = cache_held(c, q);
    ret->beyond = cache_beyond(c, q);
    ret->shared = is_shared(c);
    int rc = cache_mark(c, q, &mark);
    if (rc == 0)
        rc = find_readings(c, q, ret);
    if (rc < 0)
        return rc;
    ret->calls = mark.calls;
    explain_costs(c, q, ret);
    if (ret->known && ret->requests == 0) {
        int64_t more = cache_known_for(c, q, FOR_EVER_S);
        ret->expires_at = more == FOR_EVER_S ? INT64_MAX : cache_now(c) + more;
    }
    return 0;
}

/* A call that is held is in the second it ended in; else it is asked for by its name, where it can
 * be, and if it is there its row is read too. */
static int explain_call(struct cache *c, const struct query *q, const char *uuid,
                        struct cache_explained *ret)
{
    struct entry e;
    struct query second = *q;
    bool matches;
    int rc = cache_find(c, q, uuid, &e, &matches);
    if (rc == -ENOENT)
        rc = explain_window(c, q, ret);
    else if (rc == 0) {
        query_meet_range(&second, AXIS_END_TIME, (struct range){e.end_time, e.end_time + 1});
        rc = explain_window(c, &second, ret);
        ret->known = ret->held = true;
        ret->calls = matches;
        ret->requests = 0;
        ret->expires_at = INT64_MAX;
        return rc;
    }
    ret->calls = 0;
    ret->sure = ret->known || ret->beyond;
    ret->requests = ret->reread = ret->sure ? 0 : 1;
    return rc;
}

int cache_explain(struct cache *c, const struct query *q, const char *uuid,
                  struct cache_explained *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (q->none) {
        ret->known = ret->held = ret->sure = true;
        ret->expires_at = INT64_MAX;
        return 0;
    }
    return *uuid ? explain_call(c, q, uuid, ret) : explain_window(c, q, ret);
}
