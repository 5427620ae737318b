// SPDX-License-Identifier: MIT
#include "api/utc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar; years start in March here so
 * that the leap day is the last of its year. */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int *y, int *m, int *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = (int)(yoe + era * 400 + (*m <= 2));
}

int64_t utc_day_number(int64_t t)
{
    return t / UTC_DAY - (t % UTC_DAY < 0);
}

int64_t utc_midnight(int64_t t)
{
    return utc_day_number(t) * UTC_DAY;
}

int utc_from_date(int year, int month, int day, int64_t *ret)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
        return -EINVAL;
    int64_t days = days_from_civil(year, month, day);
    int y, m, d;
    civil_from_days(days, &y, &m, &d);
    if (y != year || m != month || d != day)
        return -EINVAL;
    *ret = days * UTC_DAY;
    return 0;
}

void utc_format_day(int64_t t, char out[UTC_TEXT_MAX])
{
    int y, m, d;
    civil_from_days(utc_day_number(t), &y, &m, &d);
    snprintf(out, UTC_TEXT_MAX, "%04u-%02u-%02u", (unsigned)y % 10000, (unsigned)m % 100,
             (unsigned)d % 100);
}

void utc_format(int64_t t, char out[UTC_TEXT_MAX])
{
    unsigned s = (unsigned)(t - utc_midnight(t)) % UTC_DAY;
    utc_format_day(t, out);
    snprintf(out + 10, UTC_TEXT_MAX - 10, " %02u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
}

/* Reads exactly `digits` decimal digits. */
static bool take_number(const char **p, const char *end, int digits, int *ret)
{
    int v = 0;
    if (end - *p < digits)
        return false;
    for (int i = 0; i < digits; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (c - '0');
    }
    *p += digits;
    *ret = v;
    return true;
}

static bool take_char(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    ++*p;
    return true;
}

static bool take_clock(const char **p, const char *end, int64_t *ret)
{
    int h, m, s;
    if (!take_number(p, end, 2, &h) || !take_char(p, end, ':') || !take_number(p, end, 2, &m) ||
        !take_char(p, end, ':') || !take_number(p, end, 2, &s))
        return false;
    if (h > 23 || m > 59 || s > 60)
        return false;
    *ret = h * 3600 + m * 60 + s;
    if (take_char(p, end, '.')) {
        const char *start = *p;
        while (*p < end && **p >= '0' && **p <= '9')
            ++*p;
        return *p > start;
    }
    return true;
}

/* The optional zone: seconds east of Greenwich. */
static bool take_offset(const char **p, const char *end, int64_t *ret)
{
    *ret = 0;
    if (*p == end)
        return true;
    while (take_char(p, end, ' '))
        ;
    if (take_char(p, end, 'Z'))
        return true;
    if (*p == end)
        return false;
    if (end - *p >= 3 && memcmp(*p, "UTC", 3) == 0) {
        *p += 3;
        return true;
    }
    int sign = **p == '-' ? -1 : 1, h, m;
    if (!take_char(p, end, '+') && !take_char(p, end, '-'))
        return false;
    if (!take_number(p, end, 2, &h))
        return false;
    take_char(p, end, ':');
    if (!take_number(p, end, 2, &m) || h > 23 || m > 59)
        return false;
    *ret = sign * (h * 3600 + m * 60);
    return true;
}

int utc_parse(const char *s, size_t n, int64_t *ret)
{
    const char *p = s, *end = s + n;
    int y, mo, d;
    int64_t day, clock, offset;
    if (!take_number(&p, end, 4, &y) || !take_char(&p, end, '-') || !take_number(&p, end, 2, &mo) ||
        !take_char(&p, end, '-') || !take_number(&p, end, 2, &d))
        return -EINVAL;
    if (!take_char(&p, end, ' ') && !take_char(&p, end, 'T'))
        return -EINVAL;
    if (utc_from_date(y, mo, d, &day) < 0 || !take_clock(&p, end, &clock) ||
        !take_offset(&p, end, &offset) || p != end)
        return -EINVAL;
    *ret = day + clock - offset;
    return 0;
}
