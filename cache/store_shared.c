// SPDX-License-Identifier: MIT
/*
 * What the shared tier has still to be given: notes of calls and spans that came from the API. A
 * note gets a new number each time its call is amended, so that one that was handed over and then
 * amended again stays noted.
 */
#include <errno.h>
#include <string.h>

#include "cache/schema.h"
#include "cache/store_priv.h"

/* --- writing --- */

int store_note(struct store *s, enum unshared_kind kind, int64_t id, int64_t read_at)
{
    if (!s->notes)
        return 0;
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "INSERT OR REPLACE INTO unshared(kind, id, read_at) VALUES(?,?,?)");
    if (st) {
        sqlite3_bind_int(st, 1, (int)kind);
        sqlite3_bind_int64(st, 2, id);
        sqlite3_bind_int64(st, 3, read_at);
    }
    return store_step_done(s, st);
}

int store_unnote(struct store *s, enum unshared_kind kind, int64_t id)
{
    if (!s->notes)
        return 0;
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "DELETE FROM unshared WHERE kind = ? AND id = ?");
    if (st) {
        sqlite3_bind_int(st, 1, (int)kind);
        sqlite3_bind_int64(st, 2, id);
    }
    return store_step_done(s, st);
}

int store_is_noted(struct store *s, enum unshared_kind kind, int64_t id)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT 1 FROM unshared WHERE kind = ? AND id = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int(st, 1, (int)kind);
    sqlite3_bind_int64(st, 2, id);
    int rc = sqlite3_step(st);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_write_failed(s);
}

int store_join(struct store *s, int64_t tier)
{
    int64_t before;
    int rc = store_fact(s, FACT_TIER, &before);
    if (rc < 0)
        return rc;
    s->notes = true;
    if (before == tier)
        return 0;
    if (db_exec(s->writer, "DELETE FROM unshared;"
                           "INSERT INTO unshared(kind, id, read_at) SELECT 0, id, 0 FROM call;"
                           "INSERT INTO unshared(kind, id, read_at) SELECT 1, id, 0 FROM span") < 0)
        return store_write_failed(s);
    return store_put_fact(s, FACT_TIER, tier);
}

static int id_of(struct store *s, const char *uuid, int64_t *ret)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "SELECT id FROM call WHERE uuid = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_text(st, 1, uuid, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    *ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : store_write_failed(s);
}

int store_import_call(struct store *s, const struct call *c, int64_t mtime, int64_t now,
                      enum put *ret, int64_t *ret_id)
{
    int rc = id_of(s, c->uuid, ret_id);
    if (rc == 0 && *ret_id)
        rc = store_is_noted(s, UNSHARED_CALL, *ret_id);
    if (rc != 0) {
        *ret = PUT_SAME;
        return rc < 0 ? rc : 0;
    }
    return store_write_call(s, c, mtime, mtime > c->num[AXIS_END_TIME] ? mtime : now, ret, ret_id);
}

int store_shared(struct store *s, const int64_t *notes, size_t n)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "DELETE FROM unshared WHERE n = ?");
    int rc = st ? 0 : store_write_failed(s);
    for (size_t i = 0; i < n && rc == 0; i++) {
        sqlite3_reset(st);
        sqlite3_bind_int64(st, 1, notes[i]);
        rc = store_step_done(s, st);
    }
    return rc;
}

/* --- reading --- */

/* Columns: note, read_at, mtime, those of reading_body(), uuid, the range axes, the text axes,
 * good. */
#define NOTED_COLUMNS                                                                              \
    "mtime, bytes, dict, size, body_sum, uuid, end_time, initiation_time, bill_duration, "         \
    "direction, "                                                                                  \
    "hangup_cause, hangup_source, stir, from_number, to_number, trunk, sum = " CALL_SUM

/* Of a call of which it was not noted: of the newest reading that held it; 0, which is not known,
 * when that was of some filters, since it may have held this call or not. */
