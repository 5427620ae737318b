// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "api/utc.h"
#include "cache/store_priv.h"

#define ENTRY_COLUMNS "id, uuid, end_time, mtime, size"

/* One reading call: a connection of its own, and a statement on it. */
struct reading {
    struct store *store;
    struct db *db;
    sqlite3_stmt *st;
    int next; /* index of the next binding */
};

static void reading_end(struct reading *r)
{
    db_done(&r->st);
    if (r->db)
        store_give_reader(r->store, r->db);
}

#define CLEANUP_READING __attribute__((cleanup(reading_end)))

/* Prepares `SELECT columns FROM table WHERE 1 [conditions of q] [tail]`. */
static int reading_begin(struct reading *r, struct store *s, const char *select,
                         const struct query *q, const char *tail)
{
    struct buf sql = buf_make(SQL_MAX);
    *r = (struct reading){.store = s, .db = store_take_reader(s), .next = 1};
    buf_puts(&sql, select);
    if (q) {
        buf_puts(&sql, " WHERE 1");
        db_where(&sql, q);
    }
    buf_puts(&sql, tail);
    int rc = buf_error(&sql) == -ENOMEM ? -ENOMEM : buf_error(&sql) || !r->db ? -EIO : 0;
    if (rc == 0 && !(r->st = db_stmt(r->db, sql.p)))
        rc = store_read_failed(s, r->db);
    buf_release(&sql);
    if (rc < 0)
        return rc;
    if (q)
        db_bind_query(r->st, &r->next, q);
    return 0;
}

/* 1 for a row, 0 for none. */
static int reading_step(struct reading *r)
{
    int rc = sqlite3_step(r->st);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_read_failed(r->store, r->db);
}

static int read_entry(struct reading *r, struct entry *e)
{
    const char *uuid = (const char *)sqlite3_column_text(r->st, 1);
    e->id = sqlite3_column_int64(r->st, 0);
    if (!uuid || !*uuid || !str_copy(e->uuid, sizeof(e->uuid), uuid, strlen(uuid)))
        return store_is_damaged(r->store, "a call without a name");
    e->end_time = sqlite3_column_int64(r->st, 2);
    e->mtime = sqlite3_column_int64(r->st, 3);
    e->size = sqlite3_column_int64(r->st, 4);
    return 0;
}

int store_list(struct store *s, const struct query *q, int64_t after, store_entry_fn *fn, void *arg)
{
    CLEANUP_READING struct reading r;
    struct entry e;
    int rc =
        reading_begin(&r, s, "SELECT " ENTRY_COLUMNS " FROM call", q, " AND id > ? ORDER BY id");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, r.next, after);
    while ((rc = reading_step(&r)) > 0) {
        if ((rc = read_entry(&r, &e)) < 0 || !fn(arg, &e))
            return rc;
    }
    return rc;
}

static int entry_by(struct reading *r, struct entry *ret)
{
    int rc = reading_step(r);
    return rc > 0 ? read_entry(r, ret) : rc == 0 ? -ENOENT : rc;
}

static int bind_uuid_and_find(struct reading *r, const char *uuid, struct entry *ret)
{
    sqlite3_bind_text(r->st, r->next, uuid, -1, SQLITE_STATIC);
    return entry_by(r, ret);
}

int store_find(struct store *s, const struct query *q, const char *uuid, struct entry *ret,
               bool *matches)
{
    {
        CLEANUP_READING struct reading r;
        int rc = reading_begin(&r, s, "SELECT " ENTRY_COLUMNS " FROM call", q, " AND uuid = ?");
        if (rc == 0)
            rc = bind_uuid_and_find(&r, uuid, ret);
        *matches = rc == 0;
        if (rc != -ENOENT)
            return rc;
    }
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT " ENTRY_COLUMNS " FROM call WHERE uuid = ?", NULL, "");
    return rc < 0 ? rc : bind_uuid_and_find(&r, uuid, ret);
}

int store_entry(struct store *s, int64_t id, struct entry *ret)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT " ENTRY_COLUMNS " FROM call WHERE id = ?", NULL, "");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, 1, id);
    return entry_by(&r, ret);
}

#define SELECT_BODIES                                                                              \
    "SELECT call.id, bytes, dict, size FROM call LEFT JOIN body ON body.id = call.id"

/* Appends the body of a row of SELECT_BODIES. */
static int read_body(struct reading *r, struct buf *out)
{
    size_t before = out->len;
    bool there = sqlite3_column_type(r->st, 1) != SQLITE_NULL && buf_room(out, 0);
    int rc = there ? store_open_body(r->store, r->st, 1, out) : buf_error(out);
    if (rc == -ENOMEM)
        return rc;
    if (!there || rc < 0 || (int64_t)(out->len - before) != sqlite3_column_int64(r->st, 3))
        return store_is_damaged(r->store, "a call without its bytes");
    return 0;
}

int store_body(struct store *s, int64_t id, char **ret, size_t *ret_size)
{
    CLEANUP_READING struct reading r;
    struct buf body = buf_make(PACK_MOST);
    int rc = reading_begin(&r, s, SELECT_BODIES " WHERE call.id = ?", NULL, "");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, 1, id);
    rc = reading_step(&r);
    if (rc <= 0)
        return rc == 0 ? -ENOENT : rc;
    rc = read_body(&r, &body);
    if (rc < 0) {
        buf_release(&body);
        return rc;
    }
    *ret = body.p;
    *ret_size = body.len;
    return 0;
}

