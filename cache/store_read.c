// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "api/utc.h"
#include "cache/schema.h"
#include "cache/store_priv.h"
#include "cache/sum.h"

#define ENTRY_COLUMNS "id, uuid, end_time, mtime, size"
#define IS_GOOD "sum = " CALL_SUM /* of a call whose day need not have been checked */

void reading_end(struct reading *r)
{
    db_done(&r->st);
    if (r->db)
        store_give_reader(r->store, r->db);
}

/* Prepares `SELECT columns FROM table WHERE 1 [conditions of q] [tail]`. */
static int reading_prepare(struct reading *r, const char *select, const struct query *q,
                           const char *tail)
{
    struct buf sql = buf_make(SQL_MAX);
    buf_puts(&sql, select);
    if (q) {
        buf_puts(&sql, " WHERE 1");
        db_where(&sql, q);
    }
    buf_puts(&sql, tail);
    int rc = buf_error(&sql);
    if (rc == 0 && !(r->st = db_stmt(r->db, sql.p)))
        rc = store_read_failed(r->store, r->db);
    buf_release(&sql);
    if (rc < 0)
        return rc;
    if (q)
        db_bind_query(r->st, &r->next, q);
    return 0;
}

static int reading_open(struct reading *r, struct store *s)
{
    *r = (struct reading){.store = s, .db = store_take_reader(s), .next = 1};
    return r->db ? 0 : -EIO;
}

int reading_begin(struct reading *r, struct store *s, const char *select, const struct query *q,
                  const char *tail)
{
    int rc = reading_open(r, s);
    return rc == 0 ? reading_prepare(r, select, q, tail) : rc;
}

/* The same, of calls that must all be there. */
static int reading_begin_whole(struct reading *r, struct store *s, const char *select,
                               const struct query *q, const char *tail)
{
    int rc = reading_open(r, s);
    if (rc == 0)
        rc = store_check(s, r->db, q);
    return rc == 0 ? reading_prepare(r, select, q, tail) : rc;
}

/* Nothing was found by its name: -ENOENT if that is so. */
static int reading_absent(struct reading *r, const struct query *q)
{
    db_done(&r->st);
    int rc = store_check_names(r->store, r->db, q);
    return rc == 0 ? -ENOENT : rc;
}

int reading_step(struct reading *r)
{
    int rc = sqlite3_step(r->st);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_read_failed(r->store, r->db);
}

static int read_entry(struct reading *r, struct entry *e)
{
    const char *uuid = (const char *)sqlite3_column_text(r->st, 1);
    e->id = sqlite3_column_int64(r->st, 0);
    bool good = sqlite3_column_int(r->st, 5) && uuid && *uuid;
    if (!good || !str_copy(e->uuid, sizeof(e->uuid), uuid, strlen(uuid)))
        return store_is_damaged(r->store, "a call that is not as it was written");
    e->end_time = sqlite3_column_int64(r->st, 2);
    if (e->end_time < -TIME_MOST || e->end_time > TIME_MOST)
        return store_is_damaged(r->store, "a call that ended at no time");
    e->mtime = sqlite3_column_int64(r->st, 3);
    e->size = sqlite3_column_int64(r->st, 4);
    return 0;
}

#define NUMBER_LEN 7 /* from there on few calls of a day are of one number */

/* Whether the calls of q are rather found by their number and then ordered, than in order and then
 * looked at one by one. */
static bool is_of_a_number(const struct query *q)
{
    return strlen(q->text[AXIS_FROM]) >= NUMBER_LEN || strlen(q->text[AXIS_TO]) >= NUMBER_LEN;
}

