// SPDX-License-Identifier: MIT
#include "utc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Days before 1 March of year 0 in the proleptic calendar, counted from 1970-01-01. */
enum { ERA_DAYS = 146097, EPOCH_SHIFT = 719468 };

static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t in_era = y - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - EPOCH_SHIFT;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + EPOCH_SHIFT;
    int64_t era = (z >= 0 ? z : z - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t in_era = z - era * ERA_DAYS;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * in_year + 2) / 153;

    *day = (int)(in_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

/* Takes exactly `n` digits; -1 when one is missing. */
static int take(const char **s, int n)
{
    int value = 0;

    for (; n > 0; n--, (*s)++) {
        if (**s < '0' || **s > '9')
            return -1;
        value = value * 10 + (**s - '0');
    }
    return value;
}

static bool skip(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static int take_day(const char **s, int64_t *days)
{
    int year = take(s, 4), month, day, y, m, d;

    if (year < 1 || !skip(s, '-') || (month = take(s, 2)) < 1 || month > 12 || !skip(s, '-') ||
        (day = take(s, 2)) < 1)
        return -EINVAL;
    *days = days_from_civil(year, month, day);
    civil_from_days(*days, &y, &m, &d);
    return y == year && m == month && d == day ? 0 : -EINVAL;
}

/* The optional `.u{1,6}`; gives microseconds or -1. */
static int64_t take_fraction(const char **s)
{
    int64_t us = 0, unit = 100000;

    if (!skip(s, '.'))
        return 0;
    if (**s < '0' || **s > '9')
        return -1;
    for (; **s >= '0' && **s <= '9' && unit; (*s)++, unit /= 10)
        us += (**s - '0') * unit;
    return us;
}

int utc_parse(const char *s, int64_t *ret_us)
{
    int64_t days, us = 0;
    int hour, minute, second = 0;

    if (take_day(&s, &days) < 0 || !skip(&s, ' ') || (hour = take(&s, 2)) < 0 || hour > 23 ||
        !skip(&s, ':') || (minute = take(&s, 2)) < 0 || minute > 59)
        return -EINVAL;
    if (skip(&s, ':')) {
        second = take(&s, 2);
        if (second < 0 || second > 59 || (us = take_fraction(&s)) < 0)
            return -EINVAL;
    }
    if (*s)
        return -EINVAL;
    *ret_us = (days * UTC_DAY + hour * 3600 + minute * 60 + second) * UTC_SECOND_US + us;
    return 0;
}

int utc_parse_day(const char *s, int64_t *ret_s)
{
    int64_t days;

    if (take_day(&s, &days) < 0 || *s)
        return -EINVAL;
    *ret_s = days * UTC_DAY;
    return 0;
}

static int64_t split_day(int64_t s, int64_t *days)
{
    *days = s / UTC_DAY - (s % UTC_DAY < 0);
    return s - *days * UTC_DAY;
}

static void put2(char *out, int value)
{
    out[0] = (char)('0' + value / 10 % 10);
    out[1] = (char)('0' + value % 10);
}

void utc_format(int64_t s, char out[UTC_SIZE])
{
    int64_t days, rest = split_day(s, &days);
    int year, month, day;

    civil_from_days(days, &year, &month, &day);
    memcpy(out, "0000-00-00 00:00:00", UTC_SIZE);
    put2(out, year / 100);
    put2(out + 2, year % 100);
    put2(out + 5, month);
    put2(out + 8, day);
    put2(out + 11, (int)(rest / 3600));
    put2(out + 14, (int)(rest / 60 % 60));
    put2(out + 17, (int)(rest % 60));
}

void utc_http(int64_t s, char out[UTC_HTTP_SIZE])
{
    static const char week[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t days, rest = split_day(s, &days);
    int year, month, day, weekday = (int)(days % 7 + 7) % 7;

    civil_from_days(days, &year, &month, &day);
    snprintf(out, UTC_HTTP_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", week + 3 * weekday,
             day % 100, months + 3 * (month - 1), year % 10000, (int)(rest / 3600) % 24,
             (int)(rest / 60 % 60), (int)(rest % 60));
}
