// SPDX-License-Identifier: MIT
#include "cache/cache.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "api/dialect.h"
#include "api/utc.h"
#include "cache/keeper.h"
#include "cache/pg.h"

void cache_post(struct cache *c, struct post *p)
{
    p->next = NULL;
    pthread_mutex_lock(&c->lock);
    *c->posts_end = p;
    c->posts_end = &p->next;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

/* With the lock held: waits for a message, at most timeout_ms (-1: for ever). */
static void wait_for_post(struct cache *c, int64_t timeout_ms)
{
    if (timeout_ms < 0)
        pthread_cond_wait(&c->wake, &c->lock);
    else
        clock_wait(&c->wake, &c->lock, timeout_ms);
}

/* Takes all messages there are, as a list; waits when there are none. False: the end. */
static bool next_posts(struct cache *c, int64_t timeout_ms, struct post **ret)
{
    pthread_mutex_lock(&c->lock);
    if (!c->posts && !c->stop)
        wait_for_post(c, timeout_ms);
    *ret = c->posts;
    c->posts = NULL;
    c->posts_end = &c->posts;
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return !stop;
}

static void take_posts(struct cache *c, struct post *list)
{
    while (list) {
        struct post *p = list;
        list = p->next;
        keeper_take(c, p);
    }
}

static void *run(void *arg)
{
    struct cache *c = arg;
    struct post *list;
    while (next_posts(c, keeper_timeout(c), &list)) {
        take_posts(c, list);
        keeper_settle(c);
    }
    take_posts(c, list);
    keeper_settle(c);
    keeper_end_wants(c, -ENOTCONN);
    return NULL;
}

/* --- beginning and end --- */

static int add_span(void *arg, const struct span *span)
{
    struct cache *c = arg;
    return cover_add(&c->cover, span);
}

/* What a mount begins with. */
static int read_store(struct cache *c, char *error, size_t cap)
{
    int64_t oldest_first = 0, strays = 0;
    struct failure f;
    int rc = store_spans(c->store, add_span, c);
    if (rc == 0)
        rc = store_fact(c->store, FACT_OLDEST_FIRST, &oldest_first);
    if (rc == 0)
        rc = store_fact(c->store, FACT_STRAYS, &strays);
    c->oldest_first = oldest_first != 0;
    c->strays = c->strays_shown = strays != 0;
    if (rc < 0 && store_tell_trouble(c->store, true, &f))
        snprintf(error, cap, "%s (%s)", f.detail, failure_remedy(&f));
    return rc;
}

static void init(struct cache *c, const struct cache_opts *o)
{
    c->opts = *o;
    c->source = o->source;
    c->rule = (struct cover_rule){.ttl = o->ttl_s, .settle = o->settle_s};
    c->posts_end = &c->posts;
    atomic_init(&c->tick, 1);
    atomic_init(&c->last_seq, 1); /* the first fetch is 2: 0 is no moment, and 1 is before it */
    atomic_init(&c->settled_seq, 1);
    clock_init(&c->clock);
    if (o->date)
        clock_learn(&c->clock, o->date);
    ready_init(&c->ready);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->cover_lock, NULL);
    clock_cond_init(&c->wake);
}

static void on_news(void *arg, struct tier_news *n)
{
    struct cache *c = arg;
    struct post *p = calloc(1, sizeof(*p));
    while (!p) { /* it must not be lost */
        sched_yield();
        p = calloc(1, sizeof(*p));
    }
    p->kind = POST_TIER;
    p->news = n;
    cache_post(c, p);
}

static int64_t tier_now(void *arg)
{
    return cache_now(arg);
}

static int64_t tier_served_from(void *arg)
{
    return cache_served_from(arg);
}

static void on_tier_report(void *arg, const struct failure *f)
{
    struct cache *c = arg;
    if (c->opts.report)
        c->opts.report(c->opts.report_arg, &QUERY_ALL, "", f);
}

/* A store that cannot be written could keep nothing of it. */
static int join_tier(struct cache *c, char *error, size_t cap)
{
    struct tier_opts o = {.conninfo = c->opts.shared,
                          .account = c->opts.account,
                          .rate = c->opts.rate,
                          .ttl_s = c->rule.ttl,
                          .settle_s = c->rule.settle,
                          .store = c->store,
                          .now = tier_now,
                          .served_from = tier_served_from,
                          .tell = on_news,
                          .report = on_tier_report,
                          .arg = c};
    struct tier *tier;
    if (!c->opts.shared || store_is_frozen(c->store))
        return 0;
    int rc = tier_create(&o, &tier);
    if (rc < 0) {
        snprintf(error, cap, "the threads of the shared tier cannot be started: %s; see ulimit -u",
                 strerror(-rc));
        return rc;
    }
    c->tier = tier;
    if (c->source->ops->share_rate)
        c->source->ops->share_rate(c->source, tier_may_send, tier);
    return 0;
}