int store_list(struct store *s, const struct query *q, int64_t after, store_entry_fn *fn, void *arg)
{
    CLEANUP_READING struct reading r;
    struct entry e;
    int rc = reading_begin_whole(&r, s, "SELECT " ENTRY_COLUMNS ", 1 FROM call", q,
                                 is_of_a_number(q) ? " AND +id > ? ORDER BY id"
                                                   : " AND id > ? ORDER BY id");
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

/*
 * A row can be good and yet an older one, of a page that a copy took earlier: its day tells. The
 * statement is done with.
 */
static int check_day_of(struct reading *r, const struct entry *e)
{
    struct query day = QUERY_ALL;
    int64_t midnight = utc_midnight(e->end_time);
    query_meet_range(&day, AXIS_END_TIME, (struct range){midnight, midnight + UTC_DAY});
    db_done(&r->st);
    return store_check(r->store, r->db, &day);
}

/* The call of that name if q, unless NULL, holds it. */
static int find_by_name(struct reading *r, struct store *s, const struct query *q, const char *uuid,
                        struct entry *ret)
{
    int rc = reading_begin(r, s, "SELECT " ENTRY_COLUMNS ", " IS_GOOD " FROM call", q,
                           q ? " AND uuid = ?" : " WHERE uuid = ?");
    if (rc < 0)
        return rc;
    sqlite3_bind_text(r->st, r->next, uuid, -1, SQLITE_STATIC);
    rc = entry_by(r, ret);
    if (rc == 0 && strcmp(ret->uuid, uuid) != 0)
        return store_is_damaged(s, "an index that names another call");
    return rc == 0 ? check_day_of(r, ret) : rc;
}

static int find_in(struct store *s, const struct query *q, const char *uuid, struct entry *ret)
{
    CLEANUP_READING struct reading r;
    return find_by_name(&r, s, q, uuid, ret);
}

int store_find(struct store *s, const struct query *q, const char *uuid, struct entry *ret,
               bool *matches)
{
    struct entry again;
    int rc = find_in(s, q, uuid, ret);
    *matches = rc == 0;
    if (rc != -ENOENT)
        return rc;
    {
        CLEANUP_READING struct reading r;
        rc = find_by_name(&r, s, NULL, uuid, ret);
        if (rc == -ENOENT)
            return reading_absent(&r, q);
    }
    if (rc < 0)
        return rc;
    rc = find_in(s, q, uuid, &again); /* it may have come just now, and be in q */
    *matches = rc == 0;
    if (rc == 0)
        *ret = again;
    return rc == -ENOENT ? 0 : rc;
}

int store_entry(struct store *s, int64_t id, struct entry *ret)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT " ENTRY_COLUMNS ", " IS_GOOD " FROM call WHERE id = ?",
                           NULL, "");
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(r.st, 1, id);
    return entry_by(&r, ret);
}

#define SELECT_BODIES                                                                              \
    "SELECT call.id, bytes, dict, size, body_sum FROM call LEFT JOIN body ON body.id = call.id"

int reading_body(struct reading *r, int column, struct buf *out)
{
    size_t before = out->len;
    bool there = sqlite3_column_type(r->st, column) != SQLITE_NULL && buf_room(out, 0);
    int rc = there ? store_open_body(r->store, r->st, column, out) : buf_error(out);
    if (rc == -ENOMEM)
        return rc;
    struct slice bytes = {there ? out->p + before : NULL, out->len - before};
    return there && rc == 0 && (int64_t)bytes.n == sqlite3_column_int64(r->st, column + 2) &&
                   sum_of_bytes(bytes) == sqlite3_column_int64(r->st, column + 3)
               ? 0
               : store_is_damaged(r->store, "bytes of a call that are not as they were written");
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
    rc = reading_body(&r, 1, &body);
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
static int newest_by_index(struct store *s, const struct query *q, int64_t *ret)
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

/* That the index has none proves nothing; the calls are then looked through. */
int store_newest(struct store *s, const struct query *q, int64_t *ret)
{
    int rc = is_of_a_number(q) ? -ENOENT : newest_by_index(s, q, ret);
    if (rc != -ENOENT)
        return rc;
    CLEANUP_READING struct reading r;
    rc = reading_begin_whole(&r, s, "SELECT max(+end_time) FROM call", q, "");
    return rc < 0 ? rc : read_one(&r, ret);
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
    int rc = reading_begin(
        &r, s, "SELECT min(of) FROM part WHERE kind = " PART_CALLS " AND of > ? AND n > 0", NULL,
        "");
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
    int rc = reading_open(&r, s);
    if (rc == 0)
        rc = store_check_seen(s, r.db, axis);
    if (rc == 0)
        rc = reading_prepare(&r, "SELECT value FROM seen WHERE axis = ? ORDER BY value", NULL, "");
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
        rc = reading_body(r, 1, &body);
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
    int rc = reading_begin_whole(&r, s, SELECT_BODIES, q, " ORDER BY +end_time, +uuid");
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
    int rc = reading_begin(
        &r, s, "SELECT ifnull(sum(n), 0), ifnull(sum(bytes), 0) FROM part WHERE kind = " PART_CALLS,
        NULL, "");
    if (rc == 0)
        rc = read_one(&r, ret_calls);
    if (rc == 0)
        *ret_bytes = sqlite3_column_int64(r.st, 1);
    return rc;
}

int store_unshared_count(struct store *s, int64_t *ret)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT count(*) FROM unshared WHERE kind = 0", NULL, "");
    return rc < 0 ? rc : read_one(&r, ret);
}

int store_count(struct store *s, const struct query *q, int64_t *ret)
{
    CLEANUP_READING struct reading r;
    int rc = reading_begin(&r, s, "SELECT count(*) FROM call", q, "");
    return rc < 0 ? rc : read_one(&r, ret);
}
