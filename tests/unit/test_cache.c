// SPDX-License-Identifier: MIT
/* What a question costs, who shares a walk, and how a want ends. */
#include "cache/cache.h"

#include <errno.h>
#include <time.h>

#include "cache/clock.h"
#include "tests/unit/cache_fixture.h"

#define NOBODY UINT64_MAX /* the id of no want */

/* Linked with --wrap=clock_ms, so that a test can let time pass for deadlines. */
static atomic_int_least64_t skew_ms;

int64_t __real_clock_ms(void);
int64_t __wrap_clock_ms(void);

int64_t __wrap_clock_ms(void)
{
    return __real_clock_ms() + atomic_load(&skew_ms);
}

static void setup(void)
{
    atomic_store(&skew_ms, 0);
    fx_setup();
}

static void expect_told(uint64_t id, int err, bool whole)
{
    struct told t = fx_wait(id);
    ck_assert_msg(t.err == err, "%s, not %s", strerror(-t.err), strerror(-err));
    ck_assert(t.whole == whole);
}

/* --- what it costs --- */

static const struct {
    int calls, requests;
} cold_days[] = {{0, 1}, {1, 1}, {19, 1}, {20, 1}, {21, 2}, {40, 2}, {41, 3}, {400, 20}, {999, 50}};

START_TEST(a_cold_day_costs_a_request_for_each_page)
{
    struct query q = fx_day(1);
    fake_add_many(fx.fake, 1, cold_days[_i].calls, TODAY - DAY, 60);
    ck_assert_int_eq(fx_cost(&q), cold_days[_i].requests);
    ck_assert(cache_known(fx.cache, &q));
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_held_day_costs_nothing_also_after_reopening)
{
    struct query q = fx_day(5), narrow = fx_with(q, AXIS_DIRECTION, "outbound");
    fake_add_many(fx.fake, 1, 45, TODAY - 5 * DAY, 60);
    ck_assert_int_eq(fx_cost(&q), 3);
    ck_assert_int_eq(fx_cost(&q), 0);
    ck_assert_int_eq(fx_cost(&narrow), 0);
    fx_close();
    fx_open();
    ck_assert(cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 0);
    ck_assert_int_eq(fx_cost(&narrow), 0);
    fx_expect_all(&q);
    fx_expect_all(&narrow);
}
END_TEST

START_TEST(a_held_empty_day_costs_nothing_after_reopening)
{
    struct query q = fx_day(5);
    ck_assert_int_eq(fx_cost(&q), 1);
    fx_close();
    fx_open();
    ck_assert_int_eq(fx_cost(&q), 0);
}
END_TEST

START_TEST(both_directions_held_make_the_whole_day_known)
{
    struct query q = fx_day(1);
    struct query in = fx_with(q, AXIS_DIRECTION, "inbound");
    struct query out = fx_with(q, AXIS_DIRECTION, "outbound");
    fake_add_many(fx.fake, 1, 30, TODAY - DAY, 60);
    ck_assert_int_eq(fx_cost(&in), 1);
    ck_assert(!cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&out), 1);
    ck_assert(cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 0);
    fx_expect_all(&q);
}
END_TEST

static const struct {
    int axis;
    const char *held, *asked;
} narrower[] = {
    {AXIS_BILL_DURATION, "gte-30", "gte-60"},
    {AXIS_BILL_DURATION, "gte-30", "60"},
    {NUM_AXES + AXIS_FROM, "1415", "141555500"},
    {AXIS_DIRECTION, "outbound", "outbound"},
};

START_TEST(a_narrower_question_about_held_calls_costs_nothing)
{
    struct query held = fx_with(fx_day(1), narrower[_i].axis, narrower[_i].held);
    struct query asked = fx_with(fx_day(1), narrower[_i].axis, narrower[_i].asked);
    fake_add_many(fx.fake, 1, 50, TODAY - DAY, 60);
    ck_assert_int_eq(fx_ask(&held), 0);
    ck_assert_int_eq(fx_cost(&asked), 0);
    fx_expect_all(&asked);
}
END_TEST