int cache_create(const struct cache_opts *o, struct cache **ret, char *error, size_t cap)
{
    struct cache *c = calloc(1, sizeof(*c));
    if (!c) {
        o->source->ops->destroy(o->source);
        return -ENOMEM;
    }
    init(c, o);
    *ret = c; /* before there are threads, which may have something to report */
    int rc = store_open(o->path, &c->store, error, cap);
    if (rc == 0)
        rc = read_store(c, error, cap);
    if (rc == 0)
        rc = join_tier(c, error, cap);
    if (rc == 0 && pthread_create(&c->thread, NULL, run, c) != 0)
        rc = -EAGAIN;
    c->started = rc == 0;
    if (rc < 0) {
        cache_destroy(c);
        *ret = NULL;
    }
    return rc;
}

void cache_stop(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    if (c->started)
        pthread_join(c->thread, NULL);
    c->started = false;
}

void cache_destroy(struct cache *c)
{
    if (!c)
        return;
    cache_stop(c);
    if (c->tier && c->source->ops->share_rate)
        c->source->ops->share_rate(c->source, NULL, NULL);
    if (c->tier)
        tier_stop(c->tier);
    c->ended = true;
    c->source->ops->destroy(c->source); /* every page still out comes back as a failure */
    take_posts(c, c->posts);
    keeper_end_wants(c, -ENOTCONN);
    keeper_free_fetches(c);
    tier_destroy(c->tier);
    store_close(c->store);
    cover_release(&c->cover);
    ivset_release(&c->archive);
    ready_release(&c->ready);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->cover_lock);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int64_t cache_now(struct cache *c)
{
    return clock_now(&c->clock);
}

int64_t cache_served_from(struct cache *c)
{
    return utc_midnight(cache_now(c)) - (int64_t)(API_DAYS - 1) * UTC_DAY;
}

const char *cache_warning(struct cache *c)
{
    return store_warning(c->store);
}

int64_t cache_created(struct cache *c)
{
    return store_created(c->store);
}

uint64_t cache_tick(struct cache *c)
{
    return atomic_load(&c->tick);
}

uint64_t cache_changes(struct cache *c)
{
    return atomic_load(&c->changes);
}

bool cache_selective(struct cache *c, const struct query *q)
{
    struct query asked = c->source->ops->narrowest(c->source, q);
    bool picks = !range_is_all(asked.num[AXIS_HANGUP_CAUSE]);
    for (int i = 0; i < TEXT_AXES; i++)
        picks = picks || *asked.text[i];
    return picks;
}

bool cache_askable(struct cache *c, const struct query *q, struct query *ret)
{
    *ret = *q;
    query_meet_range(ret, AXIS_END_TIME, (struct range){cache_served_from(c), cache_now(c) + 1});
    return !ret->none;
}

static void remainder_of(struct cache *c, struct cover_rule rule, struct cover_when when,
                         const struct query *q, struct ivset *out)
{
    pthread_mutex_lock(&c->cover_lock);
    cover_remainder(&c->cover, rule, when, q, out);
    pthread_mutex_unlock(&c->cover_lock);
}

/* What of q only the shared tier has any more. */
static void find_archived(struct cache *c, const struct query *q, struct ivset *out)
{
    struct query old = *q;
    query_meet_range(&old, AXIS_END_TIME, (struct range){INT64_MIN, cache_served_from(c)});
    if (!c->tier || old.none)
        return;
    CLEANUP_IVSET struct ivset asked = {0};
    ivset_add(&asked, old.num[AXIS_END_TIME]);
    pthread_mutex_lock(&c->cover_lock);
    ivset_add_common(out, &asked, &c->archive);
    pthread_mutex_unlock(&c->cover_lock);
}

bool cache_archived(struct cache *c, int64_t midnight)
{
    CLEANUP_IVSET struct ivset archived = {0};
    struct query day = QUERY_ALL;
    query_meet_range(&day, AXIS_END_TIME, (struct range){midnight, midnight + UTC_DAY});
    find_archived(c, &day, &archived);
    return archived.n > 0;
}

