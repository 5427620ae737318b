// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/utc.h"
#include "cache/store_priv.h"

void store_rollback(struct store *s)
{
    if (!sqlite3_get_autocommit(s->writer->sql) && db_exec(s->writer, "ROLLBACK") < 0)
        return; /* SQLite has rolled back by itself already */
}

int store_begin(struct store *s)
{
    if (s->frozen)
        return -EROFS;
    store_rollback(s); /* what an earlier failure may have left open */
    return db_exec(s->writer, "BEGIN IMMEDIATE") == 0 ? 0 : store_write_failed(s);
}

int store_commit(struct store *s)
{
    if (db_exec(s->writer, "COMMIT") < 0)
        return store_write_failed(s);
    store_write_succeeded(s);
    return 0;
}

static int step_done(struct store *s, sqlite3_stmt *st)
{
    return st && sqlite3_step(st) == SQLITE_DONE ? 0 : store_write_failed(s);
}

/* Looks for a call of that uuid: its id or 0, and whether its bytes are these. */
static int find_held(struct store *s, const struct call *c, int64_t *ret_id, bool *ret_same)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer,
                "SELECT call.id, bytes, dict, size FROM call JOIN body USING(id) WHERE uuid = ?");
    *ret_id = 0;
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_text(st, 1, c->uuid, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return store_write_failed(s);
    *ret_id = sqlite3_column_int64(st, 0);
    *ret_same = false;
    if ((size_t)sqlite3_column_int64(st, 3) != c->body.n)
        return 0;
    s->packed.len = 0;
    rc = store_open_body(s, st, 1, &s->packed);
    *ret_same = rc == 0 && s->packed.len == c->body.n &&
                (!c->body.n || memcmp(s->packed.p, c->body.p, c->body.n) == 0);
    return rc == -ENOMEM ? rc : 0; /* a damaged body is amended */
}

static void bind_number(sqlite3_stmt *st, int i, int64_t v)
{
    if (v == INT64_MIN)
        sqlite3_bind_null(st, i);
    else
        sqlite3_bind_int64(st, i, v);
}

#define CALL_COLUMNS                                                                               \
    "uuid, day, end_time, initiation_time, bill_duration, direction, hangup_cause, "               \
    "hangup_source, stir, from_number, to_number, trunk, mtime, size"

/* id 0 inserts; ret_id is the row's id. */
static int write_call(struct store *s, const struct call *c, int64_t id, int64_t mtime,
                      int64_t *ret_id)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(
        s->writer, id ? "UPDATE call SET (" CALL_COLUMNS
                        ") = (?,?,?,?,?,?,?,?,?,?,?,?,?,?) WHERE id = ?"
                      : "INSERT INTO call(" CALL_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    int i = 1;
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_text(st, i++, c->uuid, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, i++, utc_day_number(c->num[AXIS_END_TIME]));
    for (int a = 0; a < NUM_AXES; a++)
        bind_number(st, i++, c->num[a]);
    for (int a = 0; a < TEXT_AXES; a++)
        sqlite3_bind_text(st, i++, c->text[a], -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, i++, mtime);
    sqlite3_bind_int64(st, i++, (int64_t)c->body.n);
    if (id)
        sqlite3_bind_int64(st, i++, id);
    int rc = step_done(s, st);
    *ret_id = id ? id : sqlite3_last_insert_rowid(s->writer->sql);
    return rc;
}

static int write_body(struct store *s, const struct call *c, int64_t id)
{
    int64_t dict;
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT OR REPLACE INTO body(id, bytes, dict) VALUES(?,?,?)");
    if (!st)
        return store_write_failed(s);
    s->packed.len = 0;
    int rc = pack_body(s->pack, c->body, &s->packed, &dict);
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(st, 1, id);
    sqlite3_bind_blob(st, 2, s->packed.len ? s->packed.p : "", (int)s->packed.len, SQLITE_STATIC);
    if (dict)
        sqlite3_bind_int64(st, 3, dict);
    s->raw += !dict;
    return step_done(s, st);
}

