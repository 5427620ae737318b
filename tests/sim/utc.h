// SPDX-License-Identifier: MIT
#ifndef SIM_UTC_H
#define SIM_UTC_H

#include <stdint.h>

enum { UTC_LEN = 19, UTC_SIZE = 20, UTC_HTTP_SIZE = 40 };

#define UTC_DAY INT64_C(86400)
#define UTC_SECOND_US INT64_C(1000000)

/* Reads `YYYY-MM-DD HH:MM[:ss[.u{1,6}]]`, nothing else, as UTC; *ret_us is microseconds since 1970.
 * Returns -EINVAL for any other form or a date that does not exist. */
int utc_parse(const char *s, int64_t *ret_us);

/* Reads `YYYY-MM-DD` exactly; *ret_s is the second that day starts. Returns -EINVAL otherwise. */
int utc_parse_day(const char *s, int64_t *ret_s);

/* Writes `YYYY-MM-DD HH:MM:SS` of `s` seconds since 1970 (years 1 to 9999) and a NUL. */
void utc_format(int64_t s, char out[UTC_SIZE]);

/* Writes an HTTP date such as `Tue, 26 May 2026 09:08:07 GMT`. */
void utc_http(int64_t s, char out[UTC_HTTP_SIZE]);

#endif
