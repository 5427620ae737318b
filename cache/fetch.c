// SPDX-License-Identifier: MIT
/* Fetches: page walks on their way, and the storing of their pages. */
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "api/dialect.h"
#include "cache/keeper.h"

#define GRACE_MS 5000 /* a fetch goes on that long after anybody wanted it */
#define GRACE_AHEAD_MS 60000
#define CLOCK_AHEAD_S 10 /* less is the rounding of seconds, and the time an answer takes */

/* The message is allocated with the request, so that an answer can always be taken. */
static void ask_page(struct cache *c, struct fetch *f, int64_t offset)
{
    struct post *p = calloc(1, sizeof(*p));
    if (!p) {
        failure_set(&f->failure, -ENOMEM, 0, "no memory for a request");
        walk_lost(&f->walk);
        return;
    }
    *p = (struct post){.kind = POST_PAGE,
                       .cache = c,
                       .fetch = f,
                       .offset = offset,
                       .others = c->new_calls - f->new_calls};
    c->source->ops->fetch_page(c->source, &f->q, offset, &f->urgency, keeper_on_answer, p);
}

static void ask_pages(struct cache *c, struct fetch *f)
{
    int64_t offset;
    while (f->walk.out < c->opts.pages_at_once && (offset = walk_next(&f->walk)) >= 0)
        ask_page(c, f, offset);
}

/* Where a walk begins: where an earlier one was cut off; or, of a host that lists the oldest first,
 * behind what is held; else at the beginning, which also serves when any of this fails. */
static void prepare_walk(struct cache *c, struct fetch *f)
{
    int64_t total, held;
    struct slice pages = {0};
    if (store_walked(c->store, &f->q, &total, &pages) == 0) {
        if (walk_resume(&f->walk, total, pages) < 0)
            walk_init(&f->walk, API_PAGE_LIMIT);
    } else if (c->oldest_first && store_count_now(c->store, &f->q, &held) == 0 && held > 0) {
        walk_look_first(&f->walk, held);
    }
    free((char *)pages.p);
}

/* What the API still serves of it is walked. */
static void begin_walk(struct cache *c, struct fetch *f)
{
    struct query served = f->q;
    f->fetched_at = cache_now(c);
    query_meet_range(&served, AXIS_END_TIME, (struct range){f->served_from, INT64_MAX});
    if (served.none) { /* f stays as it was asked for, to tell who asked */
        failure_set(&f->failure, -EHOSTUNREACH, 0,
                    "what the API no longer serves cannot be had from the shared tier");
        walk_break(&f->walk);
        return;
    }
    f->q = served;
    f->asked_api = true;
    if (!f->most) /* else the first page says whether it goes on at all */
        prepare_walk(c, f);
    ask_pages(c, f);
}

/* How new a reading of the shared tier must be: newer than a doubt, and than the API's word that
 * there is such a call. */
static int64_t not_before(struct cache *c, const struct fetch *f, bool there)
{
    pthread_mutex_lock(&c->cover_lock); /* anybody may doubt */
    int64_t doubted = cover_doubted_at(&c->cover, &f->q);
    pthread_mutex_unlock(&c->cover_lock);
    return there ? f->fetched_at : doubted == INT64_MIN ? doubted : doubted + 1;
}

/* Asks the shared tier first, if there is one. */
static void begin(struct cache *c, struct fetch *f, bool there)
{
    struct tier_claim claim = {.q = f->q,
                               .asked_at = f->fetched_at,
                               .not_before = not_before(c, f, there),
                               .served_from = f->served_from,
                               .u = &f->urgency,
                               .arg = f};
    if (!c->tier) {
        begin_walk(c, f);
        return;
    }
    claim.held_since = cover_held_since(&c->cover, &f->q, &claim.held_to);
    f->claiming = tier_claim(c->tier, &claim) == 0;
    if (!f->claiming)
        begin_walk(c, f);
}

void fetch_start(struct cache *c, const struct query *filters, struct range interval,
                 const struct fetch_wish *wish)
{
    struct query asked = c->source->ops->narrowest(c->source, filters);
    struct fetch *f = calloc(1, sizeof(*f));
    if (!f)
        return; /* what wanted it is planned for again */
    asked.num[AXIS_END_TIME] = interval;
    f->q = asked;
    f->seq = ++c->last_seq;
    f->fetched_at = cache_now(c);
    f->wanted_ms = clock_ms();
    f->most = wish->most;
    f->served_from = c->tier && !wish->there ? cache_served_from(c) : INT64_MIN;
    atomic_init(&f->urgency.ahead, wish->ahead);
    walk_init(&f->walk, API_PAGE_LIMIT);
    DL_APPEND(c->fetches, f);
    begin(c, f, wish->there);
}

