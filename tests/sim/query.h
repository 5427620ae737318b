// SPDX-License-Identifier: MIT
#ifndef SIM_QUERY_H
#define SIM_QUERY_H

#include "args.h"
#include "column.h"
#include "config.h"
#include "filter.h"

enum { QUERY_REASON = 160, QUERY_LIMIT_MAX = 20 };

/* A listing as asked for: ends in [lo, hi), already clipped to what the account may see. */
struct query {
    struct filter filter;
    int64_t lo;
    int64_t hi;
    int64_t limit;
    int64_t offset;
};

/* What a query is read against. */
struct query_rules {
    enum dialect dialect;
    const struct settings *settings;
    int64_t now;    /* virtual second */
    int64_t tz_min; /* console zone, minutes east of UTC */
};

/* The API's limits, in seconds. */
#define QUERY_RETENTION (INT64_C(90) * 86400)
#define QUERY_DEFAULT (INT64_C(30) * 86400)
#define QUERY_TOLERANCE INT64_C(60)

/* Reads the arguments of a listing. Returns 0, or -EINVAL with the text of the 400 in `reason`.
 * Pure. */
int query_parse(struct query *q, const struct query_rules *rules, const struct args *args,
                char reason[QUERY_REASON]);

#endif
