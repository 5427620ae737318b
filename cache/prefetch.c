// SPDX-License-Identifier: MIT
/*
 * Reading ahead by wish. Each wish is a want after another, from the oldest piece on; pieces grow
 * as those of a walk through the dates do (ahead.h), so that small days cost no request of their
 * own and who comes to read one of them does not wait for all.
 */
#include <errno.h>
#include <string.h>

#include "api/utc.h"
#include "cache/keeper.h"

/* Numbers of wants: the filesystem's count from 1. */
#define PREFETCH_WANT ((uint64_t)1 << 63)

/* One that is running: its place is not given to another. */
static struct prefetching *find(struct cache *c, uint64_t number)
{
    struct prefetching *found = NULL;
    pthread_mutex_lock(&c->cover_lock);
    for (int i = 0; i < PREFETCH_MAX; i++)
        if (c->prefetches[i].shown.number == number)
            found = &c->prefetches[i];
    pthread_mutex_unlock(&c->cover_lock);
    return found;
}

static bool is_running(const struct prefetching *p)
{
    return p->shown.number && p->shown.state == PREFETCH_RUNNING;
}

static void end(struct cache *c, struct prefetching *p, int err)
{
    pthread_mutex_lock(&c->cover_lock);
    p->shown.err = err;
    p->shown.state = err ? PREFETCH_FAILED : PREFETCH_DONE;
    p->shown.ended_ms = clock_ms();
    pthread_mutex_unlock(&c->cover_lock);
}

static int post(struct cache *c, uint64_t number)
{
    struct post *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->kind = POST_PREFETCH;
    p->want.id = number;
    cache_post(c, p);
    return 0;
}

/* Told while wants are gone through: the next one is taken with the next messages. */
static void on_piece(uint64_t id, int err, bool whole, void *arg)
{
    struct cache *c = arg;
    struct prefetching *p = find(c, id & ~PREFETCH_WANT);
    (void)whole;
    if (!err)
        err = post(c, p->shown.number);
    if (err)
        end(c, p, err);
}

static struct query piece_of(const struct prefetching *p)
{
    struct query q = p->q;
    q.num[AXIS_END_TIME] = p->shown.piece;
    return q;
}

/* Pages may have brought calls twice, and calls may have been held before. */
static int count_piece(struct cache *c, struct prefetching *p)
{
    struct query q = piece_of(p);
    int64_t calls = 0;
    int rc = store_count_now(c->store, &q, &calls);
    pthread_mutex_lock(&c->cover_lock);
    p->shown.calls += calls - p->shown.piece_calls;
    pthread_mutex_unlock(&c->cover_lock);
    p->run.seen.hi = p->shown.piece.hi;
    return rc;
}

static void begin_piece(struct cache *c, struct prefetching *p, struct range piece)
{
    pthread_mutex_lock(&c->cover_lock);
    p->shown.piece = piece;
    p->shown.piece_calls = 0;
    p->shown.piece_total = -1;
    pthread_mutex_unlock(&c->cover_lock);
    struct want w = {.id = PREFETCH_WANT | p->shown.number,
                     .q = piece_of(p),
                     .ahead = true,
                     .done = on_piece,
                     .arg = c};
    wants_take(c, &w);
}

void prefetch_go_on(struct cache *c, uint64_t number)
{
    struct prefetching *p = find(c, number);
    struct range piece;
    int rc = p->run.seen.hi < p->shown.piece.hi ? count_piece(c, p) : 0;
    if (rc == 0 && !p->q.none && ahead_next(&p->run, p->shown.all, p->shown.calls, &piece))
        begin_piece(c, p, piece);
    else
        end(c, p, rc);
}

void prefetches_note_page(struct cache *c, const struct fetch *f, const struct page *page,
                          bool asked)
{
    if (!page)
        return;
    pthread_mutex_lock(&c->cover_lock);
    for (int i = 0; i < PREFETCH_MAX; i++) {
        struct prefetching *p = &c->prefetches[i];
        struct query q = is_running(p) ? piece_of(p) : QUERY_ALL;
        if (!is_running(p) || !fetch_serves(f, &q))
            continue;
        p->shown.requests += asked;
        p->shown.calls += page->ncalls;
        p->shown.piece_calls += page->ncalls;
        if (asked)
            p->shown.piece_total = page->total;
    }
    pthread_mutex_unlock(&c->cover_lock);
}

/* A free place, else that of the one that ended first; NULL: all are under way. */
static struct prefetching *place(struct cache *c)
{
    struct prefetching *best = NULL;
    for (int i = 0; i < PREFETCH_MAX; i++) {
        struct prefetching *p = &c->prefetches[i];
        if (!is_running(p) && (!best || p->shown.number < best->shown.number))
            best = p;
    }
    return best;
}

static bool is_under_way(struct cache *c, const char *name)
{
    for (int i = 0; i < PREFETCH_MAX; i++)
        if (is_running(&c->prefetches[i]) && strcmp(c->prefetches[i].shown.name, name) == 0)
            return true;
    return false;
}

static void init(struct prefetching *p, uint64_t number, const char *name, const struct query *q,
                 struct range all)
{
    *p = (struct prefetching){.shown = {.number = number,
                                        .all = all,
                                        .piece = {all.lo, all.lo},
                                        .piece_total = -1,
                                        .began_ms = clock_ms()},
                              .q = *q,
                              .run = {.seen = {all.lo, all.lo},
                                      .window = UTC_DAY,
                                      .way = 1,
                                      .entry = all.lo,
                                      .edge = all.lo,
                                      .step = UTC_DAY}};
    str_copy(p->shown.name, sizeof(p->shown.name), name, strlen(name));
}

int cache_prefetch(struct cache *c, const char *name, const struct query *q)
{
    struct query askable;
    uint64_t number = 0;
    int rc = 0;
    if (!cache_askable(c, q, &askable) && !q->none)
        return -ENODATA;
    pthread_mutex_lock(&c->cover_lock);
    bool joined = is_under_way(c, name);
    struct prefetching *p = joined ? NULL : place(c);
    if (p) {
        number = ++c->last_prefetch;
        init(p, number, name, q, askable.num[AXIS_END_TIME]);
    }
    pthread_mutex_unlock(&c->cover_lock);
    if (p && (rc = post(c, number)) < 0)
        end(c, p, rc);
    return joined ? 0 : p ? rc : -EBUSY;
}

int cache_prefetches(struct cache *c, struct prefetch ret[PREFETCH_MAX])
{
    int n = 0;
    pthread_mutex_lock(&c->cover_lock);
    for (int i = 0; i < PREFETCH_MAX; i++) {
        const struct prefetch *p = &c->prefetches[i].shown;
        int at = n;
        if (!p->number)
            continue;
        for (; at > 0 && ret[at - 1].number > p->number; at--)
            ret[at] = ret[at - 1];
        ret[at] = *p;
        n++;
    }
    pthread_mutex_unlock(&c->cover_lock);
    return n;
}