static int write_seen(struct store *s, int axis, const char *value)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT OR IGNORE INTO seen(axis, value) VALUES(?,?)");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int(st, 1, axis);
    sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC);
    return step_done(s, st);
}

static int write_all_seen(struct store *s, const struct call *c)
{
    char number[24];
    int rc = 0;
    for (int a = 0; a < AXES && rc == 0; a++) {
        const char *value = a < NUM_AXES ? number : c->text[a - NUM_AXES];
        if (!axis_lists_seen(a) || (a < NUM_AXES && c->num[a] < 0))
            continue;
        if (a < NUM_AXES)
            snprintf(number, sizeof(number), "%" PRId64, c->num[a]);
        if (*value)
            rc = write_seen(s, a, value);
    }
    return rc;
}

int store_put_call(struct store *s, const struct call *c, int64_t now, enum put *ret,
                   int64_t *ret_id)
{
    int64_t id;
    bool same = false;
    int rc = find_held(s, c, &id, &same);
    if (rc < 0)
        return rc;
    *ret = !id ? PUT_NEW : same ? PUT_SAME : PUT_AMENDED;
    if (!same)
        rc = write_call(s, c, id, id ? now : c->num[AXIS_END_TIME], &id);
    *ret_id = id;
    if (same)
        return 0;
    if (rc == 0)
        rc = write_body(s, c, id);
    return rc < 0 ? rc : write_all_seen(s, c);
}

int store_put_span(struct store *s, struct span *span)
{
    char filters[QUERY_KEY_MAX];
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT INTO span(filters, lo, hi, fetched_at) VALUES(?,?,?,?)");
    if (!st)
        return store_write_failed(s);
    query_filter_key(&span->q, filters);
    sqlite3_bind_text(st, 1, filters, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, span->q.num[AXIS_END_TIME].lo);
    sqlite3_bind_int64(st, 3, span->q.num[AXIS_END_TIME].hi);
    sqlite3_bind_int64(st, 4, span->fetched_at);
    int rc = step_done(s, st);
    span->id = sqlite3_last_insert_rowid(s->writer->sql);
    return rc;
}

int store_drop_span(struct store *s, int64_t id)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "DELETE FROM span WHERE id = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, id);
    return step_done(s, st);
}

static int purge_from(struct store *s, const char *sql, int64_t day, int most)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, sql);
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, day);
    sqlite3_bind_int(st, 2, most);
    return step_done(s, st);
}

#define OLD_CALLS "(SELECT id FROM call WHERE day < ? ORDER BY day, id LIMIT ?)"

int store_purge(struct store *s, int64_t before, int most, int *ret_dropped)
{
    int64_t day = utc_day_number(before);
    int rc = purge_from(s, "DELETE FROM body WHERE id IN " OLD_CALLS, day, most);
    if (rc == 0)
        rc = purge_from(s, "DELETE FROM call WHERE id IN " OLD_CALLS, day, most);
    *ret_dropped = rc == 0 ? sqlite3_changes(s->writer->sql) : 0;
    return rc;
}

/* Binds what names a walk to the first three parameters. */
static void bind_walk(sqlite3_stmt *st, const struct query *q)
{
    char filters[QUERY_KEY_MAX];
    query_filter_key(q, filters);
    sqlite3_bind_text(st, 1, filters, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(st, 2, q->num[AXIS_END_TIME].lo);
    sqlite3_bind_int64(st, 3, q->num[AXIS_END_TIME].hi);
}

/* A window that ends now is not asked for again: what was cut off of it would stay for ever. */
static int forget_old_walks(struct store *s)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "DELETE FROM walked WHERE hi = (SELECT min(hi) FROM walked)"
                           " AND (SELECT count(*) FROM walked) > ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int(st, 1, WALKED_MAX);
    return step_done(s, st);
}

