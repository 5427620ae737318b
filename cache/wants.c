// SPDX-License-Identifier: MIT
/*
 * Wants: what waits, what is planned for it, and when it is answered.
 *
 * A want for one call by its uuid asks the API for that call where it can. That answer says whether
 * and when; the call itself is then read from the list, from the second it ended in, so that
 * contents never differ by origin. Where it cannot be asked for, days are read, the newest first.
 * Whoever asks for one call after another of the same window is better served by all of it: at the
 * third it is read whole if it is not too large for that, and again and again at twice as many.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "api/utc.h"
#include "cache/keeper.h"

#define FETCHES_MAX 64         /* under way at once; wants beyond wait for a place */
#define ROUNDS_MAX 128         /* plans made for one want before it is given up */
#define WINDOW_AFTER 3         /* calls asked for one by one before their window is read */
#define WINDOW_WORTH 80        /* calls a window may have for each of them: four pages */
#define WINDOW_MEMORY_MS 60000 /* for how long they are counted */
#define LATE_MEMORY_MS 60000   /* late again within that is no news */

static bool serves(const struct fetch *f, const struct waiting *w)
{
    return fetch_serves(f, &w->want.q);
}

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

void wants_take(struct cache *c, const struct want *want)
{
    struct waiting *w = calloc(1, sizeof(*w));
    if (!w) {
        want->done(want->id, -ENOMEM, false, want->arg);
        return;
    }
    *w =
        (struct waiting){.want = *want, .deadline_ms = cache_deadline(c), .after_seq = c->last_seq};
    struct fetch *f;
    if (want->ahead)
        w->deadline_ms = INT64_MAX;
    else if (want->deadline_ms)
        w->deadline_ms = want->deadline_ms;
    if (want->since)
        w->after_seq = want->since;
    DL_FOREACH (c->fetches, f) /* one it joins counts as if begun for it */
        if (!f->over && serves(f, w) && f->seq - 1 < w->after_seq)
            w->after_seq = f->seq - 1;
    DL_APPEND(c->waitings, w);
}

void wants_cancel(struct cache *c, uint64_t id)
{
    struct waiting *w, *next;
    DL_FOREACH_SAFE (c->waitings, w, next)
        if (w->want.id == id)
            answer(c, w, -EINTR, false);
}

/* What must be asked for. The call that the API says is there was in nothing that was read before.
 */
static void find_missing(struct cache *c, const struct waiting *w, struct ivset *out)
{
    if (w->call == CALL_THERE)
        cache_missing_later(c, w->after_seq, &w->want.q, out);
    else
        cache_missing(c, c->rule, w->after_seq, &w->want.q, out);
}

static bool has_nothing_missing(struct cache *c, const struct waiting *w)
{
    CLEANUP_IVSET struct ivset missing = {0};
    find_missing(c, w, &missing);
    return ivset_is_empty(&missing);
}

/* While the API fails, what was whole not too long ago is better than nothing. */
static void fail(struct cache *c, struct waiting *w, int err)
{
    CLEANUP_IVSET struct ivset gaps = {0};
    if (w->want.ahead) {
        answer(c, w, err, false);
        return;
    }
    if (store_is_frozen(c->store))
        cache_missing_read(c, &w->want.q, &gaps);
    else
        cache_missing_ever(c, c->opts.stale_if_error_s, &w->want.q, &gaps);
    bool stale = ivset_is_empty(&gaps);
    pthread_mutex_lock(&c->cover_lock);
    if (stale && !c->health.stale_since)
        c->health.stale_since = cache_now(c);
    pthread_mutex_unlock(&c->cover_lock);
    answer(c, w, stale ? 0 : err, stale);
}

/* --- one call --- */

static void memo_key(const struct waiting *w, char key[QUERY_KEY_MAX])
{
    if (*w->want.uuid)
        snprintf(key, QUERY_KEY_MAX, "call %s", w->want.uuid);
    else
        query_filter_key(&w->want.q, key);
}

