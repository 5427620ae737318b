// SPDX-License-Identifier: MIT
#include "api/pace.h"

#include <math.h>

#include "tests/unit/check_util.h"

#define START_MS 1234567
#define WINDOW_MS 5000
#define STARTS_MAX 400000

static const double rates[] = {0.1, 0.2, 0.5, 1, 1.5, 7, 10, 30, 60, 333.3, 800, 5000};

/* The times at which requests went out, when a caller with endless work did as it was told. */
struct run {
    struct pace pace;
    int64_t now;
    int64_t *starts;
    int n;
};

static struct run run_make(double rate)
{
    struct run r = {.now = START_MS, .starts = malloc(STARTS_MAX * sizeof(int64_t))};
    ck_assert_int_eq(pace_init(&r.pace, rate, r.now), 0);
    return r;
}

static void run_release(struct run *r)
{
    pace_release(&r->pace);
    free(r->starts);
}

/* Takes what it gets until `end`; every wait is kept to the millisecond, plus some idleness. */
static void run_until(struct run *r, int64_t end, struct rng *idle)
{
    while (r->now < end) {
        int64_t wait = pace_take(&r->pace, r->now);
        expect(wait >= 0, "a wait of %d ms", (int)wait);
        if (wait == 0) {
            expect(r->n < STARTS_MAX, "too many starts");
            r->starts[r->n++] = r->now;
        }
        r->now += wait;
        if (idle && rng_one_in(idle, 50))
            r->now += rng_below(idle, 8000);
    }
}

static int most_in_window(const struct run *r)
{
    int most = 0;
    for (int first = 0, i = 0; i < r->n; i++) {
        while (r->starts[i] - r->starts[first] >= WINDOW_MS)
            first++;
        if (i - first + 1 > most)
            most = i - first + 1;
    }
    return most;
}

static bool window_is_kept(double rate)
{
    return rate >= 0.2 && rate <= 800;
}

START_TEST(no_window_of_five_seconds_has_more_than_its_share)
{
    double rate = rates[_i];
    struct run r = run_make(rate);
    run_until(&r, START_MS + 60000 + (int64_t)(20000 / rate), NULL);
    if (window_is_kept(rate))
        ck_assert_int_le(most_in_window(&r), (int)fmax(1, floor(5 * rate)));
    else /* the bucket alone: its burst and what flows in */
        ck_assert_int_le(most_in_window(&r), (int)ceil(fmax(1, rate / 2) + 5 * rate));
    run_release(&r);
}
END_TEST

START_TEST(idle_times_never_save_up_for_more_than_a_window)
{
    double rate = rates[_i];
    struct run r = run_make(rate);
    struct rng idle = {(uint64_t)_i};
    run_until(&r, START_MS + 100000 + (int64_t)(20000 / rate), &idle);
    if (window_is_kept(rate))
        ck_assert_int_le(most_in_window(&r), (int)fmax(1, floor(5 * rate)));
    run_release(&r);
}
END_TEST

/* Rates that no whole number of requests in 5 s can reach (0.5, 1.5) are bound by the window. */
static double reachable(double rate)
{
    double share = floor(rate * 5);
    return window_is_kept(rate) && share < rate * 5 ? share / 5 : rate;
}

START_TEST(the_rate_is_reached_in_the_long_run)
{
    double rate = reachable(rates[_i]);
    struct run r = run_make(rates[_i]);
    double seconds = fmax(60, 100 / rates[_i]);
    run_until(&r, START_MS + (int64_t)(seconds * 1000), NULL);
    ck_assert_double_ge((double)r.n / seconds, 0.95 * rate);
    run_release(&r);
}
END_TEST

START_TEST(a_small_window_opens_at_once)
{
    struct pace p;
    int n = 0;
    ck_assert_int_eq(pace_init(&p, 30, START_MS), 0);
    while (n < 100 && pace_take(&p, START_MS) == 0)
        n++;
    ck_assert_int_eq(n, 15);
    pace_release(&p);
}
END_TEST

START_TEST(a_wait_that_was_kept_is_enough)
{
    struct run r = run_make(rates[_i]);
    for (int i = 0; i < 1000; i++) {
        int64_t wait = pace_take(&r.pace, r.now);
        int asked = 0;
        while (wait > 0) {
            expect(++asked < 4, "told to wait again and again"); /* the bucket's wait, the window's,
                                                                    and one of rounding */
            r.now += wait;
            wait = pace_take(&r.pace, r.now);
        }
    }
    run_release(&r);
}
END_TEST

START_TEST(asking_early_costs_nothing)
{
    struct pace a, b;
    int na = 0, nb = 0;
    ck_assert_int_eq(pace_init(&a, 7, START_MS), 0);
    ck_assert_int_eq(pace_init(&b, 7, START_MS), 0);
    for (int64_t t = 0; t < 60000; t++) {
        na += pace_take(&a, START_MS + t) == 0;
        if (t % 100 == 0)
            for (int i = 0; i < 5; i++)
                nb += pace_take(&b, START_MS + t) == 0;
    }
    ck_assert_int_le(abs(na - nb), 2);
    pace_release(&a);
    pace_release(&b);
}
END_TEST

