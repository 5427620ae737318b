// SPDX-License-Identifier: MIT
#ifndef SIM_FILTER_H
#define SIM_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "cdr.h"

enum { FILTER_TEXT = 40 };

/* Integers from `lo` up to, not including, `hi`; everything while `set` is 0. */
struct range {
    int64_t lo;
    int64_t hi;
    int64_t set;
};

enum range_op { RANGE_EQ, RANGE_GT, RANGE_GTE, RANGE_LT, RANGE_LTE };

/* What a listing asks of a record besides its end_time. All zero: every record. Compared with
 * memcmp, so fill it in place after a memset and copy it with memcpy. */
struct filter {
    struct range bill;
    struct range initiation;
    int64_t code;
    int32_t has_code;
    int32_t nothing; /* no record can match */
    char from[FILTER_TEXT];
    char to[FILTER_TEXT];
    char trunk_id[FILTER_TEXT];
    char direction[FILTER_TEXT];
    char source[FILTER_TEXT];
    char stir[FILTER_TEXT];
};

/* Narrows a range by one comparison with value + fraction (0 <= fraction < 1, only whether it is 0
 * counts). */
void range_narrow(struct range *r, enum range_op op, int64_t value, bool fraction);

/* Whether a value lies inside. */
bool range_has(const struct range *r, int64_t value);

/* True when the filter lets everything pass. */
bool filter_is_empty(const struct filter *f);

/* Whether the record passes. Pure. */
bool filter_match(const struct filter *f, const struct cdr *c);

#endif
