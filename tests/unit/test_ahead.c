// SPDX-License-Identifier: MIT
#include "cache/ahead.h"

#include "tests/unit/check_util.h"

#define DAY 86400
#define DAYS(n) ((int64_t)(n)*DAY)

static struct ahead ahead;
static const struct range all = {0, DAYS(90)};

static void setup(void)
{
    ahead = (struct ahead){0};
}

static struct range day(int n)
{
    return (struct range){DAYS(n), DAYS(n + 1)};
}

static struct ahead_run *run(void)
{
    return ahead_run_of(&ahead, "");
}

/* Visits a day; how many days are to be read then, 0 for none; where they begin in *first. */
static int visit(int n, int64_t calls, int *first)
{
    struct range gap, piece;
    struct ahead_run *r = run();
    bool follows = !ahead_gap(r, day(n), &gap);
    if (!ahead_visit(r, day(n), follows) || !ahead_next(r, all, calls, &piece))
        return 0;
    if (first)
        *first = (int)(piece.lo / DAY);
    ck_assert_int_eq(piece.lo % DAY, 0);
    return (int)((piece.hi - piece.lo) / DAY);
}

START_TEST(two_windows_read_nothing_ahead)
{
    ck_assert_int_eq(visit(10, 0, NULL), 0);
    ck_assert_int_eq(visit(10, 0, NULL), 0);
    ck_assert_int_eq(visit(11, 0, NULL), 0);
    ck_assert_int_eq(visit(10, 0, NULL), 0);
    ck_assert_int_eq(visit(9, 0, NULL), 0); /* the other way: it begins anew */
    ck_assert_int_eq(visit(8, 0, NULL), 4);
}
END_TEST

START_TEST(a_walk_through_ninety_days_is_read_in_eight_parts)
{
    bool read[90] = {false};
    int parts = 0;
    for (int d = 0; d < 90; d++) {
        int first = 0, n = visit(d, 0, &first);
        if (!read[d])
            parts++; /* by the one who visits */
        read[d] = true;
        parts += n > 0;
        for (int i = first; i < first + n; i++) {
            ck_assert(!read[i] && i > d);
            read[i] = true;
        }
    }
    ck_assert_int_eq(parts, 8);
}
END_TEST

START_TEST(backwards_is_as_good)
{
    int first, parts = 0, left = 87;
    ck_assert_int_eq(visit(89, 0, NULL), 0);
    ck_assert_int_eq(visit(88, 0, NULL), 0);
    for (int d = 87; d >= 0; d--) {
        int n = visit(d, 0, &first);
        parts += n > 0;
        if (n)
            ck_assert_int_eq(first + n, left);
        left -= n;
    }
    ck_assert_int_eq(parts, 5);
    ck_assert_int_eq(left, 0);
}
END_TEST

START_TEST(windows_here_and_there_are_no_run)
{
    static const int days[] = {3, 50, 7, 70, 30, 80};
    for (size_t i = 0; i < ARRAY_LEN(days); i++)
        ck_assert_int_eq(visit(days[i], 0, NULL), 0);
}
END_TEST

START_TEST(what_is_known_may_be_stepped_over)
{
    struct range gap, piece;
    struct ahead_run *r = run();
    ck_assert(!ahead_gap(r, day(10), &gap));
    ahead_visit(r, day(10), true);
    ck_assert(ahead_gap(r, day(14), &gap));
    ck_assert_int_eq(gap.lo, DAYS(11));
    ck_assert_int_eq(gap.hi, DAYS(14));
    ck_assert(!ahead_visit(r, day(14), true));
    ck_assert(ahead_visit(r, day(15), true));
    ck_assert(ahead_next(r, all, 0, &piece));
    ck_assert_int_eq(piece.lo, DAYS(16));
}
END_TEST

START_TEST(who_comes_back_to_a_day_of_the_run_reads_nothing_more)
{
    ck_assert_int_eq(visit(10, 0, NULL), 0);
    ck_assert_int_eq(visit(11, 0, NULL), 0);
    ck_assert_int_eq(visit(12, 0, NULL), 4);
    ck_assert_int_eq(visit(10, 0, NULL), 0);
    ck_assert_int_eq(visit(12, 0, NULL), 0);
    ck_assert_int_eq(visit(13, 0, NULL), 8);
    for (int d = 14; d < 17; d++)
        ck_assert_int_eq(visit(d, 0, NULL), 0);
    ck_assert_int_eq(visit(17, 0, NULL), 16); /* the last piece is entered */
}
END_TEST

START_TEST(many_calls_make_short_pieces_and_never_less_than_a_window)
{
    int first;
    ck_assert_int_eq(visit(9, 0, NULL), 0);
    ck_assert_int_eq(visit(10, 1000, NULL), 0);
    ck_assert_int_eq(visit(11, 3000, &first), 2); /* a thousand a day */
    ck_assert_int_eq(visit(12, 4000, &first), 2);
    ck_assert_int_eq(first, 14);
    ck_assert_int_eq(visit(13, 100000, &first), 0);
    ck_assert_int_eq(visit(14, 100000, &first), 1);
    ck_assert_int_eq(visit(15, 100000, &first), 0);
    ck_assert_int_eq(visit(16, 100000, &first), 1);
}
END_TEST

START_TEST(each_set_of_filters_has_a_run_of_its_own_and_the_idlest_goes)
{
    char key[16];
    for (int i = 0; i < 2 * AHEAD_RUNS; i++) {
        snprintf(key, sizeof(key), "f%d", i);
        ahead_visit(ahead_run_of(&ahead, key), day(i), true);
        ahead_run_of(&ahead, "f0");
    }
    ck_assert_int_eq(ahead_run_of(&ahead, "f0")->seen.lo, DAYS(0));
    ck_assert_int_eq(ahead_run_of(&ahead, key)->seen.lo, DAYS(2 * AHEAD_RUNS - 1));
    ck_assert_int_eq(ahead_run_of(&ahead, "f1")->seen.hi, 0); /* forgotten */
}
END_TEST

START_TEST(pieces_end_at_the_limits)
{
    struct range piece;
    ck_assert_int_eq(visit(86, 0, NULL), 0);
    ck_assert_int_eq(visit(87, 0, NULL), 0);
    ck_assert_int_eq(visit(88, 0, NULL), 1);
    ck_assert_int_eq(visit(89, 0, NULL), 0);
    ck_assert(!ahead_next(run(), all, 0, &piece));
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(two_windows_read_nothing_ahead),
        ONCE(a_walk_through_ninety_days_is_read_in_eight_parts),
        ONCE(backwards_is_as_good),
        ONCE(windows_here_and_there_are_no_run),
        ONCE(what_is_known_may_be_stepped_over),
        ONCE(who_comes_back_to_a_day_of_the_run_reads_nothing_more),
        ONCE(many_calls_make_short_pieces_and_never_less_than_a_window),
        ONCE(each_set_of_filters_has_a_run_of_its_own_and_the_idlest_goes),
        ONCE(pieces_end_at_the_limits),
    };
    return run_suite_with("ahead", tests, ARRAY_LEN(tests), setup, NULL);
}
