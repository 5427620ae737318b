// SPDX-License-Identifier: MIT
/*
 * Times as the API writes them: `YYYY-MM-DD HH:MM:SS`, UTC, whole seconds (API.md section 8, traps
 * 16 to 18). All times in this project are seconds since 1970 in UTC; none ever passes through the
 * local time zone. Pure functions.
 */
#ifndef CDRFS_API_UTC_H
#define CDRFS_API_UTC_H

#include "api/util.h"

#define UTC_DAY 86400
#define UTC_TEXT_MAX 24 /* "YYYY-MM-DD HH:MM:SS" and its NUL, with room */

/*
 * Parses a record's time. A `T` for the blank, a fraction (dropped) and an offset (`Z`, `+05:30`,
 * `+0530`, ` UTC`) are accepted; a bare value is UTC. -EINVAL for anything else.
 */
int utc_parse(const char *s, size_t n, int64_t *ret) MUST_CHECK;

/* Writes `YYYY-MM-DD HH:MM:SS`. */
void utc_format(int64_t t, char out[UTC_TEXT_MAX]);

/* Writes the day `YYYY-MM-DD` that holds t. */
void utc_format_day(int64_t t, char out[UTC_TEXT_MAX]);

/* Seconds at midnight of a civil date; -EINVAL for a date that is in no calendar (2026-02-30). */
int utc_from_date(int year, int month, int day, int64_t *ret) MUST_CHECK;

/* Midnight of the day that holds t, also before 1970. */
int64_t utc_midnight(int64_t t);

/* Days since 1970 of the day that holds t. */
int64_t utc_day_number(int64_t t);

#endif
