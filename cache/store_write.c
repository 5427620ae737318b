// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/utc.h"
#include "cache/schema.h"
#include "cache/store_priv.h"
#include "cache/sum.h"

void store_rollback(struct store *s)
{
    s->nchanges = 0;
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
    int rc = store_write_parts(s);
    if (rc < 0)
        return rc;
    if (db_exec(s->writer, "COMMIT") < 0)
        return store_write_failed(s);
    store_write_succeeded(s);
    return 0;
}

int store_step_done(struct store *s, sqlite3_stmt *st)
{
    return st && sqlite3_step(st) == SQLITE_DONE ? 0 : store_write_failed(s);
}

/* The row of a call that is to be put. */
struct held {
    int64_t id; /* 0: there is none */
    int64_t day, sum, bytes;
    bool same; /* its bytes are these */
};

static int find_held(struct store *s, const struct call *c, struct held *ret)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT call.id, bytes, dict, size, day, sum"
                           " FROM call JOIN body USING(id) WHERE uuid = ?");
    *ret = (struct held){0};
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_text(st, 1, c->uuid, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_DONE)
        return 0;
    if (rc != SQLITE_ROW)
        return store_write_failed(s);
    *ret = (struct held){.id = sqlite3_column_int64(st, 0),
                         .day = sqlite3_column_int64(st, 4),
                         .sum = sqlite3_column_int64(st, 5),
                         .bytes = sqlite3_column_int64(st, 3)};
    if (ret->bytes != (int64_t)c->body.n)
        return 0;
    s->packed.len = 0;
    rc = store_open_body(s, st, 1, &s->packed);
    ret->same = rc == 0 && s->packed.len == c->body.n &&
                (!c->body.n || memcmp(s->packed.p, c->body.p, c->body.n) == 0);
    return rc == -ENOMEM ? rc : 0; /* a damaged body is amended */
}

/* Parameters as they are bound, and the sum of them. */
struct binding {
    sqlite3_stmt *st;
    int next;
    struct sum sum;
};

static void bind_number(struct binding *b, int64_t v)
{
    sum_add_number(&b->sum, v);
    sqlite3_bind_int64(b->st, b->next++, v);
}

/* A parameter that is not bound is NULL. */
static void bind_null(struct binding *b)
{
    sum_add_null(&b->sum);
    b->next++;
}

static void bind_text(struct binding *b, const char *text)
{
    sum_add_text(&b->sum, (struct slice){text, strlen(text)});
    sqlite3_bind_text(b->st, b->next++, text, -1, SQLITE_STATIC);
}

static int64_t bind_call(struct binding *b, const struct call *c, int64_t mtime)
{
    bind_text(b, c->uuid);
    bind_number(b, utc_day_number(c->num[AXIS_END_TIME]));
    for (int a = 0; a < NUM_AXES; a++)
        if (c->num[a] == INT64_MIN)
            bind_null(b);
        else
            bind_number(b, c->num[a]);
    for (int a = 0; a < TEXT_AXES; a++)
        bind_text(b, c->text[a]);
    bind_number(b, mtime);
    bind_number(b, (int64_t)c->body.n);
    bind_number(b, sum_of_bytes(c->body));
    return sum_end(&b->sum);
}

/* What a call adds to its day. */
static int64_t sum_of_call(int64_t id, int64_t sum)
{
    struct sum both = {0};
    sum_add_number(&both, id);
    sum_add_number(&both, sum);
    return sum_end(&both);
}

static int change_day(struct store *s, int64_t day, int64_t n, int64_t sum, int64_t bytes)
{
    return store_change_part(s, (struct part_change){CALLS_OF_DAY, day, n, sum, bytes});
}

/* Of what has no bytes. */
static int change_part(struct store *s, enum part_kind kind, int64_t of, int64_t n, int64_t sum)
{
    return store_change_part(s, (struct part_change){kind, of, n, sum, 0});
}