/* A statement whose one row holds one number, NULL standing for none. */
static int read_one(struct reading *r, int64_t *ret)
{
    int rc = reading_step(r);
    if (rc < 0)
        return rc;
    if (rc == 0 || sqlite3_column_type(r->st, 0) == SQLITE_NULL)
        return -ENOENT;
    *ret = sqlite3_column_int64(r->st, 0);
    return 0;
}

/* From the newest call backwards until one matches; without filters that is the first. */
int store_newest(struct store *s, const struct query *q, int64_t *ret)
{
    CLEANUP_READING struct reading r;
    struct query filters = *q;
    struct range when = q->num[AXIS_END_TIME];
    filters.num[AXIS_END_TIME] = RANGE_ALL;
    int rc = reading_begin(&r, s, "SELECT end_time FROM call", &filters,
                           " AND end_time >= ? AND end_time < ? ORDER BY end_time DESC LIMIT 1");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, r.next, when.lo);
    sqlite3_bind_int64(r.st, r.next + 1, when.hi);
    return read_one(&r, ret);
}

int store_oldest(struct store *s, int64_t *ret)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT min(end_time) FROM call", NULL, "");
    return rc < 0 ? rc : read_one(&r, ret);
}

int store_next_day(struct store *s, int64_t after, int64_t *ret)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT min(day) FROM call WHERE day > ?", NULL, "");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, 1, utc_day_number(after));
    rc = read_one(&r, ret);
    if (rc == 0)
        *ret *= UTC_DAY;
    return rc;
}

int store_seen(struct store *s, int axis, int (*fn)(void *arg, const char *value), void *arg)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT value FROM seen WHERE axis = ? ORDER BY value", NULL, "");
    if (rc < 0)
        return rc;
    sqlite3_bind_int(r.st, 1, axis);
    while ((rc = reading_step(&r)) > 0) {
        const char *value = (const char *)sqlite3_column_text(r.st, 0);
        if (value && (rc = fn(arg, value)) < 0)
            break;
    }
    return rc;
}

/* Hands id and body of each row to fn. */
static int each_body(struct reading *r, store_body_fn *fn, void *arg)
{
    struct buf body = buf_make(PACK_MOST);
    int rc;
    while ((rc = reading_step(r)) > 0) {
        body.len = 0;
        rc = read_body(r, &body);
        if (rc == 0)
            rc = fn(arg, sqlite3_column_int64(r->st, 0), (struct slice){body.p, body.len});
        if (rc < 0)
            break;
    }
    buf_release(&body);
    return rc;
}

struct without_id {
    int (*fn)(void *arg, struct slice body);
    void *arg;
};

static int drop_id(void *arg, int64_t id, struct slice body)
{
    struct without_id *w = arg;
    (void)id;
    return w->fn(w->arg, body);
}

int store_bodies(struct store *s, const struct query *q, int (*fn)(void *arg, struct slice body),
                 void *arg)
{
    CLEANUP_READING struct reading r;
    struct without_id w = {fn, arg};
    int rc = reading_begin(&r, s, SELECT_BODIES, q, " ORDER BY end_time, uuid");
    return rc < 0 ? rc : each_body(&r, drop_id, &w);
}

int store_bodies_after(struct store *s, const struct query *q, int64_t after, int64_t last,
                       int most, store_body_fn *fn, void *arg)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, SELECT_BODIES, q,
                           " AND call.id > ? AND call.id <= ? ORDER BY call.id LIMIT ?");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, r.next, after);
    sqlite3_bind_int64(r.st, r.next + 1, last);
    sqlite3_bind_int(r.st, r.next + 2, most);
    return each_body(&r, fn, arg);
}

bool store_holds(struct store *s, const struct query *q, int64_t id)
{
    CLEANUP_READING struct reading r;
    if (reading_begin(&r, s, "SELECT 1 FROM call", q, " AND id = ?") < 0)
        return false;
    sqlite3_bind_int64(r.st, r.next, id);
    return reading_step(&r) > 0;
}

int store_mark(struct store *s, const struct query *q, struct mark *ret)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s,
                           "SELECT count(*), ifnull(max(id), 0), ifnull(sum(size), 0),"
                           " ifnull(max(mtime), 0) FROM call",
                           q, "");
    if (rc == 0)
        rc = read_one(&r, &ret->calls);
    if (rc < 0)
        return rc;
    ret->last_id = sqlite3_column_int64(r.st, 1);
    ret->bytes = sqlite3_column_int64(r.st, 2);
    ret->mtime = sqlite3_column_int64(r.st, 3);
    return 0;
}

int store_totals(struct store *s, int64_t *ret_calls, int64_t *ret_bytes)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT count(*), ifnull(sum(size), 0) FROM call", NULL, "");
    if (rc == 0)
        rc = read_one(&r, ret_calls);
    if (rc == 0)
        *ret_bytes = sqlite3_column_int64(r.st, 1);
    return rc;
}