static void missing(struct cache *c, struct cover_rule rule, struct cover_when when,
                    const struct query *q, struct ivset *out)
{
    struct query askable;
    CLEANUP_IVSET struct ivset archived = {0};
    if (cache_askable(c, q, &askable))
        remainder_of(c, rule, when, &askable, out);
    find_archived(c, q, &archived);
    for (size_t i = 0; i < archived.n; i++) {
        struct query part = *q;
        part.num[AXIS_END_TIME] = archived.v[i];
        remainder_of(c, rule, when, &part, out);
    }
}

void cache_missing(struct cache *c, struct cover_rule rule, uint64_t after_seq,
                   const struct query *q, struct ivset *out)
{
    missing(c, rule, (struct cover_when){.now = cache_now(c), .after_seq = after_seq}, q, out);
}

void cache_missing_later(struct cache *c, uint64_t after_seq, const struct query *q,
                         struct ivset *out)
{
    struct cover_when when = {.now = cache_now(c), .after_seq = after_seq, .only_later = true};
    remainder_of(c, c->rule, when, q, out);
}

void cache_missing_read(struct cache *c, const struct query *q, struct ivset *out)
{
    struct cover_rule to_the_moment = {.ttl = 0, .settle = 0};
    struct cover_when when = {.now = cache_now(c), .after_seq = UINT64_MAX, .undoubting = true};
    missing(c, to_the_moment, when, q, out);
}

void cache_missing_ever(struct cache *c, int64_t ttl, const struct query *q, struct ivset *out)
{
    struct cover_rule rule = {.ttl = ttl, .settle = c->rule.settle};
    struct cover_when when = {.now = cache_now(c), .after_seq = UINT64_MAX, .undoubting = true};
    missing(c, rule, when, q, out);
}

struct cache_health cache_health(struct cache *c)
{
    pthread_mutex_lock(&c->cover_lock);
    struct cache_health health = c->health;
    pthread_mutex_unlock(&c->cover_lock);
    store_trouble(c->store, false, &health.store);
    if (!health.store.err)
        store_trouble(c->store, true, &health.store);
    return health;
}

void cache_asked(struct cache *c, bool held)
{
    atomic_fetch_add_explicit(held ? &c->hits : &c->misses, 1, memory_order_relaxed);
}

void cache_stats(struct cache *c, struct cache_stats *ret)
{
    int64_t now = cache_now(c);
    *ret = (struct cache_stats){.hits = atomic_load(&c->hits), .misses = atomic_load(&c->misses)};
    pthread_mutex_lock(&c->cover_lock);
    for (size_t i = 0; i < c->cover.n; i++)
        ret->readings[cover_state(&c->cover, &c->cover.v[i], c->rule, now)]++;
    ret->walks = c->walks_shown;
    memcpy(ret->walk, c->walk_shown, sizeof(ret->walk));
    pthread_mutex_unlock(&c->cover_lock);
}

void cache_refresh(struct cache *c, const struct query *q)
{
    struct doubt d = {.q = *q, .seq = atomic_load(&c->last_seq), .at = cache_now(c)};
    pthread_mutex_lock(&c->cover_lock);
    cover_doubt(&c->cover, &d);
    pthread_mutex_unlock(&c->cover_lock);
}

uint64_t cache_since(struct cache *c)
{
    return atomic_load(&c->settled_seq);
}

int64_t cache_deadline(struct cache *c)
{
    return clock_ms() + c->opts.deadline_ms;
}

bool cache_known_since(struct cache *c, const struct query *q, uint64_t since)
{
    CLEANUP_IVSET struct ivset gaps = {0};
    cache_missing(c, c->rule, since, q, &gaps);
    return ivset_is_empty(&gaps);
}

bool cache_known(struct cache *c, const struct query *q)
{
    return cache_known_since(c, q, UINT64_MAX);
}

static bool known_in(struct cache *c, const struct query *q, int64_t seconds)
{
    CLEANUP_IVSET struct ivset gaps = {0};
    struct cover_when then = {.now = cache_now(c) + seconds, .after_seq = UINT64_MAX};
    missing(c, c->rule, then, q, &gaps);
    return ivset_is_empty(&gaps);
}

int64_t cache_known_for(struct cache *c, const struct query *q, int64_t most)
{
    int64_t lo = 0, hi = most;
    while (lo < hi) {
        int64_t middle = (lo + hi + 1) / 2;
        if (known_in(c, q, middle))
            lo = middle;
        else
            hi = middle - 1;
    }
    return lo;
}

bool cache_held(struct cache *c, const struct query *q)
{
    CLEANUP_IVSET struct ivset gaps = {0};
    cache_missing_ever(c, INT64_MAX, q, &gaps);
    return ivset_is_empty(&gaps);
}