/* Inserts where nothing is held; id becomes the row's. */
static int write_call(struct store *s, const struct call *c, const struct held *held, int64_t mtime,
                      int64_t *id)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, held->id ? "UPDATE call SET (" CALL_COLUMNS
                                      ", sum) = (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) WHERE id = ?"
                                    : "INSERT INTO call(" CALL_COLUMNS
                                      ", sum) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    struct binding b = {.st = st, .next = 1};
    if (!st)
        return store_write_failed(s);
    int64_t sum = bind_call(&b, c, mtime);
    sqlite3_bind_int64(st, b.next++, sum);
    if (held->id)
        sqlite3_bind_int64(st, b.next, held->id);
    int rc = store_step_done(s, st);
    *id = held->id ? held->id : sqlite3_last_insert_rowid(s->writer->sql);
    if (rc == 0 && held->id)
        rc = change_day(s, held->day, -1, -sum_of_call(*id, held->sum), -held->bytes);
    if (rc == 0)
        rc = change_day(s, utc_day_number(c->num[AXIS_END_TIME]), 1, sum_of_call(*id, sum),
                        (int64_t)c->body.n);
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
    s->raw += !dict && s->raw < INT64_MAX;
    return store_step_done(s, st);
}

static int write_seen(struct store *s, int axis, const char *value)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT OR IGNORE INTO seen(axis, value) VALUES(?,?)");
    struct binding b = {.st = st, .next = 2};
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int(st, 1, axis);
    bind_text(&b, value);
    int rc = store_step_done(s, st);
    return rc == 0 && sqlite3_changes(s->writer->sql)
               ? change_part(s, SEEN_OF_AXIS, axis, 1, sum_end(&b.sum))
               : rc;
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

int store_write_call(struct store *s, const struct call *c, int64_t first, int64_t mtime,
                     enum put *ret, int64_t *ret_id)
{
    struct held held;
    int rc = find_held(s, c, &held);
    if (rc < 0)
        return rc;
    *ret = !held.id ? PUT_NEW : held.same ? PUT_SAME : PUT_AMENDED;
    *ret_id = held.id;
    if (held.same)
        return 0;
    rc = write_call(s, c, &held, held.id ? mtime : first, ret_id);
    if (rc == 0)
        rc = write_body(s, c, *ret_id);
    return rc < 0 ? rc : write_all_seen(s, c);
}

int store_put_call(struct store *s, const struct call *c, int64_t now, enum put *ret,
                   int64_t *ret_id)
{
    int rc = store_write_call(s, c, c->num[AXIS_END_TIME], now, ret, ret_id);
    return rc == 0 && *ret != PUT_SAME ? store_note(s, UNSHARED_CALL, *ret_id, now) : rc;
}

int store_put_span(struct store *s, struct span *span)
{
    int rc = store_import_span(s, span);
    return rc == 0 ? store_note(s, UNSHARED_SPAN, span->id, span->fetched_at) : rc;
}

int store_import_span(struct store *s, struct span *span)
{
    char filters[QUERY_KEY_MAX];
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT INTO span(filters, lo, hi, fetched_at) VALUES(?,?,?,?)");
    struct binding b = {.st = st, .next = 1};
    if (!st)
        return store_write_failed(s);
    query_filter_key(&span->q, filters);
    bind_text(&b, filters);
    bind_number(&b, span->q.num[AXIS_END_TIME].lo);
    bind_number(&b, span->q.num[AXIS_END_TIME].hi);
    bind_number(&b, span->fetched_at);
    int rc = store_step_done(s, st);
    span->id = sqlite3_last_insert_rowid(s->writer->sql);
    sum_add_number(&b.sum, span->id);
    return rc < 0 ? rc : change_part(s, SPANS, 0, 1, sum_end(&b.sum));
}

/* The sum of a row that goes: 1, or 0 when there is none. */
static int sum_of_old(struct store *s, sqlite3_stmt *st, int64_t *ret)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(st, 0);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_write_failed(s);
}

static int sum_of_span(struct store *s, int64_t id, int64_t *ret)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT " SPAN_SUM " FROM span WHERE id = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, id);
    return sum_of_old(s, st, ret);
}

