// SPDX-License-Identifier: MIT
/*
 * Rows that are read before they are asked for. What was at hand is told by SQLite not being asked:
 * linked with --wrap of what the store steps with.
 */
#include "cache/ready.h"

#include <sqlite3.h>

#include "tests/unit/cache_fixture.h"

int __real_sqlite3_step(sqlite3_stmt *st);
int __wrap_sqlite3_step(sqlite3_stmt *st);

static _Thread_local long steps; /* the cache's thread has its own work */

int __wrap_sqlite3_step(sqlite3_stmt *st)
{
    steps++;
    return __real_sqlite3_step(st);
}

#define MANY 1000

/* A reply of so much room, and all that came so far. */
struct reader {
    struct query q;
    int64_t last;
    size_t room, taken;
    struct entry got[MANY];
    size_t n;
};

static bool take(void *arg, const struct entry *e)
{
    struct reader *r = arg;
    if (r->taken == r->room)
        return false;
    expect(r->n < MANY && e->id > r->last, "%s comes twice", e->uuid);
    r->taken++;
    r->got[r->n++] = *e;
    r->last = e->id;
    return true;
}

/* Asks for so many more; returns whether that was at hand. */
static bool go_on(struct reader *r, size_t room)
{
    long before = steps;
    r->room = room;
    r->taken = 0;
    ck_assert_int_eq(cache_list(fx.cache, &r->q, r->last, take, r), 0);
    return steps == before;
}

static void expect_more(const struct reader *r, size_t most)
{
    cache_expect(fx.cache, &r->q, r->last, most, true);
}

static struct reader reader_of(int ago)
{
    return (struct reader){.q = fx_day(ago)};
}

/* The calls of a day that many days ago, which is held then. */
static struct reader hold(int ago, int n)
{
    struct reader r = reader_of(ago);
    fake_add_many(fx.fake, ago * 1000, n, TODAY - ago * (int64_t)DAY, 60);
    ck_assert_int_eq(fx_ask(&r.q), 0);
    return r;
}

START_TEST(what_was_expected_is_at_hand)
{
    struct reader r = hold(5, 100);
    ck_assert(!go_on(&r, 20));
    expect_more(&r, 21);
    ck_assert(go_on(&r, 20));
    ck_assert(!go_on(&r, 20)); /* nothing was expected */
    expect_more(&r, 1000);
    ck_assert(go_on(&r, 1000));
    expect_more(&r, 20);
    ck_assert(go_on(&r, 20));
    ck_assert_uint_eq(r.n, 100);
}
END_TEST

START_TEST(every_call_comes_once_whatever_is_expected)
{
    struct rng rng = {1};
    hold(5, 200);
    for (int i = 0; i < 300; i++) {
        struct reader r = reader_of(5);
        do {
            go_on(&r, 1 + (size_t)rng_below(&rng, 60));
            if (!rng_one_in(&rng, 3))
                expect_more(&r, 1 + (size_t)rng_below(&rng, 60));
        } while (r.taken);
        ck_assert_uint_eq(r.n, 200);
    }
}
END_TEST

START_TEST(what_was_taken_is_not_there_for_another)
{
    struct reader a = hold(5, 100), b = a;
    go_on(&a, 20);
    go_on(&b, 20);
    expect_more(&a, 21);
    ck_assert(go_on(&b, 20));
    ck_assert(!go_on(&a, 20));
    ck_assert_uint_eq(a.n, b.n);
}
END_TEST

START_TEST(another_query_is_not_answered_by_it)
{
    struct reader a = hold(5, 100), b = a;
    b.q = fx_with(b.q, AXIS_DIRECTION, "outbound");
    go_on(&a, 20);
    expect_more(&a, 1000);
    b.last = a.last;
    ck_assert(!go_on(&b, 100));
    ck_assert_uint_eq(b.n, 40);
}
END_TEST

START_TEST(an_amended_call_is_as_it_is_now)
{
    struct reader r = reader_of(0);
    int64_t size = 0, others = 0;
    fake_add_many(fx.fake, 1, 15, NOON - 3600, 60);
    ck_assert_int_eq(fx_ask(&r.q), 0);
    go_on(&r, 5);
    expect_more(&r, 1000);
    fake_amend(fx.fake, 3, "amended, and longer than it was");
    fx_set_now(NOON + 2 * HOUR);
    ck_assert_int_eq(fx_ask(&r.q), 0);
    ck_assert(!go_on(&r, 1000));
    for (size_t i = 0; i < r.n; i++)
        if (strcmp(r.got[i].uuid, "call-000003") == 0)
            size = r.got[i].size;
        else
            others = r.got[i].size;
    ck_assert_int_gt(size, others);
}
END_TEST

