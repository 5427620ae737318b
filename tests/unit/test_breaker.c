// SPDX-License-Identifier: MIT
#include "api/breaker.h"

#include <errno.h>

#include "tests/unit/check_util.h"

static struct breaker b;
static struct failure down, refused;

static void setup(void)
{
    b = (struct breaker){0};
    failure_set(&down, -EIO, 503, "HTTP 503");
    failure_set(&refused, -EACCES, 401, "HTTP 401");
}

/* So many requests given up, two seconds apart, the last one at that time. */
static void give_up(int n, int64_t last_ms)
{
    for (int i = 1; i <= n; i++)
        breaker_failed(&b, &down, last_ms - (n - i) * 2000);
}

/* Open since 100 s. */
static void open_it(void)
{
    give_up(BREAKER_FAILURES, 100000);
    ck_assert(breaker_is_open(&b));
}

START_TEST(a_few_failures_hold_nothing_back)
{
    give_up(BREAKER_FAILURES - 1, 100000);
    ck_assert(!breaker_holds(&b, 100000) && !breaker_is_open(&b));
}
END_TEST

START_TEST(failures_all_at_once_hold_nothing_back)
{
    for (int i = 0; i < 100; i++)
        breaker_failed(&b, &down, 100000 + i);
    ck_assert(!breaker_holds(&b, 101000));
    breaker_failed(&b, &down, 100000 + BREAKER_LEAST_MS);
    ck_assert(breaker_holds(&b, 100001 + BREAKER_LEAST_MS));
}
END_TEST

START_TEST(a_good_answer_in_between_starts_the_count_anew)
{
    give_up(BREAKER_FAILURES - 1, 100000);
    breaker_good(&b);
    give_up(BREAKER_FAILURES - 1, 120000);
    ck_assert(!breaker_holds(&b, 120000));
    ck_assert_int_eq(breaker_probe_in(&b, 120000), INT64_MAX);
}
END_TEST

START_TEST(held_back_are_told_what_the_last_one_met)
{
    struct failure f;
    open_it();
    ck_assert(breaker_holds(&b, 100001));
    breaker_failure(&b, &f);
    ck_assert_int_eq(f.err, -EIO);
    ck_assert_int_eq(f.http, 503);
    ck_assert_str_eq(f.detail, "HTTP 503");
    ck_assert(f.repeated && !down.repeated);
}
END_TEST

START_TEST(probes_come_at_doubling_intervals_while_somebody_asks)
{
    static const int64_t pauses[] = {1000, 2000, 4000, 8000, 15000, 15000};
    int64_t now = 100000;
    open_it();
    for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
        ck_assert(breaker_holds(&b, now + 1));
        ck_assert_int_eq(breaker_probe_in(&b, now), pauses[i]);
        ck_assert(!breaker_wants_probe(&b, now + pauses[i] - 1));
        now += pauses[i];
        ck_assert(breaker_wants_probe(&b, now));
        ck_assert(!breaker_wants_probe(&b, now)); /* one is enough */
        ck_assert(breaker_holds(&b, now) && breaker_holds(&b, now + 60000));
        breaker_failed(&b, &down, now);
    }
}
END_TEST

START_TEST(an_answer_to_the_probe_lets_all_go)
{
    open_it();
    ck_assert(breaker_wants_probe(&b, 101000));
    breaker_good(&b);
    ck_assert(!breaker_holds(&b, 101000) && !breaker_is_open(&b));
    give_up(BREAKER_FAILURES - 1, 120000); /* and the count begins anew */
    ck_assert(!breaker_holds(&b, 120000));
}
END_TEST

START_TEST(when_nobody_asked_the_next_one_is_the_probe)
{
    open_it();
    ck_assert(breaker_wants_probe(&b, 101000));
    breaker_failed(&b, &down, 101000);
    ck_assert_int_eq(breaker_probe_in(&b, 101000), INT64_MAX);
    ck_assert(!breaker_wants_probe(&b, 500000));
    ck_assert(!breaker_holds(&b, 500000)); /* goes */
    ck_assert(breaker_holds(&b, 500000));  /* waits for how that one fares */
    breaker_failed(&b, &down, 500100);
    ck_assert(breaker_holds(&b, 500200));
    ck_assert_int_eq(breaker_probe_in(&b, 500100), 4000);
}
END_TEST

START_TEST(what_was_still_under_way_does_not_move_the_probe_away)
{
    open_it();
    for (int i = 0; i < 8; i++)
        breaker_failed(&b, &down, 100500);
    ck_assert_int_eq(breaker_probe_in(&b, 100500), 500);
}
END_TEST

START_TEST(what_was_still_under_way_may_bring_the_good_answer)
{
    open_it();
    breaker_good(&b);
    ck_assert(!breaker_holds(&b, 100001));
}
END_TEST

START_TEST(a_refusal_holds_all_back_for_its_time_and_without_probes)
{
    struct failure f;
    breaker_failed(&b, &refused, 100000);
    breaker_failure(&b, &f);
    ck_assert_int_eq(f.err, -EACCES);
    ck_assert(breaker_holds(&b, 100000) && breaker_holds(&b, 99999 + REFUSED_PAUSE_MS));
    ck_assert(!breaker_wants_probe(&b, 99999 + REFUSED_PAUSE_MS));
    breaker_good(&b); /* one that left before */
    ck_assert(breaker_holds(&b, 100001));
    ck_assert(!breaker_holds(&b, 100000 + REFUSED_PAUSE_MS));
}
END_TEST

START_TEST(a_refusal_counts_also_while_the_api_fails)
{
    open_it();
    ck_assert(breaker_wants_probe(&b, 101000));
    breaker_failed(&b, &refused, 101100);
    ck_assert(breaker_holds(&b, 101100 + REFUSED_PAUSE_MS - 1));
    ck_assert(!breaker_holds(&b, 101100 + REFUSED_PAUSE_MS));
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(a_few_failures_hold_nothing_back),
        ONCE(failures_all_at_once_hold_nothing_back),
        ONCE(a_good_answer_in_between_starts_the_count_anew),
        ONCE(held_back_are_told_what_the_last_one_met),
        ONCE(probes_come_at_doubling_intervals_while_somebody_asks),
        ONCE(an_answer_to_the_probe_lets_all_go),
        ONCE(when_nobody_asked_the_next_one_is_the_probe),
        ONCE(what_was_still_under_way_does_not_move_the_probe_away),
        ONCE(what_was_still_under_way_may_bring_the_good_answer),
        ONCE(a_refusal_holds_all_back_for_its_time_and_without_probes),
        ONCE(a_refusal_counts_also_while_the_api_fails),
    };
    return run_suite_with("breaker", tests, ARRAY_LEN(tests), setup, NULL);
}
