// SPDX-License-Identifier: MIT
/*
 * The path grammar: the input is a path, walked name by name as lookups would, and each name is
 * also tried as a date, as a call, and the whole as the key of a set of filters.
 *
 * A directory's query is never wider than its parent's; the same condition twice is that condition,
 * two of them mean the same in either order; what a query says comes back from its key, and becomes
 * a URL that only has what a URL may have; a name has one meaning, and a meaning one name.
 */
#include <errno.h>

#include "api/dialect.h"
#include "api/utc.h"
#include "fs/path.h"
#include "tests/fuzz/fuzz.h"

#define NOW 1790424000 /* 2026-09-26 12:00:00 */
#define DEPTH_MAX 64

static bool same_filters(const struct query *a, const struct query *b)
{
    bool same = a->none == b->none;
    for (int i = 0; i < NUM_AXES && !a->none; i++)
        same = same && a->num[i].lo == b->num[i].lo && a->num[i].hi == b->num[i].hi;
    for (int i = 0; i < TEXT_AXES && !a->none; i++)
        same = same && strcmp(a->text[i], b->text[i]) == 0;
    return same;
}

/* A call at the edge of q; it matches q, unless nothing does. */
static struct call edge_of(const struct query *q, bool upper)
{
    struct call c = {0};
    for (int i = 0; i < NUM_AXES; i++) {
        struct range r = q->num[i];
        bool from_hi = r.hi != INT64_MAX && (upper || r.lo == INT64_MIN);
        c.num[i] = range_is_all(r) ? 0 : from_hi ? r.hi - 1 : r.lo;
    }
    for (int i = 0; i < TEXT_AXES; i++)
        strcpy(c.text[i], q->text[i]);
    return c;
}

/* And one just outside on that axis, which does not; 0 when there is no outside. */
static bool step_out(const struct query *q, int axis, bool upper, struct call *c)
{
    struct range r = q->num[axis];
    if (upper ? r.hi == INT64_MAX : r.lo == INT64_MIN)
        return false;
    c->num[axis] = upper ? r.hi : r.lo - 1;
    return true;
}

static void check_outside(const struct query *q)
{
    for (int axis = 0; axis < NUM_AXES; axis++) {
        for (int upper = 0; upper < 2; upper++) {
            struct call c = edge_of(q, upper);
            CHECK(!step_out(q, axis, upper, &c) || !query_match(q, &c));
        }
    }
    for (int axis = 0; axis < TEXT_AXES; axis++) {
        struct call c = edge_of(q, false);
        size_t n = strlen(c.text[axis]);
        if (!n)
            continue;
        c.text[axis][n - 1] = '\0';
        CHECK(!query_match(q, &c));
    }
}

static void check_narrower(const struct query *child, const struct query *parent)
{
    CHECK(query_implies(child, parent) && query_filters_imply(child, parent));
    for (int upper = 0; upper < 2; upper++) {
        struct call c = edge_of(child, upper);
        CHECK(query_match(child, &c) == !child->none);
        CHECK(child->none || query_match(parent, &c));
    }
    check_outside(child);
}

static void check_key(const struct query *q)
{
    char key[QUERY_KEY_MAX], again[QUERY_KEY_MAX];
    struct query filters = *q, back;
    query_filter_key(q, key);
    CHECK(strlen(key) < QUERY_KEY_MAX - 1);
    CHECK(query_from_filter_key(key, &back) == 0);
    filters.num[AXIS_END_TIME] = RANGE_ALL;
    CHECK(same_filters(&filters, &back));
    CHECK(query_filters_imply(q, &back) && query_filters_imply(&back, q));
    query_filter_key(&back, again);
    CHECK(strcmp(key, again) == 0);
}