START_TEST(a_call_that_came_meanwhile_is_listed_once)
{
    struct reader r = reader_of(0);
    fake_add_many(fx.fake, 1, 15, NOON - 3600, 60);
    ck_assert_int_eq(fx_ask(&r.q), 0);
    for (int i = 0; i < 5; i++) {
        go_on(&r, 3);
        expect_more(&r, 1000);
        fake_add(fx.fake, 100 + i, NOON + i);
        fx_set_now(NOON + (i + 1) * HOUR);
        ck_assert_int_eq(fx_ask(&r.q), 0);
    }
    ck_assert(!go_on(&r, 1000));
    ck_assert_uint_eq(r.n, 20);
}
END_TEST

START_TEST(nothing_is_expected_of_what_is_not_known)
{
    struct reader r = reader_of(0);
    fake_add_many(fx.fake, 1, 15, NOON - 3600, 60);
    ck_assert_int_eq(fx_ask(&r.q), 0);
    fx_set_now(NOON + 2 * HOUR);
    go_on(&r, 5);
    expect_more(&r, 1000);
    ck_assert(!go_on(&r, 1000));
}
END_TEST

/* Lists a day whole, and expects more as a single reply does. */
static bool list_day(int ago)
{
    struct reader r = reader_of(ago);
    bool at_hand = go_on(&r, MANY);
    if (r.n)
        cache_expect(fx.cache, &r.q, r.last, MANY, false);
    ck_assert(r.n == 0 || go_on(&r, MANY) || !at_hand);
    return at_hand;
}

static const int ways[] = {1, -1};

START_TEST(who_goes_day_after_day_finds_the_next_one_at_hand)
{
    int way = ways[_i];
    for (int ago = 10; ago < 20; ago++)
        hold(ago, ago % 4 ? 10 : 0); /* every fourth has none, and is not listed */
    fx_close();
    fx_open();
    int first = way > 0 ? 10 : 19, listed = 0;
    for (int i = 0; i < 10; i++) {
        int ago = first + way * i;
        if (ago % 4)
            expect(list_day(ago) == (listed++ >= 2), "day %d", ago);
    }
}
END_TEST

START_TEST(who_looks_at_days_here_and_there_has_nothing_read_for_him)
{
    static const int days[] = {10, 30, 50, 20, 40, 60};
    for (size_t i = 0; i < ARRAY_LEN(days); i++)
        hold(days[i], 10);
    for (size_t i = 0; i < ARRAY_LEN(days); i++) {
        struct reader r = reader_of(days[i]);
        go_on(&r, MANY);
        long before = steps;
        cache_expect(fx.cache, &r.q, r.last, MANY, false);
        ck_assert_int_eq(steps, before);
    }
}
END_TEST

START_TEST(who_turns_round_finds_the_day_behind_him)
{
    for (int ago = 10; ago < 16; ago++)
        hold(ago, 10);
    list_day(10);
    list_day(11);
    ck_assert(list_day(12));
    list_day(11);
    ck_assert(list_day(10));
}
END_TEST

START_TEST(several_readers_have_their_own)
{
    struct reader r[READY_PLACES];
    for (int i = 0; i < READY_PLACES; i++)
        r[i] = hold(10 * i + 5, 50);
    for (int i = 0; i < READY_PLACES; i++) {
        go_on(&r[i], 20);
        expect_more(&r[i], 21);
    }
    for (int i = 0; i < READY_PLACES; i++)
        ck_assert(go_on(&r[i], 20));
}
END_TEST

START_TEST(of_many_readers_the_last_few_have_some)
{
    enum { READERS = 3 * READY_PLACES };
    struct reader *r = calloc(READERS, sizeof(*r));
    ck_assert_ptr_nonnull(r);
    for (int i = 0; i < READERS; i++)
        r[i] = hold(5 * i + 5, 50);
    for (int i = 0; i < READERS; i++) {
        go_on(&r[i], 20);
        expect_more(&r[i], 21);
    }
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(go_on(&r[i], 20), i >= READERS - READY_PLACES);
    free(r);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(what_was_expected_is_at_hand),
        ONCE(every_call_comes_once_whatever_is_expected),
        ONCE(what_was_taken_is_not_there_for_another),
        ONCE(another_query_is_not_answered_by_it),
        ONCE(an_amended_call_is_as_it_is_now),
        ONCE(a_call_that_came_meanwhile_is_listed_once),
        ONCE(nothing_is_expected_of_what_is_not_known),
        EACH(who_goes_day_after_day_finds_the_next_one_at_hand, ways),
        ONCE(who_looks_at_days_here_and_there_has_nothing_read_for_him),
        ONCE(who_turns_round_finds_the_day_behind_him),
        ONCE(several_readers_have_their_own),
        ONCE(of_many_readers_the_last_few_have_some),
    };
    return run_suite_with("ready", tests, ARRAY_LEN(tests), fx_setup, fx_teardown);
}
