// SPDX-License-Identifier: MIT
#include "api/query.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/utc.h"

static const struct axis_choice directions[] = {
    {"inbound", "inbound"}, {"outbound", "outbound"}, {NULL, NULL}};
static const struct axis_choice sources[] = {
    {"customer", "customer"}, {"carrier", "carrier"}, {"zentrunk", "zentrunk"}, {NULL, NULL}};
static const struct axis_choice stirs[] = {{"verified", "Verified"},
                                           {"not-verified", "Not Verified"},
                                           {"not-applicable", "Not Applicable"},
                                           {NULL, NULL}};

const struct axis axes[AXES] = {
    [AXIS_END_TIME] = {.dir = "by-end-time",
                       .column = "end_time",
                       .field = {"end_time", "end_time"},
                       .param = {"end_time", "end_time"},
                       .form = FORM_TIME,
                       .doc = "when the call ended"},
    [AXIS_INITIATION_TIME] = {.dir = "by-initiation-time",
                              .column = "initiation_time",
                              .field = {"initiation_time", "initiation_time"},
                              .param = {NULL, "initiation_time"},
                              .form = FORM_TIME,
                              .doc = "when the call was placed"},
    [AXIS_BILL_DURATION] = {.dir = "by-bill-duration",
                            .column = "bill_duration",
                            .field = {"bill_duration", "bill_duration"},
                            .param = {"bill_duration", "bill_duration"},
                            .form = FORM_SECONDS,
                            .doc = "billed seconds"},
    [AXIS_DIRECTION] = {.dir = "by-direction",
                        .column = "direction",
                        .field = {"call_direction", "call_direction"},
                        .param = {"call_direction", "call_direction"},
                        .form = FORM_CHOICE,
                        .choices = directions,
                        .doc = "inbound or outbound"},
    [AXIS_HANGUP_CAUSE] = {.dir = "by-hangup-cause",
                           .column = "hangup_cause",
                           .field = {"hangup_cause_code", "hangup_code"},
                           .param = {"hangup_cause_code", NULL},
                           .form = FORM_CODE,
                           .doc = "four-digit hangup cause code"},
    [AXIS_HANGUP_SOURCE] = {.dir = "by-hangup-source",
                            .column = "hangup_source",
                            .field = {"hangup_source", "hangup_initiator"},
                            .param = {"hangup_source", NULL},
                            .form = FORM_CHOICE,
                            .choices = sources,
                            .doc = "who ended the call"},
    [AXIS_STIR] = {.dir = "by-stir",
                   .column = "stir",
                   .field = {"stir_verification", "stir_verification"},
                   .param = {"stir_verification", NULL},
                   .form = FORM_CHOICE,
                   .choices = stirs,
                   .doc = "STIR/SHAKEN verification"},
    [NUM_AXES + AXIS_FROM] = {.dir = "by-from",
                              .column = "from_number",
                              .field = {"from_number", "from_number"},
                              .param = {"from_number", "from_number"},
                              .form = FORM_PREFIX,
                              .doc = "the caller's number, or its beginning"},
    [NUM_AXES + AXIS_TO] = {.dir = "by-to",
                            .column = "to_number",
                            .field = {"to_number", "to_number"},
                            .param = {"to_number", "to_number"},
                            .form = FORM_PREFIX,
                            .doc = "the called number, or its beginning"},
    [NUM_AXES + AXIS_TRUNK] = {.dir = "by-trunk",
                               .column = "trunk",
                               .field = {"trunk_id", "trunk_id"},
                               .param = {NULL, "trunk_id"},
                               .form = FORM_ID,
                               .doc = "trunk id"},
};