static void remember(struct cache *c, const struct waiting *w)
{
    char key[QUERY_KEY_MAX];
    memo_key(w, key);
    memo_put(&c->memo, key, clock_ms() + c->rule.ttl * 1000);
}

static bool is_remembered(struct cache *c, const struct waiting *w, int64_t now_ms)
{
    char key[QUERY_KEY_MAX];
    if (!*w->want.uuid && !w->want.most)
        return false;
    memo_key(w, key);
    return memo_has(&c->memo, key, now_ms);
}

static void ask_call(struct cache *c, struct waiting *w)
{
    struct waiting *other;
    w->call = CALL_ASKED;
    DL_FOREACH (c->waitings, other) /* one request is enough for all who ask for it */
        if (other != w && other->call == CALL_ASKED && strcmp(other->want.uuid, w->want.uuid) == 0)
            return;
    struct post *p = calloc(1, sizeof(*p));
    if (!p) {
        answer(c, w, -ENOMEM, false);
        return;
    }
    p->kind = POST_CALL;
    p->cache = c;
    memcpy(p->want.uuid, w->want.uuid, sizeof(p->want.uuid));
    c->source->ops->fetch_call(c->source, p->want.uuid, keeper_on_answer, p);
}

/* Asks the shared tier first, which may have it for longer than the API. */
static bool ask_tier(struct cache *c, struct waiting *w)
{
    static const struct urgency urgent;
    struct tier_claim claim = {.u = &urgent};
    struct waiting *other;
    w->tier = TIER_ASKED;
    DL_FOREACH (c->waitings, other)
        if (other != w && other->tier == TIER_ASKED && strcmp(other->want.uuid, w->want.uuid) == 0)
            return true;
    memcpy(claim.uuid, w->want.uuid, sizeof(claim.uuid));
    if (tier_claim(c->tier, &claim) == 0)
        return true;
    w->tier = TIER_SILENT;
    return false;
}

void wants_take_found(struct cache *c, const char *uuid, bool asked)
{
    struct waiting *w;
    DL_FOREACH (c->waitings, w)
        if (w->tier == TIER_ASKED && strcmp(w->want.uuid, uuid) == 0)
            w->tier = asked ? TIER_SAID : TIER_SILENT;
}

/* Whether the store has it by now: then whoever asked finds it there. */
static bool is_there(struct cache *c, const struct waiting *w)
{
    struct entry e;
    bool matches;
    return w->tier == TIER_SAID && w->call == CALL_UNASKED &&
           store_find(c->store, &w->want.q, w->want.uuid, &e, &matches) == 0;
}

/* How many calls w's window may have to be read whole instead of asking for w's call; 0: none. */
static int64_t window_worth(struct cache *c, const struct waiting *w, int64_t now_ms)
{
    char filters[QUERY_KEY_MAX], key[QUERY_KEY_MAX];
    struct range r = w->want.q.num[AXIS_END_TIME];
    if (r.lo == INT64_MIN || r.hi == INT64_MAX)
        return 0;
    query_filter_key(&w->want.q, filters);
    int n = snprintf(key, sizeof(key), "%" PRId64 " %" PRId64 " %s", r.lo, r.hi, filters);
    if (n < 0 || (size_t)n >= sizeof(key))
        return 0;
    int times = memo_count(&c->windows, key, now_ms, now_ms + WINDOW_MEMORY_MS);
    for (int at = WINDOW_AFTER; at <= times; at *= 2)
        if (at == times)
            return (int64_t)times * WINDOW_WORTH;
    return 0;
}

/* From here on w wants the second in which its call ended. */
static void narrow_to(struct cache *c, struct waiting *w, const struct call *call)
{
    int64_t end = call->num[AXIS_END_TIME];
    w->call = CALL_THERE;
    w->after_seq = c->last_seq;
    w->want.q = QUERY_ALL;
    w->want.q.num[AXIS_END_TIME] = (struct range){end, end + 1};
}

