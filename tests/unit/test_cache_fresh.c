// SPDX-License-Identifier: MIT
/* How long what was read is believed (DESIGN.md section 2), by moving the server's clock. */
#include "cache/cache.h"

#include <errno.h>

#include "cache/keeper.h"
#include "tests/unit/cache_fixture.h"

/* The interval of the newest request. */
static struct range last_asked(void)
{
    return fake_request(fx.fake, fake_requests(fx.fake) - 1).q.num[AXIS_END_TIME];
}

static void expect_near(int64_t t, int64_t expected)
{
    ck_assert_int_ge(t, expected - 30);
    ck_assert_int_le(t, expected + 30);
}

START_TEST(today_is_believed_for_the_ttl_with_the_seconds_since)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 30, TODAY, 60);
    ck_assert_int_eq(fx_cost(&q), 2);
    fx_set_now(NOON + 50);
    ck_assert(cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 0);
    fx_set_now(NOON + 61);
    ck_assert(!cache_known(fx.cache, &q));
    ck_assert(cache_held(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 1);
}
END_TEST

START_TEST(a_reading_that_began_before_the_servers_clock_was_known_is_not_taken_for_a_late_one)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 30, TODAY, 60);
    clock_learn(&fx.cache->clock, NOON + 5 * DAY); /* the local clock, until somebody answers */
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_set_now(NOON + 61);
    ck_assert(!cache_known(fx.cache, &q));
}
END_TEST

START_TEST(a_reading_is_believed_for_a_tenth_of_how_long_it_had_been_over)
{
    struct query morning = fx_between(TODAY, TODAY + 2 * HOUR); /* over for ten hours */
    fake_add_many(fx.fake, 1, 12, TODAY, 600);
    ck_assert_int_eq(fx_ask(&morning), 0);
    fx_set_now(NOON + 3600 - 30);
    ck_assert_int_eq(fx_cost(&morning), 0);
    fx_set_now(NOON + 3600 + 30);
    ck_assert(!cache_known(fx.cache, &morning));
    ck_assert_int_eq(fx_cost(&morning), 1);
    ck_assert_int_eq(last_asked().lo, TODAY);
    ck_assert_int_eq(last_asked().hi, TODAY + 2 * HOUR);
}
END_TEST

START_TEST(what_was_read_after_it_settled_is_final)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_set_now(NOON + 80 * DAY);
    ck_assert(cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 0);
    fx_close();
    fx_open();
    ck_assert_int_eq(fx_cost(&q), 0);
}
END_TEST

