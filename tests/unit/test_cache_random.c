// SPDX-License-Identifier: MIT
/*
 * Random sequences over a cache, compared with a plain scan of the fake's table.
 *
 * What is checked after every step: a query that is known, or was answered whole, lists each of its
 * calls once, and only those; and a call may be missing only if it came after the oldest reading
 * that may still be believed of its second (DESIGN.md section 2).
 */
#include "cache/cache.h"

#include <errno.h>
#include <stdatomic.h>

#include "api/utc.h"
#include "cache/clock.h"
#include "tests/unit/cache_fixture.h"

#define CALLS_MAX 20000
#define STEPS 150

/* Linked with --wrap=clock_now, so that time stands still while a step is taken. */
static atomic_int_least64_t frozen; /* 0: it runs */

int64_t __real_clock_now(struct clock *c);
int64_t __wrap_clock_now(struct clock *c);

int64_t __wrap_clock_now(struct clock *c)
{
    int64_t t = atomic_load(&frozen);
    return t ? t : __real_clock_now(c);
}

static struct rng rng;
static int64_t now;
static int ncalls;
static int64_t added_at[CALLS_MAX]; /* by the fake's clock, by number */

/* --- the world --- */

static void add_call(int64_t end_time)
{
    if (ncalls == CALLS_MAX)
        return;
    added_at[ncalls] = now;
    fake_add(fx.fake, ncalls++, end_time);
}

/* Most calls are listed soon after they end, some hours or days later. */
static void add_calls(void)
{
    static const int late[] = {5, 5, 60, 3600, 6 * HOUR, 3 * DAY};
    int within = late[rng_below(&rng, (int)ARRAY_LEN(late))];
    for (int n = rng_below(&rng, 30) + 1; n > 0; n--)
        add_call(now - rng_below(&rng, within));
}

static void set_now(int64_t t)
{
    now = t;
    fx_set_now(t);
    atomic_store(&frozen, t);
}

static void advance(void)
{
    static const int steps[] = {5, 30, 90, 1800, 3 * HOUR, 2 * DAY};
    set_now(now + rng_below(&rng, steps[rng_below(&rng, (int)ARRAY_LEN(steps))]) + 1);
}

static struct query random_query(void)
{
    static const int lengths[] = {1, 60, HOUR, DAY, 3 * DAY};
    static const char *const prefixes[] = {"1415555", "14155550", "141555500", "1415555001", "9"};
    static const char *const durations[] = {"gte-60", "lt-120", "60", "gt-0"};
    int64_t lo = now - rng_below(&rng, 5 * DAY);
    struct query q = fx_between(lo, lo + lengths[rng_below(&rng, (int)ARRAY_LEN(lengths))]);
    if (rng_one_in(&rng, 2))
        q = fx_between(utc_midnight(lo), utc_midnight(lo) + DAY);
    if (rng_one_in(&rng, 8))
        q.num[AXIS_END_TIME].hi = INT64_MAX;
    if (rng_one_in(&rng, 3))
        q = fx_with(q, AXIS_DIRECTION, rng_one_in(&rng, 2) ? "inbound" : "outbound");
    if (rng_one_in(&rng, 5))
        q = fx_with(q, NUM_AXES + AXIS_FROM, prefixes[rng_below(&rng, 5)]);
    if (rng_one_in(&rng, 5))
        q = fx_with(q, AXIS_BILL_DURATION, durations[rng_below(&rng, 4)]);
    if (rng_one_in(&rng, 8))
        q = fx_with(q, NUM_AXES + AXIS_TRUNK, "101");
    return q;
}

/* --- the check --- */

/* The oldest reading of that second that may be believed now. */
static int64_t oldest_believed(int64_t t)
{
    int64_t by_ttl = now - fx.opts.ttl_s, by_age = (10 * now + t) / 11;
    int64_t settled = t + fx.opts.settle_s, oldest = by_ttl < by_age ? by_ttl : by_age;
    return settled < oldest ? settled : oldest;
}

