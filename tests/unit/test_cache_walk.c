// SPDX-License-Identifier: MIT
/* Walks over a source that moves, lies or fails, over a store that fails, and for one call. */
#include "cache/cache.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "tests/unit/cache_fixture.h"

static void expect_nothing_covered(const struct query *q)
{
    ck_assert(!cache_known(fx.cache, q));
    ck_assert(!cache_held(fx.cache, q));
    fx_close();
    fx_open();
    ck_assert(!cache_known(fx.cache, q));
    ck_assert(!cache_held(fx.cache, q));
}

/* --- drift --- */

static atomic_int arrivals; /* so many pages still bring a call before they are answered */
static atomic_int arrived;

static void arrive(struct fake *f, const struct fake_request *r UNUSED)
{
    if (atomic_fetch_sub(&arrivals, 1) <= 0)
        return;
    int n = atomic_fetch_add(&arrived, 1);
    fake_add(f, 10000 + n, n % 2 ? NOON - 30 : TODAY + 3 * HOUR + n);
}

static void start_drift(int pages)
{
    atomic_store(&arrivals, pages);
    atomic_store(&arrived, 0);
    FAKE_SET(fx.fake, hook, arrive);
}

START_TEST(calls_that_arrive_while_paging_are_neither_lost_nor_doubled)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 100, TODAY, 400);
    start_drift(_i);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_listing_that_never_stands_still_is_an_error)
{
    struct query q = fx_day(1);
    fake_add_many(fx.fake, 1, 100, TODAY - DAY, 400);
    FAKE_SET(fx.fake, total_step, 1);
    ck_assert_int_eq(fx_ask(&q), -EIO);
    expect_nothing_covered(&q);
    FAKE_SET(fx.fake, total_step, 0);
    FAKE_SET(fx.fake, total_off, 0);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_total_that_is_simply_wrong_is_seen_through)
{
    /* but for one that ends on a full page: when the counts agree no page behind it is asked for */
    static const int off[] = {-45, -20, -6, -1, 1, 5, 20, 45};
    struct query q = fx_day(1);
    fake_add_many(fx.fake, 1, 45, TODAY - DAY, 400);
    FAKE_SET(fx.fake, total_off, off[_i]);
    ck_assert_int_eq(fx_ask(&q), 0);
    ck_assert(cache_known(fx.cache, &q));
    fx_expect_all(&q);
}
END_TEST

START_TEST(rows_that_cannot_be_files_count_for_the_walk_and_are_reported)
{
    struct query q = fx_day(1);
    fake_add_many(fx.fake, 1, 38, TODAY - DAY, 400);
    fake_add_bad(fx.fake, TODAY - DAY + 1);
    fake_add_bad(fx.fake, TODAY - 1);
    ck_assert_int_eq(fx_cost(&q), 2);
    ck_assert_int_eq(fx.reports, 2);
    ck_assert(cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_count(&q), 38);
}
END_TEST

/* --- walks that were cut off, and hosts that sort the other way --- */

START_TEST(a_walk_that_was_cut_off_goes_on_where_it_was)
{
    struct query q = fx_day(3);
    fx_close();
    fx.opts.pages_at_once = 1;
    fx_open();
    fake_add_many(fx.fake, 1, 200, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, fail_err, -EIO);
    FAKE_SET(fx.fake, fail_in, 7);
    ck_assert_int_eq(fx_wait(fx_want(&q, UINT64_MAX)).err, -EIO);
    ck_assert_int_eq(fake_requests(fx.fake), 7);
    if (_i) { /* also by another process */
        fx_close();
        fx_open();
    }
    ck_assert(!cache_held(fx.cache, &q));
    ck_assert_int_le(fx_cost(&q), 4 + 1);
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_walk_that_was_cut_off_while_calls_came_is_whole)
{
    struct query q = fx_day(0);
    fx_close();
    fx.opts.pages_at_once = 1 + _i % 3;
    fx_open();
    fake_add_many(fx.fake, 1, 150, TODAY, 60);
    FAKE_SET(fx.fake, oldest_first, _i % 2);
    for (int n = 0; n < 3; n++) {
        FAKE_SET(fx.fake, fail_err, -EIO);
        FAKE_SET(fx.fake, fail_in, _i % 8 + 1);
        if (fx_wait(fx_want(&q, UINT64_MAX)).err)
            fx_settle();
        fake_add_many(fx.fake, 1000 + 100 * n, _i % 5, TODAY + n * HOUR + 7, 1300);
        fx_set_now(NOON + (n + 1) * 300);
    }
    FAKE_SET(fx.fake, fail_in, 0);
    fx_set_now(NOON + 2 * DAY);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_host_that_lists_the_oldest_first_is_refreshed_behind_what_is_held)
{
    struct query q = fx_day(0);
    FAKE_SET(fx.fake, oldest_first, true);
    fake_add_many(fx.fake, 1, 100, TODAY, 60);
    ck_assert_int_eq(fx_cost(&q), 5);
    fx_set_now(NOON + HOUR);
    fake_add_many(fx.fake, 1000, 5, NOON + 60, 60);
    ck_assert_int_le(fx_cost(&q), 2);
    fx_expect_all(&q);
}
END_TEST