START_TEST(what_is_final_stays_when_the_api_forgets_it)
{
    struct query q = fx_day(3);
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_set_now(NOON + 200 * DAY);
    ck_assert(cache_beyond(fx.cache, &q));
    ck_assert_int_eq(fx_cost(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(only_what_had_not_settled_is_asked_for_again)
{
    struct query q = fx_day(2); /* ended 36 hours before it is read */
    fake_add_many(fx.fake, 1, 48, TODAY - 2 * DAY, 1800);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_set_now(NOON + 3 * HOUR);
    ck_assert_int_eq(fx_cost(&q), 0);
    fx_set_now(NOON + 4 * HOUR);
    ck_assert_int_eq(fx_cost(&q), 1);
    expect_near(last_asked().lo, NOON - 48 * HOUR);
    ck_assert_int_eq(last_asked().hi, TODAY - DAY);
    fx_set_now(NOON + 60 * DAY);
    ck_assert_int_eq(fx_cost(&q), 1);
    expect_near(last_asked().lo, NOON - 44 * HOUR);
    fx_set_now(NOON + 70 * DAY);
    ck_assert_int_eq(fx_cost(&q), 0);
}
END_TEST

START_TEST(a_ttl_of_none_asks_each_time_and_still_comes_to_an_end)
{
    struct query q = fx_day(0), settled = fx_day(5);
    fx_close();
    fx.opts.ttl_s = 0;
    fx_open();
    fake_add_many(fx.fake, 1, 5, NOON - 600, 60);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fx_cost(&q), 1);
    fx_expect_all(&q);
    ck_assert_int_eq(fx_cost(&settled), 1);
    ck_assert_int_eq(fx_cost(&settled), 0);
}
END_TEST

/* --- while the API fails --- */

START_TEST(while_the_api_fails_what_was_whole_is_served_for_a_day)
{
    struct query q = fx_between(TODAY, NOON);
    fake_add_many(fx.fake, 1, 30, TODAY, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    FAKE_SET(fx.fake, fail_all, -EHOSTUNREACH);
    fx_set_now(NOON + 23 * HOUR);
    ck_assert(!cache_known(fx.cache, &q));
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
    fx_set_now(NOON + 26 * HOUR);
    ck_assert_int_eq(fx_ask(&q), -EHOSTUNREACH);
    FAKE_SET(fx.fake, fail_all, 0);
    ck_assert_int_eq(fx_ask(&q), 0);
}
END_TEST

START_TEST(while_the_api_fails_what_is_not_held_is_an_error)
{
    struct query held = fx_day(3), both = fx_between(TODAY - 3 * DAY, TODAY - DAY);
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&held), 0);
    FAKE_SET(fx.fake, fail_all, -EIO);
    ck_assert_int_eq(fx_ask(&both), -EIO);
    ck_assert_int_eq(fx_ask(&held), 0);
}
END_TEST

START_TEST(nothing_stale_is_served_when_that_is_switched_off)
{
    struct query q = fx_between(TODAY, NOON);
    fx_close();
    fx.opts.stale_if_error_s = 0;
    fx_open();
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_set_now(NOON + 5 * HOUR);
    FAKE_SET(fx.fake, fail_all, -EIO);
    ck_assert_int_eq(fx_ask(&q), -EIO);
}
END_TEST

/* --- refreshing --- */

static const struct {
    int fresh_calls, least, most; /* requests */
} refreshes[] = {{0, 1, 1}, {1, 1, 1}, {19, 1, 1}, {20, 1, 1}, {21, 2, 7}, {45, 3, 8}};

START_TEST(refreshing_costs_one_request_for_up_to_twenty_new_calls)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 100, TODAY, 420);
    ck_assert_int_eq(fx_cost(&q), 5);
    fx_set_now(NOON + HOUR);
    fake_add_many(fx.fake, 1000, refreshes[_i].fresh_calls, NOON + 10, 60);
    int cost = fx_cost(&q);
    ck_assert_int_ge(cost, refreshes[_i].least);
    ck_assert_int_le(cost, refreshes[_i].most);
    ck_assert(cache_known(fx.cache, &q));
    fx_expect_all(&q);
}
END_TEST

START_TEST(records_that_come_late_into_an_old_interval_are_found)
{
    struct query q = fx_day(1);
    fake_add_many(fx.fake, 1, 100, TODAY - DAY, 600);
    ck_assert_int_eq(fx_ask(&q), 0);
    fake_add_many(fx.fake, 1000, _i, TODAY - DAY + 5, 2000);
    fx_set_now(NOON + 10 * HOUR);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_expect_all(&q);
}
END_TEST

