// SPDX-License-Identifier: MIT
#include "cache/keeper.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "api/dialect.h"

#define GRACE_MS 5000  /* a fetch goes on that long after anybody wanted it */
#define FETCHES_MAX 64 /* under way at once; wants beyond wait for a place */
#define ROUNDS_MAX 16  /* plans made for one want before it is given up */

/* --- fetches --- */

static bool serves(const struct fetch *f, const struct waiting *w)
{
    struct range a = f->q.num[AXIS_END_TIME], b = w->want.q.num[AXIS_END_TIME];
    return query_filters_imply(&w->want.q, &f->q) && a.lo < b.hi && b.lo < a.hi;
}

static void on_page(void *arg, const struct failure *failure, struct page *page)
{
    struct post *p = arg;
    p->failure = *failure;
    p->page = page;
    cache_post(p->cache, p);
}

/* The message is allocated with the request, so that an answer can always be taken. */
static void ask_page(struct cache *c, struct fetch *f, int64_t offset)
{
    struct post *p = calloc(1, sizeof(*p));
    if (!p) {
        failure_set(&f->failure, -ENOMEM, 0, "no memory for a request");
        walk_lost(&f->walk);
        return;
    }
    *p = (struct post){.kind = POST_PAGE, .cache = c, .fetch = f, .offset = offset};
    c->source->ops->fetch_page(c->source, &f->q, offset, URGENT, on_page, p);
}

static void ask_pages(struct cache *c, struct fetch *f)
{
    int64_t offset;
    while (f->walk.out < c->opts.pages_at_once && (offset = walk_next(&f->walk)) >= 0)
        ask_page(c, f, offset);
}

static void start_fetch(struct cache *c, struct waiting *w, struct range interval)
{
    struct query asked = c->source->ops->narrowest(c->source, &w->want.q);
    struct fetch *f = calloc(1, sizeof(*f));
    if (!f)
        return; /* the want stays, and is planned for again */
    asked.num[AXIS_END_TIME] = interval;
    f->q = asked;
    f->seq = ++c->last_seq;
    f->fetched_at = cache_now(c);
    f->wanted_ms = clock_ms();
    walk_init(&f->walk, API_PAGE_LIMIT);
    DL_APPEND(c->fetches, f);
    ask_pages(c, f);
}

static void free_fetch(struct cache *c, struct fetch *f)
{
    DL_DELETE(c->fetches, f);
    walk_release(&f->walk);
    free(f);
}

void keeper_free_fetches(struct cache *c)
{
    struct fetch *f, *next;
    DL_FOREACH_SAFE (c->fetches, f, next)
        free_fetch(c, f);
}

/* --- storing --- */

static void begin_writing(struct cache *c)
{
    if (c->writing || c->write_error)
        return;
    c->write_error = store_begin(c->store);
    c->writing = c->write_error == 0;
}

static int store_calls(struct cache *c, const struct page *page)
{
    enum put put;
    int rc = c->write_error;
    for (int i = 0; i < page->ncalls && rc == 0; i++)
        rc = store_put_call(c->store, &page->calls[i], cache_now(c), &put);
    return rc;
}

static int store_span(struct cache *c, struct fetch *f)
{
    f->span = (struct span){.q = f->q, .fetched_at = f->fetched_at, .seq = f->seq};
    for (size_t i = 0; i < c->cover.n; i++) { /* this thread alone changes it */
        const struct span *old = &c->cover.v[i];
        int rc = cover_superseded(old, &f->span) ? store_drop_span(c->store, old->id) : 0;
        if (rc < 0)
            return rc;
    }
    return store_put_span(c->store, &f->span);
}

static void report_bad_rows(struct cache *c, const struct fetch *f, const struct page *page)
{
    struct failure failure;
    for (int i = 0; i < page->nbad && c->opts.report; i++) {
        failure_set(&failure, -EBADMSG, 200, "row set aside: %s", page->bad[i].reason);
        c->opts.report(c->opts.report_arg, &f->q, &failure);
    }
}

