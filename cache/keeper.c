// SPDX-License-Identifier: MIT
#include "cache/keeper.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "api/utc.h"

void keeper_on_answer(void *arg, const struct failure *failure, struct page *page)
{
    struct post *p = arg;
    p->failure = *failure;
    p->page = page;
    cache_post(p->cache, p);
}

static void take_visit(struct cache *c)
{
    struct post *p = c->visit;
    c->visit = NULL;
    if (p)
        keeper_take_visit(c, &p->want.q);
    free(p);
}

void keeper_take(struct cache *c, struct post *p)
{
    switch (p->kind) {
    case POST_WANT:
        wants_take(c, &p->want);
        break;
    case POST_CANCEL:
        wants_cancel(c, p->want.id);
        break;
    case POST_PAGE:
        fetch_take_page(c, p);
        break;
    case POST_CALL:
        wants_take_call(c, p);
        break;
    case POST_TIER:
        fetch_take_news(c, p->news);
        break;
    case POST_PREFETCH:
        prefetch_go_on(c, p->want.id);
        break;
    case POST_VISIT: /* what its visitor waits for goes first */
        take_visit(c);
        c->visit = p;
        return;
    }
    free(p);
}

#define PURGE_MOST 500     /* calls at once */
#define PURGE_PAUSE_MS 100 /* while there are more */
#define PURGE_EVERY_MS 3600000

/* keep_days: a few old calls at a time, so that nobody waits for it. */
static void purge(struct cache *c, int64_t now_ms)
{
    int dropped = 0;
    if (!c->opts.keep_days || now_ms < c->purge_ms)
        return;
    int64_t before = utc_midnight(cache_now(c)) - c->opts.keep_days * UTC_DAY;
    int rc = store_begin(c->store);
    if (rc == 0)
        rc = store_purge(c->store, before, PURGE_MOST, &dropped);
    if (rc == 0)
        rc = store_commit(c->store);
    if (rc < 0)
        store_rollback(c->store);
    if (rc == 0 && dropped)
        atomic_fetch_add(&c->changes, 1);
    c->purge_ms = now_ms + (dropped == PURGE_MOST ? PURGE_PAUSE_MS : PURGE_EVERY_MS);
}

#define JOIN_AGAIN_MS 10000 /* after a failure */

/* The store belongs to that shared tier from now on; what it has for it is published. */
static void join(struct cache *c, int64_t now_ms)
{
    if (!c->joining || now_ms < c->join_ms)
        return;
    int rc = store_begin(c->store);
    if (rc == 0)
        rc = store_join(c->store, c->joining);
    if (rc == 0)
        rc = store_commit(c->store);
    if (rc < 0) {
        store_rollback(c->store);
        c->join_ms = now_ms + JOIN_AGAIN_MS;
        return;
    }
    c->joining = 0;
    tier_publish(c->tier);
}

#define PACK_MANY 200        /* bodies at once */
#define PACK_PAUSE_MS 20     /* while there are more, and nothing is fetched */
#define PACK_AGAIN_MS 600000 /* after a failure */

/* A dictionary is made as soon as there are calls for one, so that the next ones are packed; what
 * was kept before it is packed when there is nothing else to do. */
static void pack(struct cache *c, int64_t now_ms)
{
    bool more = false, idle = !c->fetches && now_ms >= c->pack_ms;
    if (now_ms < c->pack_ms || !store_wants_pack(c->store, idle))
        return;
    int rc = store_pack(c->store, PACK_MANY, &more);
    c->pack_ms = rc < 0 ? now_ms + PACK_AGAIN_MS : more ? now_ms + PACK_PAUSE_MS : 0;
    c->packing = more;
}

/* A store that is full is told once, and not for every walk. */
static void describe_write_error(struct cache *c)
{
    store_tell_trouble(c->store, true, &c->write_failure);
    if (!c->write_failure.err)
        failure_set(&c->write_failure, -EIO, 0, "what came cannot be kept: %s",
                    strerror(-c->write_error));
}

static void commit(struct cache *c)
{
    if (c->writing && !c->write_error)
        c->write_error = store_commit(c->store);
    if (c->write_error)
        describe_write_error(c);
    if (c->writing && c->write_error)
        store_rollback(c->store);
    if (c->changing && !c->write_error)
        atomic_fetch_add(&c->changes, 1);
    for (int i = 0; i < c->namended && !c->write_error && c->opts.amended; i++)
        c->opts.amended(c->opts.amended_arg, c->amended[i]);
    c->namended = 0;
    c->writing = c->changing = false;
}

static void note_settled(struct cache *c)
{
    uint64_t settled = c->last_seq;
    struct fetch *f;
    DL_FOREACH (c->fetches, f)
        if (!f->over && f->seq <= settled)
            settled = f->seq - 1;
    atomic_store(&c->settled_seq, settled);
}

/* What others may see of the walks under way. */
static void show_walks(struct cache *c)
{
    struct fetch *f;
    pthread_mutex_lock(&c->cover_lock);
    c->strays_shown = c->strays;
    c->walks_shown = 0;
    DL_FOREACH (c->fetches, f) {
        if (!f->over && c->walks_shown < CACHE_WALKS_SHOWN)
            c->walk_shown[c->walks_shown] =
                (struct cache_walk){.q = f->q,
                                    .total = f->walk.total,
                                    .rows = (int64_t)f->walk.nrows,
                                    .ahead = atomic_load(&f->urgency.ahead)};
        c->walks_shown += !f->over;
    }
    pthread_mutex_unlock(&c->cover_lock);
}

void keeper_settle(struct cache *c)
{
    uint64_t tick = atomic_load(&c->tick) + 1;
    int64_t now_ms = clock_ms();
    struct fetch *f, *fnext;
    struct waiting *w, *wnext;
    commit(c);
    atomic_store(&c->tick, tick);
    DL_FOREACH (c->fetches, f)
        fetch_conclude(c, f, tick);
    c->write_error = 0;
    purge(c, now_ms);
    join(c, now_ms);
    pack(c, now_ms);
    note_settled(c); /* before anybody is told, and asks again */
    DL_FOREACH_SAFE (c->waitings, w, wnext)
        wants_attend(c, w, now_ms);
    take_visit(c);
    DL_FOREACH_SAFE (c->fetches, f, fnext)
        fetch_go_on(c, f, now_ms);
    show_walks(c);
}

int64_t keeper_timeout(struct cache *c)
{
    int64_t first = c->opts.keep_days ? c->purge_ms : INT64_MAX, now_ms = clock_ms();
    if (c->packing && !c->fetches && c->pack_ms < first)
        first = c->pack_ms;
    struct waiting *w;
    DL_FOREACH (c->waitings, w)
        if (w->deadline_ms < first)
            first = w->deadline_ms;
    return first == INT64_MAX ? -1 : first > now_ms ? first - now_ms : 0;
}