/* --- a store that fails --- */

START_TEST(a_store_that_cannot_be_written_covers_nothing)
{
    struct query q = fx_day(1);
    struct rlimit before, none;
    fake_add_many(fx.fake, 1, 100, TODAY - DAY, 400);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    none = before;
    none.rlim_cur = 100;
    setrlimit(RLIMIT_FSIZE, &none);
    int rc = fx_ask(&q); /* libcheck cannot write here either: no assertions */
    bool known = cache_known(fx.cache, &q), held = cache_held(fx.cache, &q);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(rc, -EIO);
    ck_assert(!known && !held);
    expect_nothing_covered(&q);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

/* --- not too many --- */

static struct told want_most(const struct query *q, int64_t most)
{
    return fx_wait(fx_want_model((struct want){.q = *q, .seen = UINT64_MAX, .most = most}));
}

START_TEST(more_than_most_is_refused_after_one_page_and_remembered)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 100, TODAY, 400);
    ck_assert_int_eq(want_most(&q, 50).err, -E2BIG);
    ck_assert_int_eq(fake_requests(fx.fake), 1);
    ck_assert_int_eq(want_most(&q, 50).err, -E2BIG);
    ck_assert_int_eq(fake_requests(fx.fake), 1);
    ck_assert(!cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(as_many_as_most_are_read)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 100, TODAY, 400);
    struct told t = want_most(&q, 100);
    ck_assert_int_eq(t.err, 0);
    ck_assert(t.whole);
    ck_assert_int_eq(fake_requests(fx.fake), 5);
    fx_expect_all(&q);
}
END_TEST

START_TEST(who_wants_all_is_not_stopped_by_one_who_wants_few)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 100, TODAY, 400);
    FAKE_SET(fx.fake, let, 0);
    uint64_t few = fx_want_model((struct want){.q = q, .seen = UINT64_MAX, .most = 50});
    uint64_t all = fx_want(&q, UINT64_MAX);
    fake_wait_asked(fx.fake, 1);
    fx_drain();
    FAKE_SET(fx.fake, let, -1);
    ck_assert_int_eq(fx_wait(few).err, -E2BIG);
    ck_assert_int_eq(fx_wait(all).err, 0);
    fx_expect_all(&q);
}
END_TEST

/* --- one call --- */

static struct want one(const char *uuid)
{
    struct want w = {.q = QUERY_ALL, .seen = UINT64_MAX};
    snprintf(w.uuid, sizeof(w.uuid), "%s", uuid);
    return w;
}

/* 0: there, 1: proven absent, else the error. */
static int ask_one(struct want w)
{
    struct entry e;
    bool matches;
    for (int i = 0; i < 200; i++) {
        w.seen = cache_tick(fx.cache);
        int rc = cache_find(fx.cache, &w.q, w.uuid, &e, &matches);
        if (rc != -ENOENT)
            return rc == 0 && !matches ? 1 : rc;
        if (cache_known(fx.cache, &w.q))
            return 1;
        struct told t = fx_wait(fx_want_model(w));
        if (t.err)
            return t.err;
        if (t.whole)
            return cache_find(fx.cache, &w.q, w.uuid, &e, &matches) == 0 && matches ? 0 : 1;
    }
    ck_abort_msg("no end of progress");
}

START_TEST(one_call_is_asked_for_and_then_read_from_its_second)
{
    fake_add_many(fx.fake, 1, 100, TODAY - 4 * DAY, 60);
    ck_assert_int_eq(ask_one(one("call-000007")), 0);
    ck_assert_int_eq(fake_requests(fx.fake), 2);
    ck_assert_str_eq(fake_request(fx.fake, 0).uuid, "call-000007");
    struct range r = fake_request(fx.fake, 1).q.num[AXIS_END_TIME];
    ck_assert_int_eq(r.lo, TODAY - 4 * DAY + 6 * 60);
    ck_assert_int_eq(r.hi, r.lo + 1);
    ck_assert_int_eq(ask_one(one("call-000007")), 0);
    ck_assert_int_eq(fake_requests(fx.fake), 2);
}
END_TEST

