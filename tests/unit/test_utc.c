// SPDX-License-Identifier: MIT
#include "api/utc.h"

#include <errno.h>
#include <time.h>

#include "tests/unit/check_util.h"

static const struct {
    const char *text;
    int64_t want;
} good_times[] = {
    {"1970-01-01 00:00:00", 0},
    {"2022-05-26 13:32:06", 1653571926},
    {"2026-09-18 08:52:26", 1789721546},
    {"2026-09-18T08:52:26", 1789721546},
    {"2026-09-18 08:52:26Z", 1789721546},
    {"2026-09-18T08:52:26Z", 1789721546},
    {"2026-09-18 08:52:26 UTC", 1789721546},
    {"2026-09-18 08:52:26.999999", 1789721546},
    {"2026-03-04 02:49:55.190487383Z", 1772592595},
    {"2022-06-28 19:39:15+05:30", 1656425355},
    {"2022-06-28 19:39:15+0530", 1656425355},
    {"2022-06-28 14:09:15-00:00", 1656425355},
    {"2022-06-28 09:09:15.5-05:00", 1656425355},
    {"2024-02-29 23:59:59", 1709251199},
    {"2000-02-29 00:00:00", 951782400},
    {"1969-12-31 23:59:59", -1},
    {"2026-01-01 00:30:00+01:00", 1767223800},
    {"9999-12-31 23:59:59", 253402300799},
    {"0001-01-01 00:00:00", -62135596800},
};

START_TEST(a_record_time_in_each_accepted_form_is_read)
{
    int64_t t = 42;
    size_t n = strlen(good_times[_i].text);
    CLEANUP_FREE char *s = exact_copy(good_times[_i].text, n);
    ck_assert_int_eq(utc_parse(s, n, &t), 0);
    ck_assert_int_eq(t, good_times[_i].want);
}
END_TEST

static const char *const bad_times[] = {
    "",
    "2026",
    "2026-09-18",
    "2026-09-18 08:52",
    "2026-09-18 08:52:",
    "2026-09-18 08:52:2",
    "2026-9-18 08:52:26",
    "26-09-18 08:52:26",
    "2026-02-30 00:00:00",
    "2025-02-29 00:00:00",
    "1900-02-29 00:00:00",
    "2026-13-01 00:00:00",
    "2026-00-01 00:00:00",
    "2026-01-00 00:00:00",
    "2026-01-32 00:00:00",
    "0000-01-01 00:00:00",
    "2026-09-18 24:00:00",
    "2026-09-18 08:60:00",
    "2026-09-18 08:52:61",
    "2026-09-18 08:52:26.",
    "2026-09-18 08:52:26x",
    "2026-09-18 08:52:26 x",
    "2026-09-18 08:52:26 GMT+1",
    "2026-09-18 08:52:26+5",
    "2026-09-18 08:52:26+05:3",
    "2026-09-18 08:52:26+05:60",
    "2026-09-18 08:52:26+24:00",
    "2026-09-18 08:52:26ZZ",
    "2026-09-18 08:52:26 UTC ",
    "2026-09-18  08:52:26",
    " 2026-09-18 08:52:26",
    "2026/09/18 08:52:26",
    "-026-09-18 08:52:26",
    "+026-09-18 08:52:26",
    "2026-09-18t08:52:26",
    "1789721546",
    "null",
};

START_TEST(any_other_text_is_no_time_and_leaves_the_result_alone)
{
    int64_t t = 42;
    size_t n = strlen(bad_times[_i]);
    CLEANUP_FREE char *s = exact_copy(bad_times[_i], n);
    ck_assert_msg(utc_parse(s, n, &t) == -EINVAL, "accepted: '%s'", bad_times[_i]);
    ck_assert_int_eq(t, 42);
}
END_TEST

START_TEST(every_beginning_of_a_time_is_read_within_its_bounds)
{
    static const char full[] = "2022-06-28 19:39:15.250+05:30";
    for (size_t n = 0; n < sizeof(full) - 1; n++) {
        CLEANUP_FREE char *s = exact_copy(full, n);
        int64_t t = 42;
        int rc = utc_parse(s, n, &t);
        bool whole = n == 19 || (n >= 21 && n <= 23);
        ck_assert_msg((rc == 0) == whole, "first %zu bytes: %d", n, rc);
    }
}
END_TEST

START_TEST(a_nul_byte_within_a_time_is_no_time)
{
    int64_t t;
    ck_assert_int_eq(utc_parse("2026-09-18 08:52:26\0", 20, &t), -EINVAL);
    ck_assert_int_eq(utc_parse("2026-09-18\0"
                               "08:52:26",
                               19, &t),
                     -EINVAL);
}
END_TEST

static const struct {
    int64_t t;
    const char *text, *day;
} formats[] = {
    {0, "1970-01-01 00:00:00", "1970-01-01"},
    {-1, "1969-12-31 23:59:59", "1969-12-31"},
    {1653571926, "2022-05-26 13:32:06", "2022-05-26"},
    {1709251199, "2024-02-29 23:59:59", "2024-02-29"},
    {1709251200, "2024-03-01 00:00:00", "2024-03-01"},
    {951782399, "2000-02-28 23:59:59", "2000-02-28"},
    {4107542400, "2100-03-01 00:00:00", "2100-03-01"},
    {4107542399, "2100-02-28 23:59:59", "2100-02-28"},
    {-86400, "1969-12-31 00:00:00", "1969-12-31"},
    {253402300799, "9999-12-31 23:59:59", "9999-12-31"},
    {-62135596800, "0001-01-01 00:00:00", "0001-01-01"},
};