static int note_rows(struct fetch *f, int64_t offset, const struct page *page, int64_t held)
{
    CLEANUP_FREE uint64_t *rows = calloc((size_t)page->rows + 1, sizeof(*rows));
    int n = 0;
    if (!rows)
        return -ENOMEM;
    for (int i = 0; i < page->ncalls; i++)
        rows[n++] = walk_row(page->calls[i].uuid);
    for (int i = 0; i < page->nbad; i++)
        rows[n++] = walk_bad_row(offset + page->bad[i].index);
    return walk_page(&f->walk, offset, page->total, rows, n, held);
}

/* What is held counts for a walk only when nothing of the page had to be set aside. */
static int count_held(struct cache *c, const struct post *p, int64_t *ret)
{
    *ret = -1;
    if (p->offset || p->page->nbad)
        return 0;
    return store_count_now(c->store, &p->fetch->q, ret);
}

static void store_page(struct cache *c, const struct post *p)
{
    struct fetch *f = p->fetch;
    int64_t held;
    begin_writing(c);
    int rc = store_calls(c, p->page);
    if (rc == 0)
        rc = count_held(c, p, &held);
    if (rc == 0)
        rc = note_rows(f, p->offset, p->page, held);
    else
        walk_lost(&f->walk);
    if (rc == 0 && f->walk.state == WALK_WHOLE && !f->over && !f->span.seq)
        rc = store_span(c, f);
    if (rc < 0)
        c->write_error = rc;
    f->tick = atomic_load(&c->tick) + 1;
    report_bad_rows(c, f, p->page);
}

static void take_page(struct cache *c, struct post *p)
{
    struct fetch *f = p->fetch;
    if (p->failure.date)
        clock_learn(&c->clock, p->failure.date);
    if (p->page && !f->over && f->walk.state == WALK_ASKING) {
        store_page(c, p);
    } else {
        if (!f->failure.err && p->failure.err)
            f->failure = p->failure;
        walk_lost(&f->walk);
    }
    page_free(p->page);
}

/* --- wants --- */

static void answer(struct cache *c, struct waiting *w, int err, bool whole)
{
    DL_DELETE(c->waitings, w);
    w->want.done(w->want.id, err, whole, w->want.arg);
    free(w);
}

void keeper_end_wants(struct cache *c, int err)
{
    struct waiting *w, *next;
    DL_FOREACH_SAFE (c->waitings, w, next)
        answer(c, w, err, false);
}

static void take_want(struct cache *c, const struct want *want)
{
    struct waiting *w = calloc(1, sizeof(*w));
    if (!w) {
        want->done(want->id, -ENOMEM, false, want->arg);
        return;
    }
    *w = (struct waiting){
        .want = *want, .deadline_ms = clock_ms() + c->opts.deadline_ms, .after_seq = c->last_seq};
    struct fetch *f;
    DL_FOREACH (c->fetches, f) /* one it joins counts as if begun for it */
        if (!f->over && serves(f, w) && f->seq - 1 < w->after_seq)
            w->after_seq = f->seq - 1;
    DL_APPEND(c->waitings, w);
}

static void take_cancel(struct cache *c, uint64_t id)
{
    struct waiting *w, *next;
    DL_FOREACH_SAFE (c->waitings, w, next)
        if (w->want.id == id)
            answer(c, w, -EINTR, false);
}

static bool has_nothing_missing(struct cache *c, const struct waiting *w, struct cover_rule rule)
{
    CLEANUP_IVSET struct ivset missing = {0};
    cache_missing(c, rule, w->after_seq, &w->want.q, &missing);
    return missing.n == 0 && !missing.failed;
}

/* While the API fails, what was whole not too long ago is better than nothing. */
static bool stale_will_do(struct cache *c, const struct waiting *w)
{
    struct cover_rule rule = {.ttl = c->opts.stale_if_error_s, .settle = c->rule.settle};
    return has_nothing_missing(c, w, rule);
}