/* A call that the API no longer has may be in the shared tier, which could not be asked. */
static bool may_be_archived(struct cache *c, const struct waiting *w)
{
    CLEANUP_IVSET struct ivset missing = {0};
    struct query old = w->want.q;
    query_meet_range(&old, AXIS_END_TIME, (struct range){INT64_MIN, cache_served_from(c)});
    if (w->tier != TIER_SILENT || old.none)
        return false;
    cache_missing(c, c->rule, w->after_seq, &old, &missing);
    return !ivset_is_empty(&missing);
}

static void tell_call(struct cache *c, struct waiting *w, const struct post *p)
{
    const struct call *call = p->page && p->page->ncalls ? &p->page->calls[0] : NULL;
    if (p->failure.err == -ENOENT && may_be_archived(c, w)) {
        answer(c, w, -EHOSTUNREACH, false);
    } else if (p->failure.err == -ENOENT) {
        remember(c, w);
        answer(c, w, 0, true);
    } else if (p->failure.err) {
        answer(c, w, p->failure.err, false);
    } else if (!call || strcmp(call->uuid, w->want.uuid) != 0) {
        answer(c, w, -EBADMSG, false);
    } else if (!query_match(&w->want.q, call)) {
        answer(c, w, 0, true);
    } else {
        narrow_to(c, w, call);
    }
}

void wants_take_call(struct cache *c, struct post *p)
{
    struct waiting *w, *next;
    if (p->failure.date)
        clock_learn(&c->clock, p->failure.date);
    fetch_note_health(c, &p->failure, false);
    if (p->failure.err && p->failure.err != -ENOENT && p->failure.err != -ECANCELED &&
        c->opts.report)
        c->opts.report(c->opts.report_arg, &QUERY_ALL, p->want.uuid, &p->failure);
    DL_FOREACH_SAFE (c->waitings, w, next)
        if (w->call == CALL_ASKED && strcmp(w->want.uuid, p->want.uuid) == 0)
            tell_call(c, w, p);
    page_free(p->page);
}

/* The API has this call: if its second was read whole and lacks it, something is wrong. */
static void answer_call_there(struct cache *c, struct waiting *w)
{
    struct entry e;
    bool matches;
    int rc = store_find(c->store, &w->want.q, w->want.uuid, &e, &matches);
    answer(c, w, rc == -ENOENT ? -EIO : rc, rc == 0);
}

/* --- plans --- */

/* A wider reading that has just become old is refreshed as a whole: it serves every narrower want.
 */
static const struct query *filters_for(struct cache *c, const struct waiting *w,
                                       struct range interval)
{
    const struct span *wider =
        cover_recent(&c->cover, &w->want.q, interval, cache_now(c), REFRESH_S);
    return wider ? &wider->q : &w->want.q;
}

/* Days are looked through one after another when only one call is wanted. */
static void keep_newest_day(struct ivset *missing)
{
    if (!missing->n)
        return;
    struct range r = missing->v[missing->n - 1];
    int64_t day = utc_midnight(r.hi - 1);
    missing->v[0] = (struct range){day > r.lo ? day : r.lo, r.hi};
    missing->n = 1;
}

static void start(struct cache *c, const struct waiting *w, struct range interval)
{
    const struct query *filters = filters_for(c, w, interval);
    struct fetch_wish wish = {
        .most = w->want.most, .ahead = w->want.ahead, .there = w->call == CALL_THERE};
    fetch_start(c, filters, interval, &wish);
}

/* Starts what is missing for w and not on its way. */
static void plan(struct cache *c, struct waiting *w)
{
    CLEANUP_IVSET struct ivset missing = {0};
    bool one_after_another = *w->want.uuid && w->call == CALL_UNASKED;
    find_missing(c, w, &missing);
    ivset_bridge(&missing, BRIDGE_S);
    if (one_after_another)
        keep_newest_day(&missing);
    int under_way = fetches_cut(c, &w->want.q, &missing);
    if (missing.n)
        w->rounds++;
    for (size_t i = 0; i < missing.n && under_way < FETCHES_MAX; i++, under_way++)
        start(c, w, missing.v[i]);
}