static int find_uuid(char (*v)[CALL_UUID_MAX], int n, const char *uuid)
{
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        int c = strcmp(v[mid], uuid);
        if (c == 0)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

static void check(const struct query *q, int step)
{
    int n, found = 0;
    char(*v)[CALL_UUID_MAX] = fx_list(q, &n);
    for (int i = 1; i < n; i++)
        expect(strcmp(v[i - 1], v[i]) != 0, "step %d: %s is listed twice", step, v[i]);
    pthread_mutex_lock(&fx.fake->lock);
    for (size_t i = 0; i < fx.fake->ncalls; i++) {
        const struct call *c = &fx.fake->calls[i];
        int64_t t = c->num[AXIS_END_TIME], added = added_at[atoi(c->uuid + strlen("call-"))];
        if (!query_match(q, c))
            continue;
        bool listed = find_uuid(v, n, c->uuid) >= 0;
        found += listed;
        expect(listed || added >= oldest_believed(t),
               "step %d: %s ended %d s ago, came %d s ago, and is not listed", step, c->uuid,
               (int)(now - t), (int)(now - added));
    }
    pthread_mutex_unlock(&fx.fake->lock);
    expect(found == n, "step %d: %d of %d listed are of the query", step, found, n);
    free(v);
}

static void look(int step)
{
    struct query q = random_query();
    if (cache_known(fx.cache, &q))
        check(&q, step);
}

static void ask(int step)
{
    struct query q = random_query();
    bool failing = rng_one_in(&rng, 5);
    if (failing) {
        FAKE_SET(fx.fake, fail_err, -EIO);
        FAKE_SET(fx.fake, fail_in, rng_below(&rng, 4) + 1);
    }
    int rc = fx_ask(&q);
    expect(rc == 0 || (failing && rc == -EIO), "step %d: %d", step, rc);
    FAKE_SET(fx.fake, fail_in, 0);
    fx_settle(); /* a walk left behind would be as old as its beginning */
    if (rc == 0)
        check(&q, step);
    if (rc == 0 && fx.opts.ttl_s) {
        int cost = fx_cost(&q);
        expect(cost == 0, "step %d: asked again for %d requests", step, cost);
    }
}

static void ask_and_look(int step)
{
    ask(step);
    for (int i = 0; i < 5; i++)
        look(step);
}

static void reopen(void)
{
    fx_close();
    fx_open();
    set_now(now);
}

static void take_step(int step)
{
    int dice = rng_below(&rng, 100);
    if (dice < 4)
        reopen();
    else if (dice < 5)
        FAKE_SET(fx.fake, refuses, 1u << (rng_below(&rng, AXES - 1) + 1));
    else if (dice < 30)
        advance();
    else if (dice < 50)
        add_calls();
    else
        ask_and_look(step);
}

static const struct {
    int64_t ttl_s, settle_s;
} rules[] = {{60, 48 * HOUR}, {0, 48 * HOUR}, {600, 6 * HOUR},
             {60, HOUR},      {0, 0},         {3600, 24 * HOUR}};

START_TEST(what_is_whole_is_what_a_plain_scan_finds)
{
    rng = (struct rng){(uint64_t)_i + 1};
    ncalls = 0;
    fx_close();
    fx.opts.ttl_s = rules[(size_t)_i % ARRAY_LEN(rules)].ttl_s;
    fx.opts.settle_s = rules[(size_t)_i % ARRAY_LEN(rules)].settle_s;
    fx.opts.stale_if_error_s = fx.opts.ttl_s;
    fx.opts.pages_at_once = _i % 3 ? 8 : 1;
    FAKE_SET(fx.fake, oldest_first, _i % 5 == 0);
    fx_open();
    set_now(NOON);
    for (int i = 0; i < 60; i++)
        add_call(now - rng_below(&rng, 5 * DAY));
    for (int step = 0; step < STEPS; step++)
        take_step(step);
    atomic_store(&frozen, 0);
}
END_TEST

/* --- many readers --- */

static atomic_bool ending;

static void *read_much(void *arg)
{
    struct rng r = {(uint64_t)(size_t)arg};
    for (int i = 0; i < 60; i++) {
        int ago = rng_below(&r, 6);
        struct query q = fx_day(ago);
        if (rng_one_in(&r, 3))
            query_meet_range(&q, AXIS_DIRECTION, (struct range){1, 2});
        int rc = fx_ask(&q), want = (range_is_all(q.num[AXIS_DIRECTION]) ? 70 : 35), n;
        expect(rc == 0, "%d", rc);
        char(*v)[CALL_UUID_MAX] = fx_list(&q, &n);
        int first = 0;
        for (int j = 0; j < n; j++) /* of the calls that were there from the beginning */
            first += atoi(v[j] + strlen("call-")) < 1000;
        expect(first == want, "%d of %d calls %d days ago", first, want, ago);
        free(v);
    }
    return NULL;
}

static void *disturb(void *arg UNUSED)
{
    struct rng r = {99};
    int64_t t = NOON;
    for (int n = 1000; !atomic_load(&ending) && n < 1400; n++) {
        struct query q = fx_day(rng_below(&r, 6));
        fake_add(fx.fake, n, t - rng_below(&r, 5));
        t += rng_below(&r, 40);
        fx_set_now(t);
        uint64_t id = fx_want(&q, 0);
        cache_cancel(fx.cache, id);
        fx_wait(id);
    }
    return NULL;
}

START_TEST(many_readers_at_once_find_what_is_there)
{
    pthread_t readers[4], other;
    struct query week = fx_between(TODAY - 5 * DAY, TODAY + DAY);
    for (int ago = 0; ago < 6; ago++)
        fake_add_many(fx.fake, ago * 100, 70, TODAY - ago * (int64_t)DAY, 300);
    atomic_store(&ending, false);
    ck_assert_int_eq(pthread_create(&other, NULL, disturb, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_much, (void *)(i + 1)), 0);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        pthread_join(readers[i], NULL);
    atomic_store(&ending, true);
    pthread_join(other, NULL);
    fx_settle();
    fx_set_now(NOON + 10 * DAY);
    ck_assert_int_eq(fx_ask(&week), 0);
    fx_expect_all(&week);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        {what_is_whole_is_what_a_plain_scan_finds, 24},
        ONCE(many_readers_at_once_find_what_is_there),
    };
    return run_suite_with("cache_random", tests, ARRAY_LEN(tests), fx_setup, fx_teardown);
}