bool cache_much_missing(struct cache *c, const struct query *q)
{
    CLEANUP_IVSET struct ivset gaps = {0};
    int64_t sum = 0;
    cache_missing(c, c->rule, UINT64_MAX, q, &gaps);
    for (size_t i = 0; i < gaps.n; i++)
        sum += gaps.v[i].hi - gaps.v[i].lo;
    return sum > UTC_DAY;
}

bool cache_beyond(struct cache *c, const struct query *q)
{
    CLEANUP_IVSET struct ivset archived = {0};
    if (q->num[AXIS_END_TIME].hi > cache_served_from(c))
        return false;
    find_archived(c, q, &archived);
    return archived.n == 0;
}

int cache_told(struct cache *c, int rc)
{
    struct failure f;
    if (rc < 0 && rc != -ENOENT && store_tell_trouble(c->store, false, &f) && c->opts.report)
        c->opts.report(c->opts.report_arg, &QUERY_ALL, "", &f);
    return rc;
}

int cache_find(struct cache *c, const struct query *q, const char *uuid, struct entry *ret,
               bool *matches)
{
    return cache_told(c, store_find(c->store, q, uuid, ret, matches));
}

int cache_entry(struct cache *c, int64_t id, struct entry *ret)
{
    return cache_told(c, store_entry(c->store, id, ret));
}

int cache_body(struct cache *c, int64_t id, char **ret, size_t *ret_size)
{
    return cache_told(c, store_body(c->store, id, ret, ret_size));
}

int cache_newest(struct cache *c, const struct query *q, int64_t *ret)
{
    return cache_told(c, store_newest(c->store, q, ret));
}

int cache_oldest(struct cache *c, int64_t *ret)
{
    return cache_told(c, store_oldest(c->store, ret));
}

/* INT64_MAX: there is none. */
static int64_t next_archived_day(struct cache *c, int64_t after)
{
    int64_t first = after < INT64_MIN + 2 * UTC_DAY ? after : utc_midnight(after) + UTC_DAY;
    int64_t day = INT64_MAX;
    pthread_mutex_lock(&c->cover_lock);
    for (size_t i = 0; i < c->archive.n && day == INT64_MAX; i++) {
        struct range r = c->archive.v[i];
        if (r.hi > first)
            day = r.lo > first ? utc_midnight(r.lo) : first;
    }
    pthread_mutex_unlock(&c->cover_lock);
    return day;
}

int cache_next_day(struct cache *c, int64_t after, int64_t *ret)
{
    int64_t archived = next_archived_day(c, after);
    int rc = cache_told(c, store_next_day(c->store, after, ret));
    if (archived == INT64_MAX || (rc < 0 && rc != -ENOENT))
        return rc;
    if (rc == -ENOENT || archived < *ret)
        *ret = archived;
    return 0;
}

bool cache_may_share(const char *conninfo)
{
    return pg_may_use(conninfo);
}

int cache_unshared(struct cache *c, int64_t *ret)
{
    return store_unshared_count(c->store, ret);
}

bool cache_tier(struct cache *c, struct tier_stats *ret)
{
    if (c->tier)
        tier_stats(c->tier, ret);
    return c->tier;
}

int cache_seen(struct cache *c, int axis, int (*fn)(void *arg, const char *value), void *arg)
{
    return cache_told(c, store_seen(c->store, axis, fn, arg));
}

int cache_bodies(struct cache *c, const struct query *q, int (*fn)(void *arg, struct slice body),
                 void *arg)
{
    return cache_told(c, store_bodies(c->store, q, fn, arg));
}

int cache_bodies_after(struct cache *c, const struct query *q, int64_t after, int64_t last,
                       int most, store_body_fn *fn, void *arg)
{
    return cache_told(c, store_bodies_after(c->store, q, after, last, most, fn, arg));
}

bool cache_holds(struct cache *c, const struct query *q, int64_t id)
{
    return store_holds(c->store, q, id);
}

int cache_mark(struct cache *c, const struct query *q, struct mark *ret)
{
    return cache_told(c, store_mark(c->store, q, ret));
}

int cache_totals(struct cache *c, int64_t *ret_calls, int64_t *ret_bytes)
{
    return cache_told(c, store_totals(c->store, ret_calls, ret_bytes));
}

int cache_want(struct cache *c, const struct want *w)
{
    struct post *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->kind = POST_WANT;
    p->want = *w;
    cache_post(c, p);
    return 0;
}

void cache_cancel(struct cache *c, uint64_t id)
{
    struct post *p = calloc(1, sizeof(*p));
    if (!p)
        return; /* it will be answered all the same, later */
    p->kind = POST_CANCEL;
    p->want.id = id;
    cache_post(c, p);
}