static int delete_span(struct store *s, int64_t id)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "DELETE FROM span WHERE id = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, id);
    return store_step_done(s, st);
}

int store_drop_span(struct store *s, int64_t id)
{
    int64_t sum = 0;
    int rc = sum_of_span(s, id, &sum);
    if (rc <= 0)
        return rc;
    rc = delete_span(s, id);
    if (rc == 0)
        rc = store_unnote(s, UNSHARED_SPAN, id);
    return rc < 0 ? rc : change_part(s, SPANS, 0, -1, -sum);
}

static int purge_from(struct store *s, const char *sql, int64_t day, int most)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, sql);
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, day);
    sqlite3_bind_int(st, 2, most);
    return store_step_done(s, st);
}

#define OLD_CALLS "(SELECT id FROM call WHERE day < ? ORDER BY day, id LIMIT ?)"

int store_purge(struct store *s, int64_t before, int most, int *ret_dropped)
{
    int64_t day = utc_day_number(before);
    int rc = store_write_parts(s);
    if (rc == 0)
        rc = purge_from(s,
                        "INSERT OR REPLACE INTO part "
                        "SELECT kind, of, part.n - old.n, part.sum - old.sum,"
                        " part.bytes - old.bytes FROM part JOIN"
                        " (SELECT day, count(*) AS n, sum(checksum(id, sum)) AS sum,"
                        "  sum(size) AS bytes"
                        "  FROM call WHERE id IN " OLD_CALLS " GROUP BY day) AS old"
                        " ON kind = " PART_CALLS " AND of = old.day",
                        day, most);
    if (rc == 0)
        rc = purge_from(s, "DELETE FROM unshared WHERE kind = 0 AND id IN " OLD_CALLS, day, most);
    if (rc == 0)
        rc = purge_from(s, "DELETE FROM body WHERE id IN " OLD_CALLS, day, most);
    if (rc == 0)
        rc = purge_from(s, "DELETE FROM call WHERE id IN " OLD_CALLS, day, most);
    *ret_dropped = rc == 0 ? sqlite3_changes(s->writer->sql) : 0;
    if (rc == 0 && *ret_dropped && db_exec(s->writer, WHOLE_ANEW) < 0)
        rc = store_write_failed(s);
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
    return store_step_done(s, st);
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
    int rc = store_step_done(s, st);
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

static int sum_of_fact(struct store *s, const char *name, int64_t *ret)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT " FACT_SUM " FROM fact WHERE name = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
    return sum_of_old(s, st, ret);
}

static int write_fact(struct store *s, const char *name, int64_t value, int64_t *ret_sum)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT OR REPLACE INTO fact(name, value) VALUES(?,?)");
    struct binding b = {.st = st, .next = 1};
    if (!st)
        return store_write_failed(s);
    bind_text(&b, name);
    bind_number(&b, value);
    *ret_sum = sum_end(&b.sum);
    return store_step_done(s, st);
}

int store_put_fact(struct store *s, const char *name, int64_t value)
{
    int64_t old = 0, sum = 0;
    int had = sum_of_fact(s, name, &old);
    int rc = had < 0 ? had : write_fact(s, name, value, &sum);
    return rc < 0 ? rc : change_part(s, FACTS, 0, !had, sum - old);
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

int store_read_span(sqlite3_stmt *st, int column, struct span *ret)
{
    struct span s = {.id = sqlite3_column_int64(st, column)};
    const char *filters = (const char *)sqlite3_column_text(st, column + 1);
    if (!filters || query_from_filter_key(filters, &s.q) < 0)
        return -EINVAL;
    query_meet_range(
        &s.q, AXIS_END_TIME,
        (struct range){sqlite3_column_int64(st, column + 2), sqlite3_column_int64(st, column + 3)});
    s.fetched_at = sqlite3_column_int64(st, column + 4);
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
        if (store_read_span(st, 0, &span) == 0 && (rc = fn(arg, &span)) < 0)
            return rc;
    }
    return rc == SQLITE_DONE ? 0 : store_write_failed(s);
}