START_TEST(a_wider_reading_that_became_old_is_refreshed_instead_of_a_narrow_one)
{
    struct query q = fx_day(0);
    struct query in = fx_with(q, AXIS_DIRECTION, "inbound");
    struct query out = fx_with(q, AXIS_DIRECTION, "outbound");
    fake_add_many(fx.fake, 1, 30, TODAY, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    fx_set_now(NOON + 1800);
    fake_add_many(fx.fake, 100, 5, NOON + 60, 60);
    ck_assert_int_eq(fx_cost(&out), 1);
    struct query asked = fake_request(fx.fake, 2).q;
    ck_assert(range_is_all(asked.num[AXIS_DIRECTION]));
    ck_assert_int_eq(fx_cost(&in), 0);
    ck_assert_int_eq(fx_cost(&q), 0);
    fx_expect_all(&q);
}
END_TEST

static int64_t id_of(const char *uuid, struct entry *ret)
{
    struct query all = QUERY_ALL;
    bool matches;
    ck_assert_int_eq(cache_find(fx.cache, &all, uuid, ret, &matches), 0);
    return ret->id;
}

START_TEST(an_amended_record_is_told_and_has_a_new_mtime_and_the_same_id)
{
    struct query q = fx_day(0);
    struct entry before, after;
    char *body;
    size_t n;
    fake_add_many(fx.fake, 1, 5, NOON - 600, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    ck_assert_int_eq(fx.amended, 0);
    int64_t id = id_of("call-000003", &before);
    uint64_t changes = cache_changes(fx.cache);
    fake_amend(fx.fake, 3, "amended");
    fx_set_now(NOON + 2 * HOUR);
    ck_assert_int_eq(fx_ask(&q), 0);
    ck_assert_int_eq(fx.amended, 1);
    ck_assert_uint_gt(cache_changes(fx.cache), changes);
    ck_assert_int_eq(id_of("call-000003", &after), id);
    ck_assert_int_eq(before.mtime, before.end_time);
    expect_near(after.mtime, NOON + 2 * HOUR);
    ck_assert_int_eq(cache_body(fx.cache, id, &body, &n), 0);
    ck_assert_int_eq((int64_t)n, after.size);
    ck_assert_ptr_nonnull(memmem(body, n, "amended", 7));
    free(body);
}
END_TEST

START_TEST(nothing_new_changes_nothing)
{
    struct query q = fx_day(0);
    fake_add_many(fx.fake, 1, 5, NOON - 600, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    uint64_t changes = cache_changes(fx.cache);
    fx_set_now(NOON + 2 * HOUR);
    ck_assert_int_eq(fx_cost(&q), 1);
    ck_assert_uint_eq(cache_changes(fx.cache), changes);
}
END_TEST

START_TEST(the_servers_clock_decides_which_day_it_is)
{
    struct query q = fx_day(0);
    ck_assert_int_eq(cache_served_from(fx.cache), TODAY - 89 * DAY);
    FAKE_SET(fx.fake, date, NOON + 3 * DAY);
    ck_assert_int_eq(fx_ask(&q), 0);
    expect_near(cache_now(fx.cache), NOON + 3 * DAY);
    ck_assert_int_eq(cache_served_from(fx.cache), TODAY - 86 * DAY);
    FAKE_SET(fx.fake, date, 0); /* an answer without a date changes nothing */
    q = fx_day(7);
    ck_assert_int_eq(fx_ask(&q), 0);
    expect_near(cache_now(fx.cache), NOON + 3 * DAY);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(today_is_believed_for_the_ttl_with_the_seconds_since),
        ONCE(a_reading_that_began_before_the_servers_clock_was_known_is_not_taken_for_a_late_one),
        ONCE(a_reading_is_believed_for_a_tenth_of_how_long_it_had_been_over),
        ONCE(what_was_read_after_it_settled_is_final),
        ONCE(what_is_final_stays_when_the_api_forgets_it),
        ONCE(only_what_had_not_settled_is_asked_for_again),
        ONCE(a_ttl_of_none_asks_each_time_and_still_comes_to_an_end),
        ONCE(while_the_api_fails_what_was_whole_is_served_for_a_day),
        ONCE(while_the_api_fails_what_is_not_held_is_an_error),
        ONCE(nothing_stale_is_served_when_that_is_switched_off),
        EACH(refreshing_costs_one_request_for_up_to_twenty_new_calls, refreshes),
        {records_that_come_late_into_an_old_interval_are_found, 40},
        ONCE(a_wider_reading_that_became_old_is_refreshed_instead_of_a_narrow_one),
        ONCE(an_amended_record_is_told_and_has_a_new_mtime_and_the_same_id),
        ONCE(nothing_new_changes_nothing),
        ONCE(the_servers_clock_decides_which_day_it_is),
    };
    return run_suite_with("cache_fresh", tests, ARRAY_LEN(tests), fx_setup, fx_teardown);
}