START_TEST(a_very_small_rate_still_comes_to_its_turn)
{
    struct pace p;
    ck_assert_int_eq(pace_init(&p, 1e-9, START_MS), 0);
    ck_assert_int_eq(pace_take(&p, START_MS), 0);
    int64_t wait = pace_take(&p, START_MS);
    ck_assert_int_gt(wait, 0);
    ck_assert_int_gt(pace_take(&p, START_MS + wait), 0);
    pace_release(&p);
}
END_TEST

/* Starts in the ten seconds from 10 s after a state was set. */
static int throughput(struct pace *p, int64_t from)
{
    int n = 0;
    for (int64_t t = from; t < from + 20000; t++)
        if (pace_take(p, t) == 0 && t >= from + 10000)
            n++;
    return n;
}

START_TEST(a_push_back_halves_the_rate_to_a_sixteenth_at_the_least)
{
    static const int want[] = {600, 300, 150, 75, 37, 37, 37};
    struct pace p;
    ck_assert_int_eq(pace_init(&p, 60, START_MS), 0);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        int n = throughput(&p, START_MS + (int64_t)i * 100000);
        ck_assert_msg(abs(n - want[i]) <= 1 + want[i] / 20, "after %zu: %d in 10 s", i, n);
        pace_slow_down(&p);
    }
    pace_release(&p);
}
END_TEST

START_TEST(a_push_back_takes_the_burst_away)
{
    struct pace p;
    int n = 0;
    ck_assert_int_eq(pace_init(&p, 60, START_MS), 0);
    pace_slow_down(&p);
    while (n < 100 && pace_take(&p, START_MS) == 0)
        n++;
    ck_assert_int_le(n, 1);
    pace_release(&p);
}
END_TEST

START_TEST(good_answers_regain_a_hundredth_each_and_never_more_than_all)
{
    struct pace p;
    ck_assert_int_eq(pace_init(&p, 60, START_MS), 0);
    pace_slow_down(&p);
    for (int i = 0; i < 25; i++)
        pace_speed_up(&p);
    int n = throughput(&p, START_MS);
    ck_assert_msg(abs(n - 450) <= 10, "%d in 10 s", n);
    for (int i = 0; i < 1000; i++)
        pace_speed_up(&p);
    n = throughput(&p, START_MS + 100000);
    ck_assert_msg(n >= 570 && n <= 600, "%d in 10 s", n);
    pace_release(&p);
}
END_TEST

/* --- retries --- */

static const struct {
    int attempt, retry_after;
    bool pushed;
    int64_t least, most; /* of the delay; -1: final */
} retries[] = {
    {1, 3, false, 3000, 3000},   {1, 7, true, 7000, 7000}, {3, 0, false, 0, 0},
    {1, 59, true, 59000, 59000}, {1, 60, true, -1, -1},    {1, 86400, false, -1, -1},
    {4, -1, false, -1, -1},      {4, 1, true, -1, -1},     {5, -1, false, -1, -1},
    {100, 0, false, -1, -1},
};

START_TEST(a_retry_is_made_while_attempts_are_left_and_the_pause_is_bearable)
{
    for (uint32_t noise = 0; noise < 100; noise++) {
        int64_t ms = retry_delay_ms(retries[_i].attempt, retries[_i].retry_after,
                                    retries[_i].pushed, noise * 2654435761u);
        ck_assert_int_ge(ms, retries[_i].least);
        ck_assert_int_le(ms, retries[_i].most);
    }
}
END_TEST

static const bool pushed[] = {false, true};

START_TEST(backoff_doubles_and_has_jitter)
{
    int64_t least_before = 0, most_before = 0;
    for (int attempt = 1; attempt < RETRY_ATTEMPTS; attempt++) {
        int64_t least = INT64_MAX, most = -1;
        for (uint32_t noise = 0; noise < 5000; noise++) {
            int64_t ms = retry_delay_ms(attempt, -1, pushed[_i], noise * 2654435761u);
            least = ms < least ? ms : least;
            most = ms > most ? ms : most;
        }
        ck_assert_int_gt(least, 0);
        ck_assert_int_gt(most, least);
        ck_assert_int_le(most, 30000);
        if (attempt > 1) {
            ck_assert_int_ge(least, 2 * least_before);
            ck_assert_int_gt(most, most_before);
        }
        least_before = least;
        most_before = most;
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(no_window_of_five_seconds_has_more_than_its_share, rates),
        EACH(idle_times_never_save_up_for_more_than_a_window, rates),
        EACH(the_rate_is_reached_in_the_long_run, rates),
        ONCE(a_small_window_opens_at_once),
        EACH(a_wait_that_was_kept_is_enough, rates),
        ONCE(asking_early_costs_nothing),
        ONCE(a_very_small_rate_still_comes_to_its_turn),
        ONCE(a_push_back_halves_the_rate_to_a_sixteenth_at_the_least),
        ONCE(a_push_back_takes_the_burst_away),
        ONCE(good_answers_regain_a_hundredth_each_and_never_more_than_all),
        EACH(a_retry_is_made_while_attempts_are_left_and_the_pause_is_bearable, retries),
        EACH(backoff_doubles_and_has_jitter, pushed),
    };
    return RUN_SUITE("pace", tests);
}
