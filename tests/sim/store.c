// SPDX-License-Identifier: MIT
#include "store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"
#include "rng.h"
#include "utc.h"

enum { ROW_MAX = 1 << 20 };

void store_init(struct store *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    calls_init(&s->calls, seed);
}

void store_release(struct store *s)
{
    matches_release(&s->matches);
    idvec_release(&s->order);
    calls_release(&s->calls);
    pthread_mutex_destroy(&s->lock);
}

int store_bulk(struct store *s, const int64_t *ends, size_t n)
{
    int err = 0;
    uint32_t id;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n && err == 0; i++) {
        err = calls_add(&s->calls, ends[i], NULL, &id);
        if (err == 0)
            err = idvec_push(&s->order, id);
    }
    idvec_sort(&s->order, &s->calls);
    pthread_mutex_unlock(&s->lock);
    return err;
}

/* Puts a call of the table in the listings, under the end its amendments give it; a raw row stays
 * where it was filed, whatever it says. */
static int join_locked(struct store *s, uint32_t id)
{
    const struct extra *extra = s->calls.table[id].extra;
    const struct extra_item *end = extra_get(extra, "end_time");
    int64_t us;
    int err;

    if (end && end->literal && !extra->raw && utc_parse(end->text, &us) == 0)
        s->calls.table[id].end = us / UTC_SECOND_US;
    err = idvec_insert(&s->order, &s->calls, id);
    if (err == 0)
        matches_joined(&s->matches, &s->calls, id);
    return err;
}

static void leave_locked(struct store *s, uint32_t id)
{
    idvec_remove(&s->order, &s->calls, id);
    matches_leaving(&s->matches, &s->calls, id);
}