static bool is_failure(const struct failure *f)
{
    return f->err && f->err != -ENOENT && f->err != -EAGAIN && f->err != -ECANCELED;
}

bool fetch_failed(const struct fetch *f)
{
    return is_failure(&f->failure);
}

bool fetch_serves(const struct fetch *f, const struct query *q)
{
    struct range a = f->q.num[AXIS_END_TIME], b = q->num[AXIS_END_TIME];
    return query_filters_imply(q, &f->q) && a.lo < b.hi && b.lo < a.hi;
}

int fetches_cut(struct cache *c, const struct query *q, struct ivset *missing)
{
    struct fetch *f;
    int under_way = 0;
    DL_FOREACH (c->fetches, f) {
        under_way++;
        if (!f->over && fetch_serves(f, q))
            ivset_cut(missing, f->q.num[AXIS_END_TIME]);
    }
    return under_way;
}

static void free_fetch(struct cache *c, struct fetch *f)
{
    DL_DELETE(c->fetches, f);
    if (f->lease)
        tier_end_lease(c->tier, f->lease, false);
    free(f->copied);
    walk_release(&f->walk);
    free(f);
}

void keeper_free_fetches(struct cache *c)
{
    struct fetch *f, *next;
    DL_FOREACH_SAFE (c->fetches, f, next)
        free_fetch(c, f);
}

static void begin_writing(struct cache *c)
{
    if (c->writing || c->write_error)
        return;
    c->write_error = store_begin(c->store);
    c->writing = c->write_error == 0;
}

/* A call was put, for f unless that is NULL. */
static void note_put(struct cache *c, struct fetch *f, enum put put, int64_t id)
{
    c->changing = c->changing || put != PUT_SAME;
    c->new_calls += put == PUT_NEW;
    if (f)
        f->new_calls += put == PUT_NEW;
    if (put == PUT_AMENDED && c->namended < AMENDED_MAX)
        c->amended[c->namended++] = id;
}

static int store_calls(struct cache *c, struct fetch *f, const struct page *page)
{
    enum put put;
    int64_t id;
    int rc = c->write_error;
    for (int i = 0; i < page->ncalls && rc == 0; i++) {
        rc = store_put_call(c->store, &page->calls[i], cache_now(c), &put, &id);
        if (rc == 0)
            note_put(c, f, put, id);
    }
    return rc;
}

static int store_span(struct cache *c, struct span *span, bool copied)
{
    for (size_t i = 0; i < c->cover.n; i++) { /* this thread alone changes it */
        const struct span *old = &c->cover.v[i];
        int rc = cover_superseded(old, span) ? store_drop_span(c->store, old->id) : 0;
        if (rc < 0)
            return rc;
    }
    return copied ? store_import_span(c->store, span) : store_put_span(c->store, span);
}

static int store_walked_span(struct cache *c, struct fetch *f)
{
    f->span = (struct span){.q = f->q, .fetched_at = f->fetched_at, .seq = f->seq};
    return store_span(c, &f->span, false);
}

static void report_bad_rows(struct cache *c, const struct fetch *f, const struct page *page)
{
    struct failure failure;
    for (int i = 0; i < page->nbad && c->opts.report; i++) {
        failure_set(&failure, -EBADMSG, 200, "row set aside: %s", page->bad[i].reason);
        c->opts.report(c->opts.report_arg, &f->q, "", &failure);
    }
}

/*
 * A call that came for a window it did not end in is filed where it says it ended, and nobody knows
 * whether the host lists it there too. So from now on no count of calls held proves a window whole.
 */
