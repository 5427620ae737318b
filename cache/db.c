// SPDX-License-Identifier: MIT
#include "cache/db.h"

#include <errno.h>
#include <string.h>
#include <uthash.h>

#include "api/utc.h"

#define BUSY_MS 5000
#define STMTS_MAX 200 /* a connection forgets all its statements when it has that many */

struct db_stmt {
    char *text;
    sqlite3_stmt *st;
    UT_hash_handle hh;
};

static void free_stmt(struct db_stmt *s)
{
    sqlite3_finalize(s->st);
    free(s->text);
    free(s);
}

static void forget_stmts(struct db *d)
{
    struct db_stmt *s, *tmp;
    HASH_ITER (hh, d->stmts, s, tmp) {
        HASH_DEL(d->stmts, s);
        free_stmt(s);
    }
}

void db_close(struct db *d)
{
    if (!d)
        return;
    forget_stmts(d);
    sqlite3_close(d->sql);
    free(d);
}

static int errno_of(struct db *d)
{
    switch (sqlite3_errcode(d->sql) & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return -EACCES;
    default:
        return -EIO;
    }
}

int db_failure(struct db *d)
{
    int rc = errno_of(d);
    return rc < 0 ? rc
                  : -ENOMEM; /* SQLite knows of no error: it was not asked for want of memory */
}

int db_exec(struct db *d, const char *sql)
{
    return sqlite3_exec(d->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_failure(d);
}

int db_open(const char *path, bool readonly, struct db **ret)
{
    struct db *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    int flags = SQLITE_OPEN_NOMUTEX |
                (readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (sqlite3_open_v2(path, &d->sql, flags, NULL) != SQLITE_OK) {
        int rc = d->sql ? errno_of(d) : -ENOMEM;
        db_close(d);
        return rc;
    }
    sqlite3_busy_timeout(d->sql, BUSY_MS);
    sqlite3_extended_result_codes(d->sql, 1);
    *ret = d;
    return 0;
}

sqlite3_stmt *db_stmt(struct db *d, const char *sql)
{
    struct db_stmt *s;
    HASH_FIND_STR(d->stmts, sql, s);
    if (s)
        return s->st;
    if (HASH_COUNT(d->stmts) >= STMTS_MAX)
        forget_stmts(d);
    s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->text = strdup(sql);
    if (!s->text ||
        sqlite3_prepare_v3(d->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st, NULL) != SQLITE_OK) {
        free_stmt(s);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, d->stmts, s->text, strlen(s->text), s);
    if (!s->hh.tbl) {
        free_stmt(s);
        return NULL;
    }
    return s->st;
}

void db_done(sqlite3_stmt **st)
{
    if (!*st)
        return;
    sqlite3_reset(*st);
    sqlite3_clear_bindings(*st);
    *st = NULL;
}

/* The first text behind all that begin with a prefix of digits. */
static void behind_prefix(const char *prefix, char out[AXIS_TEXT_MAX])
{
    size_t n = strlen(prefix);
    memcpy(out, prefix, n + 1);
    out[n - 1]++; /* digits only: '9' becomes ':' */
}

static bool is_prefix(int axis)
{
    return axes[axis].form == FORM_PREFIX;
}

/* The day as a column of its own, so that a day is one run of an index in the order of ids. */
static bool day_bounds(const struct query *q, int64_t *lo, int64_t *hi)
{
    struct range r = q->num[AXIS_END_TIME];
    if (r.lo == INT64_MIN || r.hi == INT64_MAX || r.lo >= r.hi)
        return false;
    *lo = utc_day_number(r.lo);
    *hi = utc_day_number(r.hi - 1);
    return true;
}

/* A bound at midnight is said by the day already. */
static bool lower_said(const struct query *q, int axis)
{
    int64_t lo, hi, v = q->num[axis].lo;
    return v == INT64_MIN ||
           (axis == AXIS_END_TIME && day_bounds(q, &lo, &hi) && v == utc_midnight(v));
}

static bool upper_said(const struct query *q, int axis)
{
    int64_t lo, hi, v = q->num[axis].hi;
    return v == INT64_MAX ||
           (axis == AXIS_END_TIME && day_bounds(q, &lo, &hi) && v == utc_midnight(v));
}

void db_where(struct buf *sql, const struct query *q)
{
    int64_t lo, hi;
    if (q->none)
        buf_puts(sql, " AND 0");
    if (day_bounds(q, &lo, &hi))
        buf_puts(sql, lo == hi ? " AND day = ?" : " AND day BETWEEN ? AND ?");
    for (int i = 0; i < NUM_AXES; i++) {
        if (!lower_said(q, i))
            buf_printf(sql, " AND +%s >= ?", axes[i].column);
        if (!upper_said(q, i))
            buf_printf(sql, " AND +%s < ?", axes[i].column);
    }
    for (int i = NUM_AXES; i < AXES; i++)
        if (*q->text[i - NUM_AXES] && is_prefix(i))
            buf_printf(sql, " AND %s >= ? AND %s < ?", axes[i].column, axes[i].column);
        else if (*q->text[i - NUM_AXES])
            buf_printf(sql, " AND %s = ?", axes[i].column);
}

void db_bind_query(sqlite3_stmt *st, int *index, const struct query *q)
{
    int64_t lo, hi;
    char behind[AXIS_TEXT_MAX];
    if (day_bounds(q, &lo, &hi)) {
        sqlite3_bind_int64(st, (*index)++, lo);
        if (lo != hi)
            sqlite3_bind_int64(st, (*index)++, hi);
    }
    for (int i = 0; i < NUM_AXES; i++) {
        if (!lower_said(q, i))
            sqlite3_bind_int64(st, (*index)++, q->num[i].lo);
        if (!upper_said(q, i))
            sqlite3_bind_int64(st, (*index)++, q->num[i].hi);
    }
    for (int i = 0; i < TEXT_AXES; i++) {
        if (!*q->text[i])
            continue;
        sqlite3_bind_text(st, (*index)++, q->text[i], -1, SQLITE_TRANSIENT);
        if (!is_prefix(NUM_AXES + i))
            continue;
        behind_prefix(q->text[i], behind);
        sqlite3_bind_text(st, (*index)++, behind, -1, SQLITE_TRANSIENT);
    }
}