/* What the fetches that serve w say: their failure, or -E2BIG, or 0; and whether they stored
 * anything new. */
static int look_at_fetches(struct cache *c, struct waiting *w, int64_t now_ms, bool *progress)
{
    struct fetch *f;
    DL_FOREACH (c->fetches, f) {
        if (!serves(f, w))
            continue;
        if (w->want.most && f->walk.total > w->want.most)
            return -E2BIG;
        f->wanted_ms = now_ms;
        if (!w->want.ahead)
            atomic_store(&f->urgency.ahead, false);
        if (!w->want.most)
            f->most = 0;
        if (f->over && fetch_failed(f) && f->seq > w->after_seq)
            return f->failure.err;
        *progress = *progress || f->tick > w->want.seen;
    }
    return 0;
}

/* Who is late is told each time; the log, by what it does with repetitions, now and then. */
static void report_late(struct cache *c, const struct waiting *w, int64_t now_ms)
{
    struct failure f;
    failure_set(&f, -ETIMEDOUT, 0, "not answered within %" PRId64 " s",
                (c->opts.deadline_ms + 999) / 1000);
    f.repeated = now_ms < c->late_ms;
    c->late_ms = now_ms + LATE_MEMORY_MS;
    if (c->opts.report)
        c->opts.report(c->opts.report_arg, &w->want.q, w->want.uuid, &f);
}

static void attend_window(struct cache *c, struct waiting *w, int64_t now_ms)
{
    bool progress = false;
    int err = look_at_fetches(c, w, now_ms, &progress);
    if (err == -E2BIG && w->call == CALL_IN_WINDOW) {
        w->want.most = 0;
        ask_call(c, w);
    } else if (err == -E2BIG) {
        remember(c, w);
        answer(c, w, err, false);
    } else if (err) {
        fail(c, w, err);
    } else if (progress && !w->want.most && !w->want.ahead && w->call != CALL_THERE) {
        answer(c, w, 0, false);
    } else if (now_ms >= w->deadline_ms) {
        report_late(c, w, now_ms);
        fail(c, w, -ETIMEDOUT);
    } else if (w->rounds >= ROUNDS_MAX) {
        answer(c, w, -EIO, false);
    } else {
        plan(c, w);
    }
}

void wants_attend(struct cache *c, struct waiting *w, int64_t now_ms)
{
    bool asks = *w->want.uuid && c->source->ops->fetch_call;
    if (has_nothing_missing(c, w)) {
        if (w->call == CALL_THERE)
            answer_call_there(c, w);
        else
            answer(c, w, 0, true);
    } else if (store_is_frozen(c->store)) { /* an answer could not be kept */
        fail(c, w, -EROFS);
    } else if (w->call == CALL_UNASKED && is_remembered(c, w, now_ms)) {
        answer(c, w, w->want.most ? -E2BIG : 0, !w->want.most);
    } else if (c->tier && *w->want.uuid && w->tier == TIER_UNASKED && w->call == CALL_UNASKED &&
               ask_tier(c, w)) {
        return;
    } else if (w->tier == TIER_ASKED || w->call == CALL_ASKED) {
        if (now_ms >= w->deadline_ms) {
            report_late(c, w, now_ms);
            answer(c, w, -ETIMEDOUT, false);
        }
    } else if (is_there(c, w)) {
        answer(c, w, 0, true);
    } else if (asks && w->call == CALL_UNASKED) {
        w->want.most = window_worth(c, w, now_ms);
        w->call = CALL_IN_WINDOW;
        if (w->want.most)
            attend_window(c, w, now_ms);
        else
            ask_call(c, w);
    } else {
        attend_window(c, w, now_ms);
    }
}