/* What the fake was asked for, as intervals. */
static void expect_asked(int request, int64_t lo, int64_t hi)
{
    struct range r = fake_request(fx.fake, request).q.num[AXIS_END_TIME];
    ck_assert_int_eq(r.lo, lo);
    ck_assert_int_eq(r.hi, hi);
}

START_TEST(only_the_uncovered_remainder_is_asked_for)
{
    int64_t day = TODAY - DAY;
    struct query middle = fx_between(day + 8 * HOUR, day + 16 * HOUR), q = fx_day(1);
    fake_add_many(fx.fake, 1, 23, day, HOUR);
    ck_assert_int_eq(fx_cost(&middle), 1);
    ck_assert_int_eq(fx_cost(&q), 2);
    bool swapped = fake_request(fx.fake, 1).q.num[AXIS_END_TIME].lo != day;
    expect_asked(1 + swapped, day, day + 8 * HOUR);
    expect_asked(2 - swapped, day + 16 * HOUR, day + DAY);
    fx_expect_all(&q);
}
END_TEST

START_TEST(every_request_has_both_ends_the_upper_one_pinned_at_the_servers_clock)
{
    struct query q = fx_between(TODAY, INT64_MAX), all = QUERY_ALL;
    fake_add_many(fx.fake, 1, 45, TODAY, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    ck_assert_int_eq(fx_ask(&all), 0);
    for (int i = 0; i < fake_requests(fx.fake); i++) {
        struct range r = fake_request(fx.fake, i).q.num[AXIS_END_TIME];
        ck_assert_int_ge(r.lo, TODAY - 89 * DAY);
        ck_assert_int_ge(r.hi, TODAY);
        ck_assert_int_le(r.hi, NOON + 60);
    }
    ck_assert_int_le(fake_request(fx.fake, 0).q.num[AXIS_END_TIME].hi, NOON + 5);
}
END_TEST

START_TEST(what_is_no_longer_served_is_known_without_a_request)
{
    struct query q = fx_day(90);
    ck_assert(cache_beyond(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 0);
    q = fx_day(89);
    ck_assert(!cache_beyond(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 1);
}
END_TEST

START_TEST(a_contradiction_and_the_future_cost_nothing)
{
    struct query q = fx_with(fx_day(1), AXIS_DIRECTION, "outbound");
    q = fx_with(q, AXIS_DIRECTION, "inbound");
    ck_assert_int_eq(fx_cost(&q), 0);
    q = fx_day(-1);
    ck_assert_int_eq(fx_cost(&q), 0);
}
END_TEST

/* --- sharing --- */

static void expect_shared(const struct query *first, const struct query *second, int requests)
{
    FAKE_SET(fx.fake, let, 0);
    uint64_t a = fx_want(first, UINT64_MAX), b = fx_want(second, UINT64_MAX);
    fake_wait_asked(fx.fake, 1);
    fx_drain();
    FAKE_SET(fx.fake, let, -1);
    expect_told(a, 0, true);
    expect_told(b, 0, true);
    ck_assert_int_eq(fake_requests(fx.fake), requests);
}

START_TEST(equal_wants_share_one_walk)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 50, TODAY - 3 * DAY, 60);
    expect_shared(&q, &q, 3);
}
END_TEST

START_TEST(a_want_contained_in_one_under_way_shares_its_walk)
{
    struct query q = fx_day(3), hour = fx_between(TODAY - 3 * DAY, TODAY - 3 * DAY + HOUR);
    hour = fx_with(hour, AXIS_DIRECTION, "outbound");
    fake_add_many(fx.fake, 1, 50, TODAY - 3 * DAY, 60);
    expect_shared(&q, &hour, 3);
}
END_TEST

START_TEST(a_want_that_reaches_further_fetches_only_what_is_not_under_way)
{
    struct query day = fx_day(3), two = fx_between(TODAY - 3 * DAY, TODAY - DAY);
    fake_add_many(fx.fake, 1, 50, TODAY - 3 * DAY, 60);
    expect_shared(&day, &two, 4);
    fx_expect_all(&two);
}
END_TEST

/* --- failures --- */

static const int errors[] = {-EACCES, -EBUSY, -ETIMEDOUT, -EHOSTUNREACH, -EIO, -EBADMSG};

START_TEST(a_failure_reaches_all_who_wait_and_a_later_want_tries_anew)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 50, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, let, 0);
    FAKE_SET(fx.fake, fail_all, errors[_i]);
    uint64_t a = fx_want(&q, UINT64_MAX), b = fx_want(&q, UINT64_MAX);
    fake_wait_asked(fx.fake, 1);
    fx_drain();
    FAKE_SET(fx.fake, let, -1);
    expect_told(a, errors[_i], false);
    expect_told(b, errors[_i], false);
    ck_assert_int_eq(fake_requests(fx.fake), 1);
    ck_assert(!cache_known(fx.cache, &q));
    FAKE_SET(fx.fake, fail_all, 0);
    ck_assert_int_eq(fx_cost(&q), 3);
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_failure_of_any_one_page_fails_the_listing_and_covers_nothing)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 100, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, fail_err, -EIO);
    FAKE_SET(fx.fake, fail_in, _i + 1);
    expect_told(fx_want(&q, UINT64_MAX), -EIO, false);
    ck_assert(!cache_known(fx.cache, &q));
    ck_assert(!cache_held(fx.cache, &q));
    fx_close();
    fx_open();
    ck_assert(!cache_held(fx.cache, &q));
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_failed_walk_is_reported_once)
{
    struct query q = fx_day(3);
    FAKE_SET(fx.fake, fail_all, -EACCES);
    ck_assert_int_eq(fx_ask(&q), -EACCES);
    fx_drain();
    ck_assert_int_eq(fx.reports, 1);
}
END_TEST