static const int64_t at_the_edges[] = {TODAY - API_DAYS * (int64_t)DAY + 23 * HOUR, NOON + 2};

START_TEST(one_call_that_the_api_has_is_read_also_where_days_are_not)
{
    fake_add(fx.fake, 7, at_the_edges[_i]);
    ck_assert_int_eq(ask_one(one("call-000007")), 0);
    ck_assert_int_eq(fake_requests(fx.fake), 2);
}
END_TEST

START_TEST(one_call_that_is_not_there_is_asked_for_once)
{
    fake_add_many(fx.fake, 1, 10, TODAY - 4 * DAY, 60);
    ck_assert_int_eq(ask_one(one("call-000077")), 1);
    ck_assert_int_eq(ask_one(one("call-000077")), 1);
    ck_assert_int_eq(fake_requests(fx.fake), 1);
    ck_assert_int_eq(ask_one(one("call-000078")), 1);
    ck_assert_int_eq(fake_requests(fx.fake), 2);
}
END_TEST

START_TEST(one_call_outside_the_query_is_not_there)
{
    struct want w = one("call-000007");
    fake_add_many(fx.fake, 1, 10, TODAY - 4 * DAY, 60);
    w.q = fx_with(w.q, AXIS_DIRECTION, "inbound"); /* it is outbound */
    ck_assert_int_eq(ask_one(w), 1);
    ck_assert_int_eq(fake_requests(fx.fake), 1);
}
END_TEST

START_TEST(one_call_that_cannot_be_asked_for_is_an_error_not_an_absence)
{
    fake_add_many(fx.fake, 1, 10, TODAY - 4 * DAY, 60);
    FAKE_SET(fx.fake, fail_err, -EBUSY);
    FAKE_SET(fx.fake, fail_in, _i + 1); /* the request for it, or for its second */
    ck_assert_int_eq(ask_one(one("call-000007")), -EBUSY);
    ck_assert_int_eq(ask_one(one("call-000007")), 0);
}
END_TEST

static void move_it_away(struct fake *f, const struct fake_request *r)
{
    if (*r->uuid)
        return;
    pthread_mutex_lock(&f->lock);
    f->calls[0].num[AXIS_END_TIME] -= DAY;
    pthread_mutex_unlock(&f->lock);
}

START_TEST(one_call_the_api_has_and_does_not_list_is_an_error)
{
    fake_add(fx.fake, 7, TODAY - DAY);
    FAKE_SET(fx.fake, hook, move_it_away);
    ck_assert_int_eq(ask_one(one("call-000007")), -EIO);
}
END_TEST

START_TEST(two_who_want_the_same_call_share_its_requests)
{
    fake_add_many(fx.fake, 1, 10, TODAY - 4 * DAY, 60);
    FAKE_SET(fx.fake, let, 0);
    uint64_t a = fx_want_model(one("call-000007")), b = fx_want_model(one("call-000007"));
    fake_wait_asked(fx.fake, 1);
    fx_drain();
    FAKE_SET(fx.fake, let, -1);
    ck_assert_int_eq(fx_wait(a).err, 0);
    ck_assert_int_eq(fx_wait(b).err, 0);
    ck_assert_int_eq(fake_requests(fx.fake), 2);
}
END_TEST

static void open_legacy(void)
{
    fx_close();
    fx.one_call = false;
    FAKE_SET(fx.fake, filter, DIALECT_LEGACY);
    fx_open();
}

START_TEST(where_it_cannot_be_asked_for_days_are_read_newest_first)
{
    open_legacy();
    fake_add(fx.fake, 7, TODAY - 4 * DAY + HOUR);
    ck_assert_int_eq(ask_one(one("call-000007")), 0);
    ck_assert_int_eq(fake_requests(fx.fake), 5);
    for (int i = 0; i < 5; i++) {
        struct range r = fake_request(fx.fake, i).q.num[AXIS_END_TIME];
        ck_assert_int_eq(r.lo, TODAY - i * DAY);
        if (i)
            ck_assert_int_eq(r.hi, r.lo + DAY);
    }
}
END_TEST

START_TEST(where_it_cannot_be_asked_for_it_is_absent_once_all_days_are_read)
{
    open_legacy();
    ck_assert_int_eq(ask_one(one("call-000007")), 1);
    ck_assert_int_eq(fake_requests(fx.fake), API_DAYS);
}
END_TEST

/* --- filters --- */

