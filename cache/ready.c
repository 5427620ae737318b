// SPDX-License-Identifier: MIT
#include "cache/ready.h"

#include <stdlib.h>

#include "api/utc.h"

void rows_release(struct rows *r)
{
    free(r->v);
    *r = (struct rows){0};
}

void ready_init(struct ready *r)
{
    pthread_mutex_init(&r->lock, NULL);
}

void ready_release(struct ready *r)
{
    for (int i = 0; i < READY_PLACES; i++)
        rows_release(&r->places[i].rows);
    pthread_mutex_destroy(&r->lock);
}

static bool same(const struct query *a, const struct query *b)
{
    return query_implies(a, b) && query_implies(b, a);
}

/* --- rows --- */

static struct ready_place *find_locked(struct ready *r, const struct query *q, int64_t after)
{
    for (int i = 0; i < READY_PLACES; i++) {
        struct ready_place *p = &r->places[i];
        if (p->used && p->after == after && same(&p->q, q))
            return p;
    }
    return NULL;
}

static struct ready_place *oldest_locked(struct ready *r)
{
    struct ready_place *oldest = &r->places[0];
    for (int i = 1; i < READY_PLACES; i++)
        if (r->places[i].used < oldest->used)
            oldest = &r->places[i];
    return oldest;
}

void ready_put(struct ready *r, const struct query *q, int64_t after, uint64_t changes,
               struct rows *rows)
{
    pthread_mutex_lock(&r->lock);
    struct ready_place *p = find_locked(r, q, after);
    if (!p)
        p = oldest_locked(r);
    struct rows before = p->rows;
    *p = (struct ready_place){
        .q = *q, .after = after, .changes = changes, .rows = *rows, .used = ++r->uses};
    pthread_mutex_unlock(&r->lock);
    rows_release(&before);
    *rows = (struct rows){0};
}

bool ready_take(struct ready *r, const struct query *q, int64_t after, uint64_t changes,
                struct rows *ret)
{
    struct rows rows = {0};
    bool good = false;
    pthread_mutex_lock(&r->lock);
    struct ready_place *p = find_locked(r, q, after);
    if (p) {
        good = p->changes == changes;
        rows = p->rows;
        *p = (struct ready_place){0};
    }
    pthread_mutex_unlock(&r->lock);
    if (!good)
        rows_release(&rows);
    *ret = rows;
    return good;
}

bool ready_has(struct ready *r, const struct query *q, int64_t after, uint64_t changes)
{
    pthread_mutex_lock(&r->lock);
    const struct ready_place *p = find_locked(r, q, after);
    bool has = p && p->changes == changes;
    pthread_mutex_unlock(&r->lock);
    return has;
}

/* --- walks --- */

/* Whether b is another window of the same filters, not far from a. */
static bool is_near(const struct query *a, const struct query *b)
{
    struct range x = a->num[AXIS_END_TIME], y = b->num[AXIS_END_TIME];
    int64_t far = x.lo < y.lo ? y.lo - x.hi : x.lo - y.hi;
    return x.lo != y.lo && far < READY_GAP_DAYS * UTC_DAY && query_filters_imply(a, b) &&
           query_filters_imply(b, a);
}

void ready_begin(struct ready *r, const struct query *q)
{
    struct range range = q->num[AXIS_END_TIME];
    if (q->none || range.lo == INT64_MIN || range.hi - range.lo != UTC_DAY)
        return; /* hours and months are not listed, so nobody walks them */
    pthread_mutex_lock(&r->lock);
    struct ready_walk *walk = NULL, *oldest = &r->walks[0];
    for (int i = 0; i < READY_WALKS && !walk; i++) {
        struct ready_walk *w = &r->walks[i];
        if (w->used && (same(&w->at, q) || is_near(&w->at, q)))
            walk = w;
        else if (w->used < oldest->used)
            oldest = w;
    }
    if (!walk) {
        walk = oldest;
        walk->way = 0;
    } else if (walk->at.num[AXIS_END_TIME].lo != range.lo) {
        walk->way = walk->at.num[AXIS_END_TIME].lo < range.lo ? 1 : -1;
    }
    walk->at = *q;
    walk->used = ++r->uses;
    pthread_mutex_unlock(&r->lock);
}

int ready_way(struct ready *r, const struct query *q)
{
    int way = 0;
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < READY_WALKS; i++)
        if (r->walks[i].used && same(&r->walks[i].at, q))
            way = r->walks[i].way;
    pthread_mutex_unlock(&r->lock);
    return way;
}
