// SPDX-License-Identifier: MIT
#include "filter.h"

#include <string.h>
#include <strings.h>

static void at_least(struct range *r, int64_t value)
{
    if (value > r->lo)
        r->lo = value;
}

static void below(struct range *r, int64_t value)
{
    if (value < r->hi)
        r->hi = value;
}

void range_narrow(struct range *r, enum range_op op, int64_t value, bool fraction)
{
    if (!r->set)
        *r = (struct range){.lo = INT64_MIN, .hi = INT64_MAX, .set = 1};
    if (op == RANGE_EQ) {
        at_least(r, value + (fraction ? 1 : 0));
        below(r, value + 1);
    } else if (op == RANGE_GT) {
        at_least(r, value + 1);
    } else if (op == RANGE_GTE) {
        at_least(r, value + (fraction ? 1 : 0));
    } else if (op == RANGE_LT) {
        below(r, value + (fraction ? 1 : 0));
    } else {
        below(r, value + 1);
    }
}

bool range_has(const struct range *r, int64_t value)
{
    return !r->set || (value >= r->lo && value < r->hi);
}

bool filter_is_empty(const struct filter *f)
{
    struct filter none;

    memset(&none, 0, sizeof none);
    return memcmp(&none, f, sizeof none) == 0;
}

/* A number matches by the start of its digits; text that is no number matches nothing. */
static bool number_match(const char *want, const char *have)
{
    if (!*want)
        return true;
    if (*have == '+')
        have++;
    return have[strspn(have, "0123456789")] == '\0' && strncmp(have, want, strlen(want)) == 0;
}

static bool same(const char *want, const char *have)
{
    return !*want || strcmp(want, have) == 0;
}

bool filter_match(const struct filter *f, const struct cdr *c)
{
    return !f->nothing && (!f->has_code || f->code == c->cause_code) &&
           range_has(&f->bill, c->billed) && range_has(&f->initiation, c->initiation) &&
           number_match(f->from, c->from.text) && number_match(f->to, c->to.text) &&
           same(f->trunk_id, c->trunk_id) && same(f->direction, c->direction) &&
           same(f->source, c->source) && (!*f->stir || strcasecmp(f->stir, c->stir) == 0);
}