#define READ_AT                                                                                    \
    "ifnull((SELECT CASE WHEN max(fetched_at) > max(iif(filters = '', fetched_at, 0))"             \
    " THEN 0 ELSE max(fetched_at) END"                                                             \
    " FROM span WHERE lo <= end_time AND hi > end_time), 0)"

enum {
    NOTE,
    WHEN_READ,
    MTIME,
    BODY,
    UUID = BODY + 4,
    NUMS,
    TEXTS = NUMS + NUM_AXES,
    GOOD = TEXTS + TEXT_AXES
};

static int read_text(struct reading *r, int column, char *out, size_t cap)
{
    const char *text = (const char *)sqlite3_column_text(r->st, column);
    if (text && str_copy(out, cap, text, strlen(text)))
        return 0;
    return store_is_damaged(r->store, "a call that is not as it was written");
}

static int read_call(struct reading *r, struct buf *body, struct call *ret)
{
    int rc = sqlite3_column_int(r->st, GOOD)
                 ? 0
                 : store_is_damaged(r->store, "a call that is not as it was written");
    body->len = 0;
    if (rc == 0)
        rc = read_text(r, UUID, ret->uuid, sizeof(ret->uuid));
    for (int a = 0; a < NUM_AXES; a++)
        ret->num[a] = sqlite3_column_type(r->st, NUMS + a) == SQLITE_NULL
                          ? INT64_MIN
                          : sqlite3_column_int64(r->st, NUMS + a);
    for (int a = 0; a < TEXT_AXES && rc == 0; a++)
        rc = read_text(r, TEXTS + a, ret->text[a], sizeof(ret->text[a]));
    if (rc == 0)
        rc = reading_body(r, BODY, body);
    ret->body = (struct slice){body->p, body->len};
    return rc;
}

static int each_call(struct reading *r, store_unshared_call_fn *fn, void *arg)
{
    struct buf body = buf_make(PACK_MOST);
    struct call call;
    int rc;
    while ((rc = reading_step(r)) > 0) {
        rc = read_call(r, &body, &call);
        if (rc == 0)
            rc = fn(arg, sqlite3_column_int64(r->st, NOTE), &call,
                    sqlite3_column_int64(r->st, MTIME), sqlite3_column_int64(r->st, WHEN_READ));
        if (rc < 0)
            break;
    }
    buf_release(&body);
    return rc;
}

int store_unshared_calls(struct store *s, int64_t above, int most, store_unshared_call_fn *fn,
                         void *arg)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s,
                           "SELECT n, CASE read_at WHEN 0 THEN " READ_AT
                           " ELSE read_at END, " NOTED_COLUMNS
                           " FROM unshared CROSS JOIN call USING(id) JOIN body USING(id)"
                           " WHERE kind = 0 AND n > ? ORDER BY n LIMIT ?",
                           NULL, "");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, 1, above);
    sqlite3_bind_int(r.st, 2, most);
    return each_call(&r, fn, arg);
}

int store_calls_of(struct store *s, const struct query *q, int64_t above, int most,
                   store_unshared_call_fn *fn, void *arg)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(
        &r, s, "SELECT call.id, " READ_AT ", " NOTED_COLUMNS " FROM call JOIN body USING(id)", q,
        " AND call.id > ? ORDER BY call.id LIMIT ?");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, r.next, above);
    sqlite3_bind_int(r.st, r.next + 1, most);
    return each_call(&r, fn, arg);
}

int store_unshared_spans(struct store *s, store_unshared_span_fn *fn, void *arg)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s,
                           "SELECT n, span.id, filters, lo, hi, fetched_at"
                           " FROM unshared CROSS JOIN span USING(id)"
                           " WHERE kind = 1 ORDER BY n",
                           NULL, "");
    if (rc < 0)
        return rc;
    while ((rc = reading_step(&r)) > 0) {
        struct span span;
        if (store_read_span(r.st, 1, &span) == 0 &&
            (rc = fn(arg, sqlite3_column_int64(r.st, 0), &span)) < 0)
            return rc;
    }
    return rc;
}
