// SPDX-License-Identifier: MIT
/*
 * Random queries and calls over a small world, so that they meet, imply and contradict each other
 * often. Times lie within [0, GEN_TIMES).
 */
#ifndef CDRFS_TESTS_GEN_QUERY_H
#define CDRFS_TESTS_GEN_QUERY_H

#include "api/query.h"
#include "tests/unit/check_util.h"

#define GEN_TIMES 200

/* How many values a range axis has in the small world, from 1. */
static inline int gen_values(int axis)
{
    static const int n[NUM_AXES] = {GEN_TIMES, 20, 12, 2, 4, 3, 3};
    return n[axis];
}

static inline const char *gen_number(struct rng *r)
{
    static const char *const numbers[] = {"1",     "14",     "141",   "1415",   "14155", "141555",
                                          "142",   "1426",   "9",     "91",     "912",   "9199",
                                          "99999", "999999", "10000", "1000000"};
    return numbers[rng_below(r, (int)ARRAY_LEN(numbers))];
}

static inline bool gen_is_choice(int axis)
{
    return axes[axis].form == FORM_CHOICE || axes[axis].form == FORM_CODE;
}

static inline struct range gen_range(struct rng *r, int axis)
{
    int64_t lo = rng_below(r, gen_values(axis)) + 1;
    if (gen_is_choice(axis))
        return (struct range){lo, lo + 1};
    switch (rng_below(r, 4)) {
    case 0:
        return (struct range){lo, INT64_MAX};
    case 1:
        return (struct range){INT64_MIN, lo};
    case 2:
        return (struct range){lo, lo + 1};
    default:
        return (struct range){lo, lo + 1 + rng_below(r, gen_values(axis))};
    }
}

static inline void gen_narrow(struct rng *r, struct query *q)
{
    int axis = rng_below(r, AXES);
    if (axis < NUM_AXES)
        query_meet_range(q, axis, gen_range(r, axis));
    else
        query_meet_text(q, axis - NUM_AXES, gen_number(r));
}

/* A query of up to `most` conditions. */
static inline struct query gen_query(struct rng *r, int most)
{
    struct query q = QUERY_ALL;
    for (int n = rng_below(r, most + 1); n > 0; n--)
        gen_narrow(r, &q);
    return q;
}

static inline struct call gen_call(struct rng *r)
{
    struct call c = {0};
    snprintf(c.uuid, sizeof(c.uuid), "call-%016llx", (unsigned long long)rng_next(r));
    for (int i = 0; i < NUM_AXES; i++)
        c.num[i] =
            i != AXIS_END_TIME && rng_one_in(r, 8) ? INT64_MIN : rng_below(r, gen_values(i)) + 1;
    for (int i = 0; i < TEXT_AXES; i++)
        if (!rng_one_in(r, 8))
            snprintf(c.text[i], CALL_TEXT_MAX, "%s%s", gen_number(r),
                     i != AXIS_TRUNK && rng_one_in(r, 2) ? gen_number(r) : "");
    return c;
}

/* What query_match() promises, once more and plainly. */
static inline bool gen_matches(const struct query *q, const struct call *c)
{
    bool yes = !q->none;
    for (int i = 0; i < NUM_AXES; i++)
        if (!range_is_all(q->num[i]))
            yes = yes && c->num[i] != INT64_MIN && q->num[i].lo <= c->num[i] &&
                  c->num[i] < q->num[i].hi;
    for (int i = AXIS_FROM; i <= AXIS_TO; i++)
        yes = yes && strncmp(c->text[i], q->text[i], strlen(q->text[i])) == 0;
    return yes && (!*q->text[AXIS_TRUNK] || strcmp(c->text[AXIS_TRUNK], q->text[AXIS_TRUNK]) == 0);
}

#endif