/* --- ends --- */

START_TEST(a_cancelled_want_is_interrupted_and_the_others_are_not)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 50, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, let, 0);
    uint64_t a = fx_want(&q, UINT64_MAX), b = fx_want(&q, UINT64_MAX);
    cache_cancel(fx.cache, a);
    cache_cancel(fx.cache, a);
    cache_cancel(fx.cache, NOBODY);
    expect_told(a, -EINTR, false);
    FAKE_SET(fx.fake, let, -1);
    expect_told(b, 0, true);
    cache_cancel(fx.cache, b);
    fx_drain();
    ck_assert_int_eq(fx_told(a).count, 1);
    ck_assert_int_eq(fx_told(b).count, 1);
}
END_TEST

START_TEST(a_want_waits_no_longer_than_the_deadline)
{
    struct query q = fx_day(3);
    FAKE_SET(fx.fake, let, 0);
    uint64_t id = fx_want(&q, UINT64_MAX);
    fake_wait_asked(fx.fake, 1);
    atomic_store(&skew_ms, 29000);
    fx_drain();
    ck_assert_int_eq(fx_told(id).count, 0);
    atomic_store(&skew_ms, 31000);
    cache_cancel(fx.cache, NOBODY);
    expect_told(id, -ETIMEDOUT, false);
}
END_TEST

START_TEST(the_deadline_needs_no_message_to_pass)
{
    struct query q = fx_day(3);
    fx_close();
    fx.opts.deadline_ms = 100;
    fx_open();
    FAKE_SET(fx.fake, let, 0);
    expect_told(fx_want(&q, UINT64_MAX), -ETIMEDOUT, false);
}
END_TEST