static void check_url_of(const struct dialect *d, const struct query *q)
{
    static const char safe[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~:/?&=%";
    struct query asked = dialect_narrowest(d, 0, q);
    struct buf url = buf_make(URL_MAX_BYTES);
    CHECK(query_implies(q, &asked));
    dialect_list_url(&url, d, d->default_url, "MAXXXXXXXXXXXXXXXXXX", &asked, INT64_MAX,
                     API_PAGE_LIMIT);
    CHECK(strspn(fuzz_buf(&url), safe) == url.len);
    CHECK(!strstr(url.p, "=&") && url.p[url.len - 1] != '=');
    buf_release(&url);
}

/* Requests have both ends of the end time. */
static void check_url(const struct query *q)
{
    struct query bounded = *q;
    query_meet_range(&bounded, AXIS_END_TIME, (struct range){0, NOW});
    if (bounded.none)
        return;
    check_url_of(dialect_by_name("latest"), &bounded);
    check_url_of(dialect_by_name("legacy"), &bounded);
}

static void check_date(const char *name)
{
    struct range r;
    char text[UTC_TEXT_MAX];
    size_t n = strlen(name);
    if (path_date(name, &r) < 0)
        return;
    CHECK(r.lo < r.hi && r.lo % 3600 == 0 && r.hi % 3600 == 0);
    CHECK(n == 7 || n == 10 || n == 13);
    CHECK(r.hi - r.lo == (n == 13 ? 3600 : n == 10 ? UTC_DAY : r.hi - r.lo));
    utc_format(r.lo, text);
    CHECK(strncmp(text, name, n < 10 ? n : 10) == 0);
    CHECK(n != 13 || strncmp(text + 11, name + 11, 2) == 0);
    utc_format(r.hi - 1, text);
    CHECK(strncmp(text, name, n < 10 ? n : 10) == 0);
    utc_format(r.hi, text);
    CHECK(strncmp(text, name, 7) != 0 || n != 7);
}

static void check_call_name(const char *name)
{
    char uuid[CALL_UUID_MAX], again[FILE_NAME_MAX];
    if (path_call(name, uuid) < 0)
        return;
    CHECK(fuzz_is_name(uuid));
    path_call_name(uuid, again);
    CHECK(strcmp(name, again) == 0);
}

/* A window's name is a date, and what its tree puts behind one. */
static void check_window_name(const struct dir *d, const char *name)
{
    struct range r;
    const char *suffix = path_suffix(d->tree);
    CHECK(strlen(name) > strlen(suffix));
    size_t n = strlen(name) - strlen(suffix);
    CLEANUP_FREE char *date = fuzz_text(name, n);
    CHECK(strcmp(name + n, suffix) == 0);
    CHECK(path_date(date, &r) == 0 && r.lo <= NOW);
    CHECK(d->q.none || (d->q.num[AXIS_END_TIME].lo >= r.lo && d->q.num[AXIS_END_TIME].hi <= r.hi));
}

static void check_dir(const struct dir *d, const struct dir *parent, const char *name)
{
    CHECK(d->tree < TREES);
    CHECK(!d->root || d->kind == DIR_FILTERS);
    CHECK(d->kind != DIR_AXIS || (d->axis >= 0 && d->axis < AXES));
    CHECK(d->kind != FILE_RENDERED || d->tree != TREE_JSON);
    CHECK(d->kind != DIR_WINDOW || d->tree == TREE_JSON);
    CHECK(d->root || d->tree == parent->tree);
    for (int i = 0; i < NUM_AXES && !d->q.none; i++)
        CHECK(d->q.num[i].lo < d->q.num[i].hi);
    if (d->kind == DIR_WINDOW || d->kind == FILE_RENDERED)
        check_window_name(d, name);
    check_narrower(&d->q, &parent->q);
    check_key(&d->q);
    check_url(&d->q);
}

/* 0 when parent has that child; checks what must hold either way. */
static int step(const struct dir *parent, const char *name, struct dir *ret)
{
    const char *reason = NULL;
    CLEANUP_FREE char *exact = fuzz_text(name, strlen(name));
    int rc = path_child(parent, exact, NOW, ret, &reason);
    CHECK(rc == 0 || rc == -ENOENT);
    if (rc == 0)
        check_dir(ret, parent, name);
    else
        CHECK(reason && fuzz_is_line(reason));
    return rc;
}

/* The value of an axis again, and before the one that came before it. */
static void check_values(const struct query *q, int axis, const char *value, int axis_before,
                         const char *before)
{
    struct query twice = *q, turned = QUERY_ALL, straight = QUERY_ALL;
    CHECK(query_apply(&twice, axis, value) == 0 && same_filters(&twice, q));
    if (!before)
        return;
    CHECK(query_apply(&straight, axis_before, before) == 0);
    CHECK(query_apply(&straight, axis, value) == 0);
    CHECK(query_apply(&turned, axis, value) == 0);
    CHECK(query_apply(&turned, axis_before, before) == 0);
    CHECK(same_filters(&straight, &turned));
}

static bool apply(int axis, const char *op, const char *operand, struct query *ret)
{
    CLEANUP_FREE char *value = malloc(strlen(op) + strlen(operand) + 1);
    CHECK(value);
    strcpy(value, op);
    strcat(value, operand);
    *ret = QUERY_ALL;
    return query_apply(ret, axis, value) == 0;
}

/* What lies before, at, and behind an operand has nothing in common, and is everything together. */
static void check_comparisons(int axis, const char *operand)
{
    struct query below, upto, at, from, above;
    CHECK(apply(axis, "lt-", operand, &below) && apply(axis, "lte-", operand, &upto));
    CHECK(apply(axis, "gte-", operand, &from) && apply(axis, "gt-", operand, &above));
    CHECK(apply(axis, "", operand, &at));
    CHECK(below.num[axis].lo == INT64_MIN && below.num[axis].hi == at.num[axis].lo);
    CHECK(upto.num[axis].lo == INT64_MIN && upto.num[axis].hi == at.num[axis].hi);
    CHECK(from.num[axis].lo == at.num[axis].lo && from.num[axis].hi == INT64_MAX);
    CHECK(above.num[axis].lo == at.num[axis].hi && above.num[axis].hi == INT64_MAX);
}

/* A value has one spelling, so that a query has one path. */
static void check_spelling(int axis, const char *operand)
{
    struct query q;
    char text[64];
    CHECK(apply(axis, "", operand, &q));
    if (axes[axis].form == FORM_TIME) {
        utc_format(q.num[axis].lo, text);
        text[10] = 'T';
        text[q.num[axis].hi == q.num[axis].lo + 60 ? 16 : 19] = '\0';
    } else {
        snprintf(text, sizeof(text), "%lld", (long long)q.num[axis].lo);
    }
    CHECK(strcmp(text, operand) == 0);
}

static void check_value(int axis, const char *value)
{
    enum axis_form form = axes[axis].form;
    const char *dash = strchr(value, '-');
    const char *operand = *value == 'g' || *value == 'l' ? dash + 1 : value;
    if (form == FORM_TIME || form == FORM_SECONDS)
        check_comparisons(axis, operand);
    if (form == FORM_TIME || form == FORM_SECONDS || form == FORM_CODE)
        check_spelling(axis, operand);
}

static void walk(char *path)
{
    struct dir at = path_root(), next;
    const char *before = NULL;
    int axis_before = 0, depth = 0;
    for (char *name = strtok(path, "/"); name && depth < DEPTH_MAX; name = strtok(NULL, "/")) {
        check_date(name);
        check_call_name(name);
        if (step(&at, name, &next) < 0)
            continue; /* so that the rest of the path is not lost */
        if (at.kind == DIR_AXIS) {
            check_value(at.axis, name);
            check_values(&next.q, at.axis, name, axis_before, before);
            before = name;
            axis_before = at.axis;
        }
        at = next;
        depth++;
    }
}

/* A key of the store, which anybody who can write that file may have changed. */
static void as_key(const char *text)
{
    struct query q;
    if (query_from_filter_key(text, &q) < 0)
        return;
    CHECK(range_is_all(q.num[AXIS_END_TIME]));
    check_key(&q);
    check_url(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP_FREE char *path = fuzz_text(data, n);
    as_key(path);
    walk(path);
    return 0;
}
