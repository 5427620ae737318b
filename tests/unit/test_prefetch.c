// SPDX-License-Identifier: MIT
/* Reading ahead by wish, and what questions would cost. */
#include <errno.h>

#include "tests/unit/cache_fixture.h"

static struct prefetch wishes[PREFETCH_MAX];

/* The last one, when it has ended. */
static struct prefetch ended(void)
{
    for (;;) {
        int n = cache_prefetches(fx.cache, wishes);
        ck_assert_int_gt(n, 0);
        if (wishes[n - 1].state != PREFETCH_RUNNING)
            return wishes[n - 1];
        fx_drain();
    }
}

static struct prefetch read_ahead(struct query q)
{
    ck_assert_int_eq(cache_prefetch(fx.cache, "a name", &q), 0);
    return ended();
}

static struct query days(int first_ago, int last_ago)
{
    return fx_between(TODAY - (int64_t)first_ago * DAY, TODAY - (int64_t)(last_ago - 1) * DAY);
}

START_TEST(many_small_days_cost_little_more_than_their_pages)
{
    for (int i = 1; i <= 30; i++)
        fake_add_many(fx.fake, i * 100, 10, TODAY - i * DAY, 60);
    struct query q = days(30, 1);
    struct prefetch p = read_ahead(q);
    ck_assert_int_eq(p.state, PREFETCH_DONE);
    ck_assert_int_eq(p.calls, 300);
    ck_assert_int_eq(p.requests, fake_requests(fx.fake));
    ck_assert_int_le(p.requests, 15 + 5);
    ck_assert(cache_known(fx.cache, &q));
    ck_assert_int_eq(read_ahead(q).requests, 0);
}
END_TEST

START_TEST(pieces_are_no_longer_than_they_have_to_be)
{
    for (int i = 1; i <= 8; i++)
        fake_add_many(fx.fake, i * 2000, 1500, TODAY - i * DAY, 50);
    struct query q = days(8, 1);
    struct prefetch p = read_ahead(q);
    ck_assert_int_eq(p.calls, 12000);
    for (int i = 0; i < fake_requests(fx.fake); i++) {
        struct range r = fake_request(fx.fake, i).q.num[AXIS_END_TIME];
        ck_assert_int_le(r.hi - r.lo, 2 * DAY);
    }
}
END_TEST

START_TEST(a_failure_ends_it_and_what_came_stays)
{
    fake_add_many(fx.fake, 1, 5, TODAY - 4 * DAY, 60);
    fake_add_many(fx.fake, 100, 5, TODAY - 2 * DAY, 60);
    FAKE_SET(fx.fake, fail_err, -EBUSY);
    FAKE_SET(fx.fake, fail_in, 2);
    struct prefetch p = read_ahead(days(4, 1));
    ck_assert_int_eq(p.state, PREFETCH_FAILED);
    ck_assert_int_eq(p.err, -EBUSY);
    struct query first = fx_day(4);
    ck_assert(cache_known(fx.cache, &first));
    ck_assert_int_eq(read_ahead(days(4, 1)).state, PREFETCH_DONE);
}
END_TEST

START_TEST(one_under_way_is_joined_and_so_many_are_taken)
{
    struct query q = fx_day(3), old = fx_day(200);
    char name[16];
    FAKE_SET(fx.fake, let, 0);
    for (int i = 0; i < PREFETCH_MAX; i++) {
        snprintf(name, sizeof(name), "wish %d", i);
        ck_assert_int_eq(cache_prefetch(fx.cache, name, &q), 0);
    }
    ck_assert_int_eq(cache_prefetch(fx.cache, "one more", &q), -EBUSY);
    ck_assert_int_eq(cache_prefetch(fx.cache, "wish 7", &q), 0);
    ck_assert_int_eq(cache_prefetch(fx.cache, "old", &old), -ENODATA);
    FAKE_SET(fx.fake, let, -1);
    ended();
    ck_assert_int_eq(fake_requests(fx.fake), 1);
    ck_assert_int_eq(cache_prefetch(fx.cache, "one more", &q), 0);
    ck_assert_uint_eq(ended().number, PREFETCH_MAX + 1);
}
END_TEST

START_TEST(nothing_of_a_contradiction_is_asked_for)
{
    struct query q =
        fx_with(fx_with(fx_day(1), AXIS_DIRECTION, "inbound"), AXIS_DIRECTION, "outbound");
    ck_assert_int_eq(read_ahead(q).state, PREFETCH_DONE);
    ck_assert_int_eq(fake_requests(fx.fake), 0);
}
END_TEST

START_TEST(it_ends_with_the_cache)
{
    struct query q = fx_day(1);
    FAKE_SET(fx.fake, let, 0);
    ck_assert_int_eq(cache_prefetch(fx.cache, "a name", &q), 0);
    fake_wait_asked(fx.fake, 1);
    fx_close();
    fx_open();
    ck_assert_int_eq(cache_prefetches(fx.cache, wishes), 0);
}
END_TEST

/* --- explain --- */

static struct cache_explained explained;

static const struct cache_explained *explain(struct query q)
{
    int before = fake_requests(fx.fake);
    ck_assert_int_eq(cache_explain(fx.cache, &q, "", &explained), 0);
    ck_assert_int_eq(fake_requests(fx.fake), before);
    return &explained;
}

