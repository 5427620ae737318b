// SPDX-License-Identifier: MIT
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utc.h"

/* The query while it is read. */
struct reading {
    struct query *q;
    const struct query_rules *rules;
    struct range end;
    bool end_lower;
    bool end_upper;
    enum range_op op; /* of the argument at hand */
    char *reason;
};

struct spec;
typedef int (*reader)(struct reading *r, const struct spec *spec, const char *value);

/* One argument a listing may have, and where. */
struct spec {
    const char *name;
    bool latest;
    bool legacy;
    bool compares; /* has the __gt, __gte, __lt, __lte forms */
    reader read;
    size_t at;                /* in struct query, for texts and limit/offset */
    const char *const *allow; /* values, or NULL for any */
};

static int read_int(const char *value, int64_t *ret)
{
    char *end;

    if (value[strspn(value, "0123456789")] != '\0')
        return -EINVAL;
    errno = 0;
    *ret = strtoll(value, &end, 10);
    return errno ? -EINVAL : 0;
}

static int read_end(struct reading *r, const struct spec *spec, const char *value)
{
    int64_t us;

    (void)spec;
    if (utc_parse(value, &us) < 0)
        return -EINVAL;
    r->end_lower |= r->op == RANGE_EQ || r->op == RANGE_GT || r->op == RANGE_GTE;
    r->end_upper |= r->op == RANGE_LT || r->op == RANGE_LTE;
    range_narrow(&r->end, r->op, us / UTC_SECOND_US, us % UTC_SECOND_US != 0);
    return 0;
}

static int read_initiation(struct reading *r, const struct spec *spec, const char *value)
{
    int64_t us;

    (void)spec;
    if (utc_parse(value, &us) < 0)
        return -EINVAL;
    range_narrow(&r->q->filter.initiation, r->op, us / UTC_SECOND_US - r->rules->tz_min * 60,
                 us % UTC_SECOND_US != 0);
    return 0;
}

static int read_bill(struct reading *r, const struct spec *spec, const char *value)
{
    int64_t seconds;

    (void)spec;
    if (read_int(value, &seconds) < 0)
        return -EINVAL;
    range_narrow(&r->q->filter.bill, r->op, seconds, false);
    return 0;
}

static int read_code(struct reading *r, const struct spec *spec, const char *value)
{
    (void)spec;
    r->q->filter.has_code = 1;
    return read_int(value, &r->q->filter.code);
}

/* A value too long for any record, or a number with a plus sign (also as the blank it decodes to),
 * is no mistake: nothing matches it. */
static int read_text(struct reading *r, const struct spec *spec, const char *value)
{
    char *out = (char *)r->q + spec->at;

    for (int i = 0; spec->allow && strcmp(spec->allow[i], value) != 0; i++)
        if (!spec->allow[i + 1])
            return -EINVAL;
    if (strlen(value) >= FILTER_TEXT || *value == '+' || *value == ' ')
        r->q->filter.nothing = 1;
    else
        strcpy(out, value);
    return 0;
}

static int read_limit(struct reading *r, const struct spec *spec, const char *value)
{
    (void)spec;
    if (read_int(value, &r->q->limit) < 0 || r->q->limit < 1 || r->q->limit > QUERY_LIMIT_MAX)
        return -EINVAL;
    return 0;
}

static int read_offset(struct reading *r, const struct spec *spec, const char *value)
{
    (void)spec;
    return read_int(value, &r->q->offset);
}

static const char *const directions[] = {"inbound", "outbound", NULL};
static const char *const sources[] = {"customer", "carrier", "zentrunk", NULL};
static const char *const stirs[] = {"Verified", "Not Verified", "Not Applicable", NULL};

#define TEXT(m) offsetof(struct query, filter.m)

static const struct spec specs[] = {
    {"end_time", true, true, true, read_end, 0, NULL},
    {"initiation_time", false, true, true, read_initiation, 0, NULL},
    {"bill_duration", true, true, true, read_bill, 0, NULL},
    {"call_direction", true, true, false, read_text, TEXT(direction), directions},
    {"from_number", true, true, false, read_text, TEXT(from), NULL},
    {"to_number", true, true, false, read_text, TEXT(to), NULL},
    {"trunk_id", false, true, false, read_text, TEXT(trunk_id), NULL},
    {"hangup_cause_code", true, false, false, read_code, 0, NULL},
    {"hangup_source", true, false, false, read_text, TEXT(source), sources},
    {"stir_verification", true, false, false, read_text, TEXT(stir), stirs},
    {"limit", true, true, false, read_limit, 0, NULL},
    {"offset", true, true, false, read_offset, 0, NULL},
};

/* Splits `name__op`; an operator nobody knows gives no spec. */
static const struct spec *find(const char *key, enum dialect d, enum range_op *ret_op)
{
    static const char *const ops[] = {"", "__gt", "__gte", "__lt", "__lte"};

    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        size_t len = strlen(specs[i].name);

        if (strncmp(key, specs[i].name, len) != 0 ||
            !(d == DIALECT_LEGACY ? specs[i].legacy : specs[i].latest))
            continue;
        for (int op = 0; op < (specs[i].compares ? 5 : 1); op++) {
            *ret_op = (enum range_op)op;
            if (strcmp(key + len, ops[op]) == 0)
                return &specs[i];
        }
    }
    return NULL;
}

static int refuse(struct reading *r, const char *text, const char *about)
{
    snprintf(r->reason, QUERY_REASON, "%s%.80s", text, about);
    return -EINVAL;
}

static int read_argument(struct reading *r, const char *key, const char *value)
{
    const struct spec *spec = find(key, r->rules->dialect, &r->op);

    if (!spec || settings_refuse(r->rules->settings, key))
        return refuse(r, "filtering not allowed on ", key);
    if (!*value)
        return refuse(r, "empty value for ", key);
    if (spec->read(r, spec, value) < 0)
        return refuse(r, "invalid value for ", key);
    return 0;
}

/* Applies the rules of the end_time window. */
static int settle(struct reading *r)
{
    struct query *q = r->q;
    int64_t now = r->rules->now, oldest = now - QUERY_RETENTION;

    if (r->end_upper && !r->end_lower)
        return refuse(r, "upper bound without lower bound on ", "end_time");
    q->lo = r->end.set ? r->end.lo : now - QUERY_DEFAULT;
    q->hi = r->end.set ? r->end.hi : now + 1;
    if (q->lo < oldest - QUERY_TOLERANCE)
        return refuse(r, "only the last 90 days can be fetched by ", "end_time");
    if (r->end_upper && q->hi > q->lo && q->hi - q->lo > QUERY_RETENTION + QUERY_TOLERANCE)
        return refuse(r, "range longer than 90 days on ", "end_time");
    q->lo = q->lo < oldest ? oldest : q->lo;
    q->hi = q->hi > now + 1 ? now + 1 : q->hi;
    return 0;
}

int query_parse(struct query *q, const struct query_rules *rules, const struct args *args,
                char reason[QUERY_REASON])
{
    struct reading r = {.q = q, .rules = rules, .reason = reason};
    int err = 0;

    memset(q, 0, sizeof *q);
    q->limit = QUERY_LIMIT_MAX;
    for (size_t i = 0; i < args->n && err == 0; i++)
        err = read_argument(&r, args->list[i].key, args->list[i].value);
    return err ? err : settle(&r);
}