static int note_strays(struct cache *c, const struct fetch *f, const struct page *page)
{
    struct range asked = f->q.num[AXIS_END_TIME];
    struct failure failure;
    int rc = 0;
    for (int i = 0; i < page->ncalls; i++) {
        int64_t end = page->calls[i].num[AXIS_END_TIME];
        if (end >= asked.lo && end < asked.hi)
            continue;
        if (rc == 0) /* each time: the first may have been undone with its page */
            rc = store_put_fact(c->store, FACT_STRAYS, 1);
        c->strays = true;
        failure_set(&failure, -EBADMSG, 200, "call %s did not end in the time asked for",
                    page->calls[i].uuid);
        if (c->opts.report)
            c->opts.report(c->opts.report_arg, &f->q, "", &failure);
    }
    return rc;
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

/* What is held counts for a walk only when all of it was listed where it is filed, when nothing of
 * the page had to be set aside, and when no other fetch has brought calls since it was asked for,
 * which might be newer than the page. */
static int count_held(struct cache *c, const struct post *p, int64_t *ret)
{
    *ret = -1;
    bool others = c->new_calls - p->fetch->new_calls != p->others;
    if (others || c->strays || p->page->nbad || !walk_wants_count(&p->fetch->walk, p->offset))
        return 0;
    return store_count_now(c->store, &p->fetch->q, ret);
}

/* So that a walk that is cut off, also by a kill, can go on: worth it from the third page on. */
static int store_progress(struct cache *c, const struct fetch *f)
{
    int64_t total;
    struct slice pages = walk_done(&f->walk, &total);
    if (total <= 2 * API_PAGE_LIMIT)
        return 0;
    if (f->walk.state != WALK_ASKING)
        pages.n = 0;
    return store_put_walked(c->store, &f->q, total, pages);
}

static int learn_order(struct cache *c, const struct page *page)
{
    if (page->ncalls < 2)
        return 0;
    int64_t first = page->calls[0].num[AXIS_END_TIME];
    int64_t last = page->calls[page->ncalls - 1].num[AXIS_END_TIME];
    if (first == last || c->oldest_first == (first < last))
        return 0;
    c->oldest_first = first < last;
    return store_put_fact(c->store, FACT_OLDEST_FIRST, c->oldest_first);
}

static void store_page(struct cache *c, const struct post *p)
{
    struct fetch *f = p->fetch;
    int64_t held;
    begin_writing(c);
    int rc = store_calls(c, f, p->page);
    if (rc == 0)
        rc = note_strays(c, f, p->page);
    if (rc == 0)
        rc = count_held(c, p, &held);
    if (rc == 0)
        rc = note_rows(f, p->offset, p->page, held);
    else
        walk_lost(&f->walk);
    if (rc == 0 && f->walk.state == WALK_WHOLE && !f->over && !f->span.seq)
        rc = store_walked_span(c, f);
    if (rc == 0)
        rc = store_progress(c, f);
    if (rc == 0)
        rc = learn_order(c, p->page);
    if (rc < 0)
        c->write_error = rc;
    f->tick = atomic_load(&c->tick) + 1;
    report_bad_rows(c, f, p->page);
}

void fetch_take_page(struct cache *c, struct post *p)
{
    struct fetch *f = p->fetch;
    if (p->failure.date)
        clock_learn(&c->clock, p->failure.date);
    if (p->failure.date && p->failure.date < f->fetched_at - CLOCK_AHEAD_S)
        f->fetched_at = p->failure.date; /* it began by a local clock that is ahead */
    prefetches_note_page(c, f, p->page, true);
    if (p->page && !f->over && f->walk.state == WALK_ASKING) {
        store_page(c, p);
    } else {
        if (!f->failure.err && p->failure.err && f->walk.state == WALK_ASKING)
            f->failure = p->failure;
        walk_lost(&f->walk);
    }
    page_free(p->page);
}

/* --- what the shared tier gives --- */

/* f is NULL for one call, which no fetch asked for. */
static void store_copy(struct cache *c, struct fetch *f, const struct tier_news *n)
{
    enum put put;
    int64_t id;
    begin_writing(c);
    int rc = c->write_error;
    for (int i = 0; i < n->page->ncalls && rc == 0; i++) {
        rc = store_import_call(c->store, &n->page->calls[i], n->mtimes[i], cache_now(c), &put, &id);
        if (rc == 0)
            note_put(c, f, put, id);
    }
    if (rc < 0)
        c->write_error = rc;
    if (f) {
        f->tick = atomic_load(&c->tick) + 1;
        prefetches_note_page(c, f, n->page, false);
    }
    tier_took(c->tier);
}

static void store_copied(struct cache *c, struct fetch *f, struct tier_news *n)
{
    begin_writing(c);
    int rc = c->write_error;
    f->copied = n->spans;
    f->ncopied = n->nspans;
    n->spans = NULL;
    for (size_t i = 0; i < f->ncopied && rc == 0; i++) {
        f->copied[i].seq = f->seq;
        rc = store_span(c, &f->copied[i], true);
    }
    if (rc < 0)
        c->write_error = rc;
    f->walk.state = WALK_WHOLE;
    f->tick = atomic_load(&c->tick) + 1;
}

static void forget_notes(struct cache *c, const struct tier_news *n)
{
    begin_writing(c);
    if (!c->write_error)
        c->write_error = store_shared(c->store, n->notes, n->nnotes);
}

static void take_archive(struct cache *c, const struct tier_news *n)
{
    pthread_mutex_lock(&c->cover_lock);
    ivset_release(&c->archive);
    for (size_t i = 0; i < n->nspans; i++)
        ivset_add(&c->archive, n->spans[i].q.num[AXIS_END_TIME]);
    pthread_mutex_unlock(&c->cover_lock);
}

static void take_answer(struct cache *c, struct fetch *f, struct tier_news *n)
{
    f->claiming = n->kind == TIER_CALLS;
    switch (c->ended ? TIER_GONE : n->kind) {
    case TIER_CALLS:
        store_copy(c, f, n);
        break;
    case TIER_COPIED:
        store_copied(c, f, n);
        break;
    case TIER_LEASED:
        f->lease = n->lease;
        query_meet_range(&f->q, AXIS_END_TIME, n->range);
        begin_walk(c, f);
        break;
    case TIER_ALONE:
        begin_walk(c, f);
        break;
    default:
        failure_set(&f->failure, -ECANCELED, 0, "nobody wants it any more");
        walk_break(&f->walk);
    }
}

void fetch_take_news(struct cache *c, struct tier_news *n)
{
    if (n->kind == TIER_JOINED)
        c->joining = n->number;
    else if (n->kind == TIER_SHARED)
        forget_notes(c, n);
    else if (n->kind == TIER_ARCHIVE)
        take_archive(c, n);
    else if (n->arg)
        take_answer(c, n->arg, n);
    else if (n->kind == TIER_CALLS)
        store_copy(c, NULL, n);
    else
        wants_take_found(c, n->uuid, n->kind == TIER_COPIED);
    tier_news_free(n);
}

void fetch_note_health(struct cache *c, const struct failure *f, bool listing)
{
    bool answered = !f->err || f->err == -ENOENT;
    pthread_mutex_lock(&c->cover_lock);
    c->health.failing = is_failure(f) || (c->health.failing && !answered);
    if (is_failure(f)) {
        c->health.failed_at = cache_now(c);
        c->health.why = *f;
    } else if (answered) {
        c->health.good_at = cache_now(c);
        if (listing)
            c->health.stale_since = 0;
    }
    pthread_mutex_unlock(&c->cover_lock);
}

/* Coverage has it from now on. */
static int add_to_cover(struct cache *c, const struct fetch *f)
{
    int rc = 0;
    pthread_mutex_lock(&c->cover_lock);
    for (size_t i = 0; i < f->ncopied && rc == 0; i++)
        rc = cover_add(&c->cover, &f->copied[i]);
    if (!f->ncopied)
        rc = cover_add(&c->cover, &f->span);
    pthread_mutex_unlock(&c->cover_lock);
    return rc;
}

static void end_lease(struct cache *c, struct fetch *f)
{
    if (f->lease)
        tier_end_lease(c->tier, f->lease, !f->failure.err);
    else if (c->tier && f->asked_api)
        tier_publish(c->tier);
    f->lease = 0;
}

/* What was stored is visible now, or lost: decides each fetch that ended. */
void fetch_conclude(struct cache *c, struct fetch *f, uint64_t tick)
{
    bool lost = f->tick == tick && c->write_error;
    if (f->over)
        return;
    if (lost) {
        f->failure = c->write_failure;
        f->walk.state = WALK_BROKEN;
    }
    if (f->walk.state == WALK_WHOLE) {
        int rc = add_to_cover(c, f);
        if (rc < 0)
            failure_set(&f->failure, rc, 0, "no memory for coverage");
        f->over = true;
    } else if (f->walk.state == WALK_BROKEN) {
        if (!f->failure.err)
            failure_set(&f->failure, -EIO, 200,
                        "the pages and total_count never agreed in %d walks", f->walk.pass);
        f->over = true;
    }
    atomic_store(&f->urgency.gone, f->over);
    if (f->over)
        end_lease(c, f);
    if (f->over && !lost && f->asked_api)
        fetch_note_health(c, &f->failure, true);
    if (f->over && f->failure.err && f->failure.err != -ECANCELED && *f->failure.detail &&
        c->opts.report)
        c->opts.report(c->opts.report_arg, &f->q, "", &f->failure);
}

void fetch_go_on(struct cache *c, struct fetch *f, int64_t now_ms)
{
    bool too_many = f->most && f->walk.total > f->most;
    int64_t grace = atomic_load(&f->urgency.ahead) ? GRACE_AHEAD_MS : GRACE_MS;
    bool left = too_many || now_ms - f->wanted_ms >= grace;
    atomic_store(&f->urgency.gone, f->over || left);
    if (!f->over && !left && !f->claiming)
        ask_pages(c, f);
    if (f->walk.out == 0 && !f->claiming)
        free_fetch(c, f);
}