START_TEST(what_is_told_is_what_it_costs)
{
    struct query q = fx_day(5), narrow = fx_with(q, AXIS_DIRECTION, "inbound");
    fake_add_many(fx.fake, 1, 45, TODAY - 5 * DAY, 60);
    const struct cache_explained *x = explain(q);
    ck_assert(!x->known && !x->held && !x->sure && x->asks && x->readings == 0);
    ck_assert_int_eq(x->requests, 1);
    ck_assert_int_eq(fx_cost(&q), 3);
    x = explain(q);
    ck_assert(x->known && x->held && x->readings == 1 && x->sure);
    ck_assert_int_eq(x->requests, 0);
    ck_assert_int_eq(x->reread, 1);
    ck_assert_int_eq(x->calls, 45);
    ck_assert_int_eq(x->expires_at, INT64_MAX);
    ck_assert_int_eq(x->fetched_at, NOON);
    ck_assert_int_eq(explain(narrow)->requests, 0);
    cache_refresh(fx.cache, &q);
    x = explain(q);
    ck_assert(!x->known && x->held && x->sure && x->reading[0].state == SPAN_STALE);
    ck_assert_int_eq(x->requests, fx_cost(&q));
}
END_TEST

START_TEST(all_time_is_a_question_like_others)
{
    struct query all = QUERY_ALL;
    fake_add_many(fx.fake, 1, 5, TODAY - 5 * DAY, 60);
    ck_assert_int_eq(explain(all)->requests, 1);
    ck_assert_int_eq(cache_prefetch(fx.cache, "/", &all), 0);
    ck_assert_int_eq(ended().calls, 5);
    ck_assert_int_eq(explain(all)->requests, 0);
    ck_assert_int_gt(explained.readings, 1);
}
END_TEST

START_TEST(a_call_is_held_or_must_be_asked_for)
{
    struct query q = fx_day(5), all = QUERY_ALL;
    struct call c = fake_call(7, TODAY - 5 * DAY);
    fake_add(fx.fake, 7, TODAY - 5 * DAY);
    ck_assert_int_eq(cache_explain(fx.cache, &all, c.uuid, &explained), 0);
    ck_assert(!explained.known && explained.requests == 1 && !explained.sure);
    fx_cost(&q);
    ck_assert_int_eq(cache_explain(fx.cache, &all, c.uuid, &explained), 0);
    ck_assert(explained.known && explained.requests == 0 && explained.calls == 1);
    ck_assert_int_eq(cache_explain(fx.cache, &q, "no-such-call", &explained), 0);
    ck_assert(explained.known && explained.requests == 0 && explained.calls == 0);
}
END_TEST

START_TEST(both_directions_together_cover_everything)
{
    struct query q = fx_day(5);
    struct query in = fx_with(q, AXIS_DIRECTION, "inbound");
    struct query out = fx_with(q, AXIS_DIRECTION, "outbound");
    fake_add_many(fx.fake, 1, 5, TODAY - 5 * DAY, 60);
    fx_cost(&in);
    ck_assert_int_eq(explain(q)->requests, 1);
    fx_cost(&out);
    ck_assert_int_eq(explain(q)->requests, 0);
    ck_assert_int_eq(explained.readings, 2);
}
END_TEST

START_TEST(today_expires)
{
    struct query q = fx_day(0);
    fake_add(fx.fake, 1, NOON - 60);
    fx_cost(&q);
    ck_assert_int_ge(explain(q)->expires_at, NOON + 59);
    ck_assert_int_le(explained.expires_at, NOON + 61);
    fx_set_now(NOON + 120);
    ck_assert_int_eq(explain(q)->expires_at, 0);
    ck_assert_int_eq(explained.requests, fx_cost(&q));
}
END_TEST

START_TEST(counters_count)
{
    struct cache_stats s;
    struct query old = fx_day(5), today = fx_day(0);
    fx_cost(&old);
    fx_cost(&today);
    cache_asked(fx.cache, true);
    cache_asked(fx.cache, false);
    cache_asked(fx.cache, true);
    cache_stats(fx.cache, &s);
    ck_assert_uint_eq(s.hits, 2);
    ck_assert_uint_eq(s.misses, 1);
    ck_assert_int_eq(s.readings[SPAN_FINAL], 1);
    ck_assert_int_eq(s.readings[SPAN_FRESH], 1);
    ck_assert_int_eq(s.readings[SPAN_STALE], 0);
    cache_refresh(fx.cache, &today);
    cache_stats(fx.cache, &s);
    ck_assert_int_eq(s.readings[SPAN_STALE], 1);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(many_small_days_cost_little_more_than_their_pages),
        ONCE(pieces_are_no_longer_than_they_have_to_be),
        ONCE(a_failure_ends_it_and_what_came_stays),
        ONCE(one_under_way_is_joined_and_so_many_are_taken),
        ONCE(nothing_of_a_contradiction_is_asked_for),
        ONCE(it_ends_with_the_cache),
        ONCE(what_is_told_is_what_it_costs),
        ONCE(all_time_is_a_question_like_others),
        ONCE(a_call_is_held_or_must_be_asked_for),
        ONCE(both_directions_together_cover_everything),
        ONCE(today_expires),
        ONCE(counters_count),
    };
    return run_suite_with("prefetch", tests, ARRAY_LEN(tests), fx_setup, fx_teardown);
}