bool axis_lists_seen(int axis)
{
    enum axis_form form = axes[axis].form;
    return form == FORM_CODE || form == FORM_PREFIX || form == FORM_ID;
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

void query_meet_range(struct query *q, int axis, struct range r)
{
    struct range *have = &q->num[axis];
    if (r.lo > have->lo)
        have->lo = r.lo;
    if (r.hi < have->hi)
        have->hi = r.hi;
    if (have->lo >= have->hi)
        q->none = true;
}

void query_meet_text(struct query *q, int axis, const char *text)
{
    char *have = q->text[axis];
    bool prefix = axes[NUM_AXES + axis].form == FORM_PREFIX;
    if (!*text || (*have && (prefix ? starts_with(have, text) : strcmp(have, text) == 0)))
        return;
    if (!*have || (prefix && starts_with(text, have)))
        str_copy(have, AXIS_TEXT_MAX, text, strlen(text));
    else
        q->none = true;
}

void query_meet(struct query *a, const struct query *b)
{
    for (int i = 0; i < NUM_AXES; i++)
        query_meet_range(a, i, b->num[i]);
    for (int i = 0; i < TEXT_AXES; i++)
        query_meet_text(a, i, b->text[i]);
    a->none = a->none || b->none;
}

int axis_by_dir(const char *dir)
{
    for (int i = 0; i < AXES; i++)
        if (strcmp(axes[i].dir, dir) == 0)
            return i;
    return -1;
}

int axis_choice_by_api(const struct axis *a, const char *text, size_t n)
{
    for (int i = 0; a->choices[i].api; i++)
        if (strlen(a->choices[i].api) == n && strncasecmp(a->choices[i].api, text, n) == 0)
            return i + 1;
    return 0;
}

/* Digits only, no sign, no leading zero but in "0": a value has one spelling, so one directory. */
static bool parse_whole(const char *s, int64_t *ret)
{
    size_t n = strlen(s);
    if (!n || n > 10 || strspn(s, "0123456789") != n || (n > 1 && *s == '0'))
        return false;
    *ret = strtoll(s, NULL, 10);
    return true;
}

/* `YYYY-MM-DDTHH:MM[:SS]` as the minute or the second it names. */
static bool parse_moment(const char *s, struct range *ret)
{
    size_t n = strlen(s);
    char full[UTC_TEXT_MAX], again[UTC_TEXT_MAX];
    if ((n != 16 && n != 19) || s[10] != 'T')
        return false;
    snprintf(full, sizeof(full), "%s%s", s, n == 16 ? ":00" : "");
    if (utc_parse(full, 19, &ret->lo) < 0)
        return false;
    utc_format(ret->lo, again);
    if (memcmp(full + 11, again + 11, 8) != 0) /* second 60 is another's name */
        return false;
    ret->hi = ret->lo + (n == 16 ? 60 : 1);
    return true;
}

/* Cuts a comparison off the front; the rest is the operand. */
static const char *take_comparison(const char *value, char *ret_op, bool *ret_equal)
{
    *ret_op = value[0] == 'g' || value[0] == 'l' ? value[0] : '=';
    *ret_equal = false;
    if (*ret_op == '=')
        return value;
    if (value[1] != 't')
        return NULL;
    *ret_equal = value[2] == 'e';
    value += *ret_equal ? 3 : 2;
    return *value == '-' ? value + 1 : NULL;
}

/* The operand is itself a range (a minute has 60 seconds); the comparison says which side of it. */
static int parse_compared(const char *value, enum axis_form form, struct range *ret)
{
    char op;
    bool equal;
    struct range r;
    const char *operand = take_comparison(value, &op, &equal);
    if (!operand)
        return -EINVAL;
    if (form == FORM_TIME) {
        if (!parse_moment(operand, &r))
            return -EINVAL;
    } else {
        if (!parse_whole(operand, &r.lo))
            return -EINVAL;
        r.hi = r.lo + 1;
    }
    if (op == 'g')
        r = (struct range){equal ? r.lo : r.hi, INT64_MAX};
    else if (op == 'l')
        r = (struct range){INT64_MIN, equal ? r.hi : r.lo};
    *ret = r;
    return 0;
}

static int parse_choice(const struct axis *a, const char *value, struct range *ret)
{
    for (int i = 0; a->choices[i].path; i++) {
        if (strcmp(a->choices[i].path, value) == 0) {
            *ret = (struct range){i + 1, i + 2};
            return 0;
        }
    }
    return -EINVAL;
}

static int apply_text(struct query *q, int axis, const char *value)
{
    size_t n = strlen(value);
    if (!n || n >= AXIS_TEXT_MAX || strspn(value, "0123456789") != n)
        return -EINVAL;
    query_meet_text(q, axis, value);
    return 0;
}

int query_apply(struct query *q, int axis, const char *value)
{
    const struct axis *a = &axes[axis];
    struct range r;
    int rc = 0;
    switch (a->form) {
    case FORM_PREFIX:
    case FORM_ID:
        return apply_text(q, axis - NUM_AXES, value);
    case FORM_CHOICE:
        rc = parse_choice(a, value, &r);
        break;
    case FORM_CODE:
        if (!parse_whole(value, &r.lo))
            return -EINVAL;
        r.hi = r.lo + 1;
        break;
    default:
        rc = parse_compared(value, a->form, &r);
    }
    if (rc == 0)
        query_meet_range(q, axis, r);
    return rc;
}

static bool range_within(struct range a, struct range b)
{
    return a.lo >= b.lo && a.hi <= b.hi;
}

bool query_filters_imply(const struct query *a, const struct query *b)
{
    if (a->none)
        return true;
    if (b->none)
        return false;
    for (int i = 0; i < NUM_AXES; i++)
        if (i != AXIS_END_TIME && !range_within(a->num[i], b->num[i]))
            return false;
    for (int i = 0; i < TEXT_AXES; i++) {
        bool prefix = axes[NUM_AXES + i].form == FORM_PREFIX;
        if (*b->text[i] &&
            !(prefix ? starts_with(a->text[i], b->text[i]) : strcmp(a->text[i], b->text[i]) == 0))
            return false;
    }
    return true;
}

bool query_implies(const struct query *a, const struct query *b)
{
    return a->none || (query_filters_imply(a, b) &&
                       range_within(a->num[AXIS_END_TIME], b->num[AXIS_END_TIME]));
}

bool query_match(const struct query *q, const struct call *c)
{
    if (q->none)
        return false;
    for (int i = 0; i < NUM_AXES; i++) {
        if (range_is_all(q->num[i]))
            continue;
        if (c->num[i] == INT64_MIN || c->num[i] < q->num[i].lo || c->num[i] >= q->num[i].hi)
            return false;
    }
    for (int i = 0; i < TEXT_AXES; i++) {
        bool prefix = axes[NUM_AXES + i].form == FORM_PREFIX;
        if (*q->text[i] &&
            !(prefix ? starts_with(c->text[i], q->text[i]) : strcmp(c->text[i], q->text[i]) == 0))
            return false;
    }
    return true;
}

void query_filter_key(const struct query *q, char out[QUERY_KEY_MAX])
{
    size_t n = 0;
    out[0] = '\0';
    if (q->none) {
        snprintf(out, QUERY_KEY_MAX, "none");
        return;
    }
    for (int i = 0; i < AXES; i++) {
        size_t room = QUERY_KEY_MAX - n;
        if (i < NUM_AXES && i != AXIS_END_TIME && !range_is_all(q->num[i]))
            n += (size_t)snprintf(out + n, room, "%s=%" PRId64 "..%" PRId64 ";", axes[i].column,
                                  q->num[i].lo, q->num[i].hi);
        else if (i >= NUM_AXES && *q->text[i - NUM_AXES])
            n += (size_t)snprintf(out + n, room, "%s=%s;", axes[i].column, q->text[i - NUM_AXES]);
    }
}

static int axis_by_column(const char *s, size_t n)
{
    for (int i = 0; i < AXES; i++)
        if (strlen(axes[i].column) == n && memcmp(axes[i].column, s, n) == 0)
            return i;
    return -1;
}

/* A number and, right behind it, that text. */
static bool take_bound(const char **p, const char *behind, int64_t *ret)
{
    char *end;
    if (**p != '-' && (**p < '0' || **p > '9'))
        return false;
    errno = 0;
    *ret = strtoll(*p, &end, 10);
    size_t n = strlen(behind);
    bool good = !errno && (n ? strncmp(end, behind, n) == 0 : !*end);
    *p = end + n;
    return good;
}

/* Of a choice one of its numbers; whoever reads the key takes them for an index. */
static bool is_choice(const struct axis *a, struct range r)
{
    int64_t n = 0;
    while (a->choices[n].path)
        n++;
    return r.lo >= 1 && r.lo <= n && r.hi == r.lo + 1;
}

static int key_term(const char *term, struct query *q)
{
    const char *value = strchr(term, '=');
    int axis = value ? axis_by_column(term, (size_t)(value - term)) : -1;
    struct range r;
    if (axis < 0)
        return -EINVAL;
    value++;
    if (axis >= NUM_AXES)
        return apply_text(q, axis - NUM_AXES, value);
    if (axis == AXIS_END_TIME || !take_bound(&value, "..", &r.lo) || !take_bound(&value, "", &r.hi))
        return -EINVAL;
    if (axes[axis].form == FORM_CHOICE && !is_choice(&axes[axis], r))
        return -EINVAL;
    query_meet_range(q, axis, r);
    return 0;
}

int query_from_filter_key(const char *key, struct query *ret)
{
    struct query q = QUERY_ALL;
    char term[QUERY_KEY_MAX];
    if (strcmp(key, "none") == 0) {
        q.none = true;
        *ret = q;
        return 0;
    }
    while (*key) {
        size_t n = strcspn(key, ";");
        if (key[n] != ';' || !str_copy(term, sizeof(term), key, n) || key_term(term, &q) < 0)
            return -EINVAL;
        key += n + 1;
    }
    *ret = q;
    return 0;
}

bool call_uuid_valid(const char *s, size_t n)
{
    if (!n || n >= CALL_UUID_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        bool safe = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '_' || c == '-';
        if (!safe)
            return false;
    }
    return true;
}