/* Starts what is missing for w and not on its way. */
static void plan(struct cache *c, struct waiting *w)
{
    CLEANUP_IVSET struct ivset missing = {0};
    struct fetch *f;
    int under_way = 0;
    cache_missing(c, c->rule, w->after_seq, &w->want.q, &missing);
    DL_FOREACH (c->fetches, f) {
        under_way++;
        if (!f->over && serves(f, w))
            ivset_cut(&missing, f->q.num[AXIS_END_TIME]);
    }
    if (missing.n)
        w->rounds++;
    for (size_t i = 0; i < missing.n && under_way < FETCHES_MAX; i++, under_way++)
        start_fetch(c, w, missing.v[i]);
}

/* Looks whether w can be answered now, and otherwise sees that it is being worked for. */
static void attend(struct cache *c, struct waiting *w, int64_t now_ms)
{
    struct fetch *f;
    if (has_nothing_missing(c, w, c->rule)) {
        answer(c, w, 0, true);
        return;
    }
    bool progress = false;
    DL_FOREACH (c->fetches, f) {
        if (!serves(f, w))
            continue;
        f->wanted_ms = now_ms;
        if (f->over && f->failure.err && f->seq > w->after_seq) {
            bool stale = stale_will_do(c, w);
            answer(c, w, stale ? 0 : f->failure.err, stale);
            return;
        }
        progress = progress || f->tick > w->want.seen;
    }
    if (progress)
        answer(c, w, 0, false);
    else if (now_ms >= w->deadline_ms)
        answer(c, w, -ETIMEDOUT, false);
    else if (w->rounds >= ROUNDS_MAX)
        answer(c, w, -EIO, false);
    else
        plan(c, w);
}

/* --- the batch --- */

void keeper_take(struct cache *c, struct post *p)
{
    switch (p->kind) {
    case POST_WANT:
        take_want(c, &p->want);
        break;
    case POST_CANCEL:
        take_cancel(c, p->want.id);
        break;
    case POST_PAGE:
        take_page(c, p);
        break;
    }
    free(p);
}

static void commit(struct cache *c)
{
    if (c->writing && !c->write_error)
        c->write_error = store_commit(c->store);
    if (c->writing && c->write_error)
        store_rollback(c->store);
    c->writing = false;
}

/* What was stored is visible now, or lost: decides each fetch that ended. */
static void conclude(struct cache *c, struct fetch *f, uint64_t tick)
{
    bool touched = f->tick == tick;
    if (f->over)
        return;
    if (touched && c->write_error) {
        failure_set(&f->failure, -EIO, 0, "the store cannot be written: %s",
                    strerror(-c->write_error));
        f->walk.state = WALK_BROKEN;
    }
    if (f->walk.state == WALK_WHOLE) {
        pthread_mutex_lock(&c->cover_lock);
        int rc = cover_add(&c->cover, &f->span);
        pthread_mutex_unlock(&c->cover_lock);
        if (rc < 0)
            failure_set(&f->failure, rc, 0, "no memory for coverage");
        f->over = true;
    } else if (f->walk.state == WALK_BROKEN) {
        if (!f->failure.err)
            failure_set(&f->failure, -EIO, 200,
                        "the pages and total_count never agreed in %d walks", WALK_PASSES);
        f->over = true;
    }
    if (f->over && f->failure.err && f->failure.err != -ECANCELED && c->opts.report)
        c->opts.report(c->opts.report_arg, &f->q, &f->failure);
}

static void go_on(struct cache *c, struct fetch *f, int64_t now_ms)
{
    if (!f->over && now_ms - f->wanted_ms < GRACE_MS)
        ask_pages(c, f);
    if (f->walk.out == 0)
        free_fetch(c, f);
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
        conclude(c, f, tick);
    c->write_error = 0;
    DL_FOREACH_SAFE (c->waitings, w, wnext)
        attend(c, w, now_ms);
    DL_FOREACH_SAFE (c->fetches, f, fnext)
        go_on(c, f, now_ms);
}

int64_t keeper_timeout(struct cache *c)
{
    int64_t first = INT64_MAX, now_ms = clock_ms();
    struct waiting *w;
    DL_FOREACH (c->waitings, w)
        if (w->deadline_ms < first)
            first = w->deadline_ms;
    return first == INT64_MAX ? -1 : first > now_ms ? first - now_ms : 0;
}