int store_insert(struct store *s, int64_t end, struct extra *extra, struct text *uuid_out)
{
    char buffer[UUID_SIZE];
    uint32_t id;
    int err;

    pthread_mutex_lock(&s->lock);
    err = calls_add(&s->calls, end, extra, &id);
    if (err < 0)
        extra_destroy(extra);
    else
        err = join_locked(s, id);
    if (err == 0 && uuid_out) {
        const char *uuid = calls_uuid(&s->calls, id, buffer);

        text_json(uuid_out, uuid, strlen(uuid));
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

static int amend_members(struct extra *x, const json_t *set)
{
    const char *key;
    json_t *value;
    int err = 0;

    json_object_foreach((json_t *)set, key, value)
    {
        if (!json_is_string(value) && !json_is_null(value))
            return -EINVAL;
        err = err ? err : extra_set(x, key, json_string_value(value));
    }
    return err;
}

static int amend_locked(struct store *s, const char *uuid, const json_t *set)
{
    struct call *call;
    uint32_t id;
    int err = calls_find(&s->calls, uuid, &id), joined;

    if (err < 0)
        return err;
    call = &s->calls.table[id];
    if (!call->extra && !(call->extra = extra_create()))
        return -ENOMEM;
    leave_locked(s, id);
    err = amend_members(call->extra, set);
    if (call->extra->uuid && err == 0)
        err = calls_name(&s->calls, id);
    joined = join_locked(s, id);
    return err ? err : joined;
}

int store_amend(struct store *s, const char *uuid, const json_t *set)
{
    int err;

    pthread_mutex_lock(&s->lock);
    err = amend_locked(s, uuid, set);
    pthread_mutex_unlock(&s->lock);
    return err;
}

int store_delete(struct store *s, const char *uuid)
{
    uint32_t id;
    int err;

    pthread_mutex_lock(&s->lock);
    err = calls_find(&s->calls, uuid, &id);
    if (err == 0) {
        leave_locked(s, id);
        s->calls.table[id].end = CALL_GONE;
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

static void row_locked(struct store *s, uint32_t id, enum dialect d, struct text *out)
{
    char buffer[UUID_SIZE];
    struct cdr cdr;

    calls_cdr(&s->calls, id, &cdr);
    render_row(out, d, &cdr, s->calls.table[id].extra, calls_uuid(&s->calls, id, buffer));
}

static int64_t page_locked(struct store *s, const struct page *p, struct text *out,
                           int64_t *ret_total)
{
    const struct idvec *v = matches_get(&s->matches, &s->calls, &s->order, p->filter);
    int64_t lo, hi, rows = 0;

    if (!v)
        return -ENOMEM;
    lo = (int64_t)idvec_since(v, &s->calls, p->lo);
    hi = (int64_t)idvec_since(v, &s->calls, p->hi);
    *ret_total = hi > lo ? hi - lo : 0;
    for (int64_t i = p->first; rows < p->count && i < *ret_total; i++, rows++) {
        if (rows)
            text_add(out, ", ", 2);
        row_locked(s, v->ids[p->asc ? lo + i : hi - 1 - i], p->dialect, out);
    }
    return out->err ? out->err : rows;
}

int64_t store_page(struct store *s, const struct page *p, struct text *out, int64_t *ret_total)
{
    int64_t rows;

    pthread_mutex_lock(&s->lock);
    rows = page_locked(s, p, out, ret_total);
    pthread_mutex_unlock(&s->lock);
    return rows;
}

int store_single(struct store *s, const char *uuid, int64_t lo, int64_t hi, struct text *out)
{
    uint32_t id;
    int err;

    pthread_mutex_lock(&s->lock);
    err = calls_find(&s->calls, uuid, &id);
    if (err == 0 && (s->calls.table[id].end < lo || s->calls.table[id].end >= hi))
        err = -ENOENT;
    if (err == 0)
        row_locked(s, id, DIALECT_LATEST, out);
    pthread_mutex_unlock(&s->lock);
    return err;
}

int store_ids(struct store *s, int64_t lo, int64_t hi, uint32_t **ret_ids, size_t *ret_n)
{
    size_t from, to;
    uint32_t *ids = NULL;
    int err = 0;

    pthread_mutex_lock(&s->lock);
    from = idvec_since(&s->order, &s->calls, lo);
    to = idvec_since(&s->order, &s->calls, hi);
    if (to > from) {
        ids = malloc((to - from) * sizeof *ids);
        err = ids ? 0 : -ENOMEM;
    }
    if (ids)
        memcpy(ids, s->order.ids + from, (to - from) * sizeof *ids);
    pthread_mutex_unlock(&s->lock);
    *ret_ids = ids;
    *ret_n = ids ? to - from : 0;
    return err;
}

static void member(struct text *t, const char *key, const char *value)
{
    text_fmt(t, ", \"%s\": ", key);
    text_json(t, value, strlen(value));
}

static void member_phone(struct text *t, const char *key, const struct phone *p)
{
    if (p->json && p->json[0] != '"') {
        member(t, key, p->text);
        return;
    }
    text_fmt(t, ", \"%s\": ", key);
    render_phone(t, p);
}

static void oracle_line(struct text *t, const struct cdr *c, const char *uuid,
                        const struct text *raw)
{
    char end[UTC_SIZE], start[UTC_SIZE];

    utc_format(c->end, end);
    utc_format(c->initiation, start);
    text_str(t, "{\"call_uuid\": ");
    text_json(t, uuid, strlen(uuid));
    member(t, "end_time", end);
    member(t, "initiation_time", start);
    member(t, "call_direction", c->direction);
    member_phone(t, "from_number", &c->from);
    member_phone(t, "to_number", &c->to);
    text_fmt(t, ", \"bill_duration\": %lld, \"hangup_cause_code\": %lld", (long long)c->billed,
             (long long)c->cause_code);
    member(t, "hangup_source", c->source);
    member(t, "stir_verification", c->stir);
    member(t, "trunk_domain", c->trunk_domain);
    member(t, "trunk_id", c->trunk_id);
    text_str(t, ", \"raw\": ");
    text_json(t, raw->data ? raw->data : "", raw->len);
    text_str(t, "}\n");
}

void store_oracle(struct store *s, uint32_t id, enum dialect d, struct text *out)
{
    char buffer[UUID_SIZE];
    struct text raw;
    struct cdr cdr;

    text_init(&raw, ROW_MAX);
    pthread_mutex_lock(&s->lock);
    if (s->calls.table[id].end != CALL_GONE) {
        calls_cdr(&s->calls, id, &cdr);
        row_locked(s, id, d, &raw);
        oracle_line(out, &cdr, calls_uuid(&s->calls, id, buffer), &raw);
    }
    pthread_mutex_unlock(&s->lock);
    text_release(&raw);
}