START_TEST(a_walk_nobody_wants_any_more_asks_for_no_further_page)
{
    struct query q = fx_day(3);
    fx_close();
    fx.opts.pages_at_once = 1;
    fx_open();
    fake_add_many(fx.fake, 1, 200, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, let, 0);
    uint64_t id = fx_want(&q, UINT64_MAX);
    fake_wait_asked(fx.fake, 1);
    cache_cancel(fx.cache, id);
    expect_told(id, -EINTR, false);
    atomic_store(&skew_ms, 20000);
    FAKE_SET(fx.fake, let, 1);
    fake_wait_answered(fx.fake, 1);
    fx_drain();
    struct query one = fx_day(7);
    FAKE_SET(fx.fake, let, -1);
    ck_assert_int_eq(fx_cost(&one), 1);
    ck_assert(!cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(destroying_answers_every_want_once)
{
    struct query q = fx_day(3), other = fx_day(4);
    uint64_t ids[8];
    fake_add_many(fx.fake, 1, 200, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, let, _i);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        ids[i] = fx_want(i % 2 ? &q : &other, UINT64_MAX);
    struct want one = {.q = QUERY_ALL, .uuid = "call-000007"};
    uint64_t by_uuid = fx_want_model(one);
    fake_wait_answered(fx.fake, _i);
    fx_close();
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct told t = fx_told(ids[i]);
        ck_assert_int_eq(t.count, 1);
        ck_assert(t.err == -ENOTCONN || (t.err == 0 && t.whole));
    }
    ck_assert_int_eq(fx_told(by_uuid).count, 1);
    fx_open();
}
END_TEST

START_TEST(a_want_is_told_when_the_first_page_is_stored)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 50, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, let, 1);
    uint64_t tick = cache_tick(fx.cache);
    expect_told(fx_want(&q, tick), 0, false);
    ck_assert_int_eq(fx_count(&q), 20);
    ck_assert_uint_ne(cache_tick(fx.cache), tick);
    ck_assert(!cache_known(fx.cache, &q));
    FAKE_SET(fx.fake, let, -1);
    ck_assert_int_eq(fx_ask(&q), 0);
    ck_assert_int_eq(fake_requests(fx.fake), 3);
}
END_TEST

START_TEST(the_rest_of_a_day_is_asked_for_in_parallel)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 180, TODAY - 3 * DAY, 60);
    FAKE_SET(fx.fake, let, 1);
    uint64_t id = fx_want(&q, UINT64_MAX);
    fake_wait_asked(fx.fake, 9); /* the first, then eight at once */
    FAKE_SET(fx.fake, let, -1);
    expect_told(id, 0, true);
    ck_assert_int_eq(fake_requests(fx.fake), 9);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(a_cold_day_costs_a_request_for_each_page, cold_days),
        ONCE(a_held_day_costs_nothing_also_after_reopening),
        ONCE(a_held_empty_day_costs_nothing_after_reopening),
        ONCE(both_directions_held_make_the_whole_day_known),
        EACH(a_narrower_question_about_held_calls_costs_nothing, narrower),
        ONCE(only_the_uncovered_remainder_is_asked_for),
        ONCE(every_request_has_both_ends_the_upper_one_pinned_at_the_servers_clock),
        ONCE(what_is_no_longer_served_is_known_without_a_request),
        ONCE(a_contradiction_and_the_future_cost_nothing),
        ONCE(equal_wants_share_one_walk),
        ONCE(a_want_contained_in_one_under_way_shares_its_walk),
        ONCE(a_want_that_reaches_further_fetches_only_what_is_not_under_way),
        EACH(a_failure_reaches_all_who_wait_and_a_later_want_tries_anew, errors),
        {a_failure_of_any_one_page_fails_the_listing_and_covers_nothing, 5},
        ONCE(a_failed_walk_is_reported_once),
        ONCE(a_cancelled_want_is_interrupted_and_the_others_are_not),
        ONCE(a_want_waits_no_longer_than_the_deadline),
        ONCE(the_deadline_needs_no_message_to_pass),
        ONCE(a_walk_nobody_wants_any_more_asks_for_no_further_page),
        {destroying_answers_every_want_once, 5},
        ONCE(a_want_is_told_when_the_first_page_is_stored),
        ONCE(the_rest_of_a_day_is_asked_for_in_parallel),
    };
    return run_suite_with("cache", tests, ARRAY_LEN(tests), setup, fx_teardown);
}