int store_put_walked(struct store *s, const struct query *q, int64_t total, struct slice pages)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, pages.n ? "INSERT OR REPLACE INTO walked(filters, lo, hi, total, pages)"
                                     " VALUES(?,?,?,?,?)"
                                   : "DELETE FROM walked WHERE filters = ? AND lo = ? AND hi = ?");
    if (!st)
        return store_write_failed(s);
    bind_walk(st, q);
    if (pages.n) {
        sqlite3_bind_int64(st, 4, total);
        sqlite3_bind_blob(st, 5, pages.p, (int)pages.n, SQLITE_STATIC);
    }
    int rc = step_done(s, st);
    return rc == 0 && pages.n ? forget_old_walks(s) : rc;
}

int store_walked(struct store *s, const struct query *q, int64_t *ret_total,
                 struct slice *ret_pages)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(
        s->writer, "SELECT total, pages FROM walked WHERE filters = ? AND lo = ? AND hi = ?");
    if (!st)
        return store_write_failed(s);
    bind_walk(st, q);
    int rc = sqlite3_step(st);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? -ENOENT : store_write_failed(s);
    size_t n = (size_t)sqlite3_column_bytes(st, 1);
    char *copy = malloc(n + 1);
    if (!copy)
        return -ENOMEM;
    if (n)
        memcpy(copy, sqlite3_column_blob(st, 1), n);
    *ret_total = sqlite3_column_int64(st, 0);
    *ret_pages = (struct slice){copy, n};
    return 0;
}

int store_put_fact(struct store *s, const char *name, int64_t value)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT OR REPLACE INTO fact(name, value) VALUES(?,?)");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, value);
    return step_done(s, st);
}

int store_fact(struct store *s, const char *name, int64_t *ret)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "SELECT value FROM fact WHERE name = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    *ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_write_failed(s);
}

int store_count_now(struct store *s, const struct query *q, int64_t *ret)
{
    struct buf sql = buf_make(SQL_MAX);
    int i = 1, rc = 0;
    buf_puts(&sql, "SELECT count(*) FROM call WHERE 1");
    db_where(&sql, q);
    CLEANUP_STMT sqlite3_stmt *st = buf_error(&sql) ? NULL : db_stmt(s->writer, sql.p);
    if (st)
        db_bind_query(st, &i, q);
    if (st && sqlite3_step(st) == SQLITE_ROW)
        *ret = sqlite3_column_int64(st, 0);
    else
        rc = buf_error(&sql) ? -ENOMEM : store_write_failed(s);
    buf_release(&sql);
    return rc;
}

/* Coverage adds to times and subtracts them; no span of ours is anywhere near. */
#define TIME_MOST (INT64_C(1) << 60)

static int read_span(sqlite3_stmt *st, struct span *ret)
{
    struct span s = {.id = sqlite3_column_int64(st, 0)};
    const char *filters = (const char *)sqlite3_column_text(st, 1);
    if (!filters || query_from_filter_key(filters, &s.q) < 0)
        return -EINVAL;
    query_meet_range(&s.q, AXIS_END_TIME,
                     (struct range){sqlite3_column_int64(st, 2), sqlite3_column_int64(st, 3)});
    s.fetched_at = sqlite3_column_int64(st, 4);
    if (s.q.num[AXIS_END_TIME].hi < 0 || s.fetched_at < 0 || s.fetched_at > TIME_MOST)
        return -EINVAL;
    *ret = s;
    return 0;
}

int store_spans(struct store *s, int (*fn)(void *arg, const struct span *span), void *arg)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT id, filters, lo, hi, fetched_at FROM span");
    int rc;
    if (!st)
        return store_write_failed(s);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct span span;
        if (read_span(st, &span) == 0 && (rc = fn(arg, &span)) < 0)
            return rc;
    }
    return rc == SQLITE_DONE ? 0 : store_write_failed(s);
}