START_TEST(a_time_is_written_as_the_api_writes_it)
{
    char out[UTC_TEXT_MAX];
    utc_format(formats[_i].t, out);
    ck_assert_str_eq(out, formats[_i].text);
    utc_format_day(formats[_i].t, out);
    ck_assert_str_eq(out, formats[_i].day);
}
END_TEST

static void check_round_trip(int64_t t)
{
    char out[UTC_TEXT_MAX], libc[UTC_TEXT_MAX];
    struct tm tm;
    time_t tt = (time_t)t;
    int64_t back;
    utc_format(t, out);
    gmtime_r(&tt, &tm);
    strftime(libc, sizeof(libc), "%Y-%m-%d %H:%M:%S", &tm);
    if (tm.tm_year >= -900)
        ck_assert_str_eq(out, libc);
    ck_assert_int_eq(utc_parse(out, strlen(out), &back), 0);
    ck_assert_int_eq(back, t);
}

START_TEST(what_is_written_reads_back_and_agrees_with_gmtime)
{
    struct rng r = {1};
    for (int i = 0; i < 20000; i++)
        check_round_trip((int64_t)(rng_next(&r) % 315537897599u) - 62135596800);
}
END_TEST

START_TEST(the_local_time_zone_has_no_say)
{
    int64_t t = 0;
    char out[UTC_TEXT_MAX];
    setenv("TZ", "Asia/Kolkata", 1);
    tzset();
    ck_assert_int_eq(utc_parse("2026-09-18 08:52:26", 19, &t), 0);
    ck_assert_int_eq(t, 1789721546);
    utc_format(t, out);
    ck_assert_str_eq(out, "2026-09-18 08:52:26");
    ck_assert_int_eq(utc_midnight(t), 1789689600);
    unsetenv("TZ");
    tzset();
}
END_TEST

static const struct {
    int y, m, d, rc;
    int64_t want;
} dates[] = {
    {1970, 1, 1, 0, 0},
    {2026, 5, 26, 0, 1779753600},
    {2024, 2, 29, 0, 1709164800},
    {1969, 12, 31, 0, -86400},
    {2000, 2, 29, 0, 951782400},
    {1, 1, 1, 0, -62135596800},
    {9999, 12, 31, 0, 253402214400},
    {2026, 2, 30, -EINVAL, 0},
    {2026, 2, 29, -EINVAL, 0},
    {1900, 2, 29, -EINVAL, 0},
    {2100, 2, 29, -EINVAL, 0},
    {2026, 4, 31, -EINVAL, 0},
    {2026, 0, 1, -EINVAL, 0},
    {2026, 13, 1, -EINVAL, 0},
    {2026, 1, 0, -EINVAL, 0},
    {2026, 1, 32, -EINVAL, 0},
    {2026, -1, -1, -EINVAL, 0},
    {2026, 1, -5, -EINVAL, 0},
};

START_TEST(only_dates_of_the_calendar_are_dates)
{
    int64_t t = 0;
    ck_assert_int_eq(utc_from_date(dates[_i].y, dates[_i].m, dates[_i].d, &t), dates[_i].rc);
    ck_assert_int_eq(t, dates[_i].want);
}
END_TEST

static const struct {
    int64_t t, number;
} days[] = {
    {0, 0},       {1, 0},       {86399, 0},   {86400, 1},          {-1, -1},
    {-86400, -1}, {-86401, -2}, {-86399, -1}, {1653571926, 19138}, {INT64_MAX, 106751991167300},
};

START_TEST(a_day_begins_at_midnight_also_before_1970)
{
    ck_assert_int_eq(utc_day_number(days[_i].t), days[_i].number);
    ck_assert_int_eq(utc_midnight(days[_i].t), days[_i].number * UTC_DAY);
}
END_TEST

START_TEST(the_unbounded_past_has_a_day_too)
{
    ck_assert_int_eq(utc_day_number(INT64_MIN + UTC_DAY), -106751991167300);
    ck_assert_int_eq(utc_day_number(INT64_MIN), -106751991167301);
}
END_TEST

START_TEST(consecutive_days_have_consecutive_numbers)
{
    int64_t t, before = 0;
    for (int y = 1; y <= 9999; y += 7) {
        ck_assert_int_eq(utc_from_date(y, 2, 28, &before), 0);
        bool leap = (y % 4 == 0 && y % 100) || y % 400 == 0;
        ck_assert_int_eq(utc_from_date(y, 2, 29, &t), leap ? 0 : -EINVAL);
        ck_assert_int_eq(utc_from_date(y, 3, 1, &t), 0);
        ck_assert_int_eq(utc_day_number(t) - utc_day_number(before), leap ? 2 : 1);
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(a_record_time_in_each_accepted_form_is_read, good_times),
        EACH(any_other_text_is_no_time_and_leaves_the_result_alone, bad_times),
        ONCE(every_beginning_of_a_time_is_read_within_its_bounds),
        ONCE(a_nul_byte_within_a_time_is_no_time),
        EACH(a_time_is_written_as_the_api_writes_it, formats),
        ONCE(what_is_written_reads_back_and_agrees_with_gmtime),
        ONCE(the_local_time_zone_has_no_say),
        EACH(only_dates_of_the_calendar_are_dates, dates),
        EACH(a_day_begins_at_midnight_also_before_1970, days),
        ONCE(the_unbounded_past_has_a_day_too),
        ONCE(consecutive_days_have_consecutive_numbers),
    };
    return RUN_SUITE("utc", tests);
}