START_TEST(a_refused_filter_is_left_out_and_the_question_put_again)
{
    struct query q = fx_with(fx_day(1), AXIS_DIRECTION, "outbound");
    fake_add_many(fx.fake, 1, 50, TODAY - DAY, 60);
    FAKE_SET(fx.fake, refuses, 1u << AXIS_DIRECTION);
    ck_assert_int_eq(fx_cost(&q), 1 + 3);
    ck_assert(!range_is_all(fake_request(fx.fake, 0).q.num[AXIS_DIRECTION]));
    ck_assert(range_is_all(fake_request(fx.fake, 1).q.num[AXIS_DIRECTION]));
    fx_expect_all(&q);
    q = fx_day(1);
    ck_assert_int_eq(fx_cost(&q), 0);
}
END_TEST

START_TEST(what_the_host_does_not_filter_is_filtered_here)
{
    struct query q = fx_with(fx_day(1), NUM_AXES + AXIS_TRUNK, "101");
    fake_add_many(fx.fake, 1, 50, TODAY - DAY, 60);
    ck_assert_int_eq(fx_cost(&q), 3);
    fx_expect_all(&q);
    q = fx_with(fx_day(1), NUM_AXES + AXIS_TRUNK, "102");
    ck_assert_int_eq(fx_cost(&q), 0);
    fx_expect_all(&q);
}
END_TEST

/* --- who goes through day after day --- */

static sem_t busy, go_on;

/* Keeps the cache's thread from taking further messages. */
static void hold_thread(uint64_t id UNUSED, int err UNUSED, bool whole UNUSED, void *arg UNUSED)
{
    sem_post(&busy);
    sem_wait(&go_on);
}

static void visit(int ago)
{
    struct query q = fx_day(ago);
    cache_visit(fx.cache, &q);
}

START_TEST(who_goes_faster_than_the_cache_takes_note_costs_no_more)
{
    struct query known = fx_day(30), q = fx_day(13);
    struct want w = {.id = UINT64_MAX, .q = known, .done = hold_thread};
    sem_init(&busy, 0, 0);
    sem_init(&go_on, 0, 0);
    ck_assert_int_eq(fx_ask(&known), 0);
    for (int ago = 20; ago >= 18; ago--) { /* with the last, days 17 to 14 are read ahead */
        struct query day = fx_day(ago);
        visit(ago);
        ck_assert_int_eq(fx_ask(&day), 0);
    }
    fx_settle();
    int before = fake_requests(fx.fake);
    ck_assert_int_eq(cache_want(fx.cache, &w), 0);
    sem_wait(&busy);
    for (int ago = 17; ago >= 13; ago--)
        visit(ago);
    uint64_t id = fx_want(&q, 0);
    sem_post(&go_on);
    ck_assert(fx_wait(id).whole);
    fx_settle();
    /* Days 13 to 6, and what lies behind them. */
    ck_assert_int_eq(fake_requests(fx.fake) - before, 2);
    sem_destroy(&busy);
    sem_destroy(&go_on);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        {calls_that_arrive_while_paging_are_neither_lost_nor_doubled, 8},
        ONCE(a_listing_that_never_stands_still_is_an_error),
        {a_total_that_is_simply_wrong_is_seen_through, 8},
        ONCE(rows_that_cannot_be_files_count_for_the_walk_and_are_reported),
        {a_walk_that_was_cut_off_goes_on_where_it_was, 2},
        {a_walk_that_was_cut_off_while_calls_came_is_whole, 40},
        ONCE(a_host_that_lists_the_oldest_first_is_refreshed_behind_what_is_held),
        ONCE(a_store_that_cannot_be_written_covers_nothing),
        ONCE(more_than_most_is_refused_after_one_page_and_remembered),
        ONCE(as_many_as_most_are_read),
        ONCE(who_wants_all_is_not_stopped_by_one_who_wants_few),
        ONCE(one_call_is_asked_for_and_then_read_from_its_second),
        {one_call_that_the_api_has_is_read_also_where_days_are_not, ARRAY_LEN(at_the_edges)},
        ONCE(one_call_that_is_not_there_is_asked_for_once),
        ONCE(one_call_outside_the_query_is_not_there),
        {one_call_that_cannot_be_asked_for_is_an_error_not_an_absence, 2},
        ONCE(one_call_the_api_has_and_does_not_list_is_an_error),
        ONCE(two_who_want_the_same_call_share_its_requests),
        ONCE(where_it_cannot_be_asked_for_days_are_read_newest_first),
        ONCE(where_it_cannot_be_asked_for_it_is_absent_once_all_days_are_read),
        ONCE(a_refused_filter_is_left_out_and_the_question_put_again),
        ONCE(what_the_host_does_not_filter_is_filtered_here),
        ONCE(who_goes_faster_than_the_cache_takes_note_costs_no_more),
    };
    return run_suite_with("cache_walk", tests, ARRAY_LEN(tests), fx_setup, fx_teardown);
}
