// SPDX-License-Identifier: MIT
/*
 * Whether a store is what it was when it was written. SQLite tells most damage by itself, but not
 * bytes that changed within a row, nor pages of different moments that fit together, as in a copy
 * that was made while the store was written.
 */
#include <errno.h>

#include "api/utc.h"
#include "cache/schema.h"
#include "cache/store_priv.h"
#include "cache/sum.h"

/* --- keeping --- */

/* What the part of that kind is now: 1, or 0 when there is none yet. */
static int read_part(struct store *s, enum part_kind kind, int64_t of, struct part_change *ret)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT n, sum, bytes FROM part WHERE kind = ? AND of = ?");
    *ret = (struct part_change){.kind = kind, .of = of};
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int(st, 1, (int)kind);
    sqlite3_bind_int64(st, 2, of);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        ret->n = sqlite3_column_int64(st, 0);
        ret->sum = sqlite3_column_int64(st, 1);
        ret->bytes = sqlite3_column_int64(st, 2);
    }
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : store_write_failed(s);
}

static int put_part(struct store *s, const struct part_change *p)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(
        s->writer, "INSERT OR REPLACE INTO part(kind, of, n, sum, bytes) VALUES(?,?,?,?,?)");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int(st, 1, (int)p->kind);
    sqlite3_bind_int64(st, 2, p->of);
    sqlite3_bind_int64(st, 3, p->n);
    sqlite3_bind_int64(st, 4, p->sum);
    sqlite3_bind_int64(st, 5, p->bytes);
    return sqlite3_step(st) == SQLITE_DONE ? 0 : store_write_failed(s);
}

static int64_t sum_of_part(const struct part_change *p)
{
    struct sum all = {0};
    sum_add_number(&all, (int64_t)p->kind);
    sum_add_number(&all, p->of);
    sum_add_number(&all, p->n);
    sum_add_number(&all, p->sum);
    sum_add_number(&all, p->bytes);
    return sum_end(&all);
}

static void add_change(struct part_change *p, const struct part_change *c)
{
    p->n += c->n;
    p->sum += c->sum;
    p->bytes += c->bytes;
}

/* Adds to whole by how much the sum of the parts changes. */
static int write_part(struct store *s, const struct part_change *c, int64_t *whole)
{
    struct part_change part;
    int rc = read_part(s, c->kind, c->of, &part);
    if (rc < 0)
        return rc;
    if (rc > 0)
        *whole -= sum_of_part(&part);
    add_change(&part, c);
    *whole += sum_of_part(&part);
    return put_part(s, &part);
}

static int write_whole(struct store *s, int64_t more)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "UPDATE whole SET sum = sum + ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, more);
    return sqlite3_step(st) == SQLITE_DONE ? 0 : store_write_failed(s);
}

int store_write_parts(struct store *s)
{
    int64_t whole = 0;
    int rc = 0;
    for (int i = 0; i < s->nchanges && rc == 0; i++)
        rc = write_part(s, &s->changes[i], &whole);
    if (rc == 0 && s->nchanges)
        rc = write_whole(s, whole);
    s->nchanges = 0;
    return rc;
}

int store_change_part(struct store *s, struct part_change change)
{
    int rc = 0;
    for (int i = 0; i < s->nchanges; i++) {
        struct part_change *c = &s->changes[i];
        if (c->kind == change.kind && c->of == change.of) {
            add_change(c, &change);
            return 0;
        }
    }
    if (s->nchanges == PART_CHANGES_MAX)
        rc = store_write_parts(s);
    s->changes[s->nchanges++] = change;
    return rc;
}

/* --- looking --- */

/* That a kind of rows is as many, with the sum, as its part says. */
#define AGREES(table, kind, sums)                                                                  \
    "(SELECT count(*) || ' ' || ifnull(sum(" sums "), 0) FROM " table ") IS"                       \
    " (SELECT n || ' ' || sum FROM part WHERE kind = " kind " AND of = 0)"

int store_check_parts(struct store *s)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(
        s->writer, "SELECT (SELECT sum FROM whole) IS"
                   " (SELECT sum(" PART_SUM ") FROM part) AND " AGREES(
                       "span", PART_SPANS, SPAN_SUM) " AND " AGREES("fact", PART_FACTS, FACT_SUM));
    if (!st || sqlite3_step(st) != SQLITE_ROW)
        return db_failure(s->writer);
    return sqlite3_column_int(st, 0) ? 0 : -EUCLEAN;
}

/* Of days [?1, ?2): calls there are, days that differ from their parts, calls the parts speak of.
 */
#define DAYS(id)                                                                                   \
    "SELECT ifnull(sum(held.n), 0),"                                                               \
    " ifnull(sum(held.n IS NOT part.n OR held.sum IS NOT part.sum), 0),"                           \
    " (SELECT ifnull(sum(n), 0) FROM part WHERE kind = " PART_CALLS " AND of >= ?1 AND of < ?2) "  \
    "FROM (SELECT day, count(*) AS n, sum(checksum(" id ", " CALL_SUM ")) AS sum"                  \
    "  FROM call WHERE day >= ?1 AND day < ?2 GROUP BY day) AS held "                              \
    "LEFT JOIN part ON part.kind = " PART_CALLS " AND part.of = held.day"

/* An id that is found by its name makes sure of the index of names, too. */
#define ID_BY_NAME "(SELECT named.id FROM call AS named WHERE named.uuid = call.uuid)"

static int check_days(struct store *s, struct db *d, bool names, struct range days)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(d, names ? DAYS(ID_BY_NAME) : DAYS("id"));
    if (!st)
        return store_read_failed(s, d);
    sqlite3_bind_int64(st, 1, days.lo);
    sqlite3_bind_int64(st, 2, days.hi);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_read_failed(s, d);
    bool same = sqlite3_column_int64(st, 0) == sqlite3_column_int64(st, 2);
    return same && !sqlite3_column_int64(st, 1)
               ? 0
               : store_is_damaged(s, "calls that are not as they were written");
}

static struct range days_of(const struct query *q)
{
    struct range r = q->num[AXIS_END_TIME];
    return (struct range){r.lo == INT64_MIN ? INT64_MIN : utc_day_number(r.lo),
                          r.hi == INT64_MAX ? INT64_MAX : utc_day_number(r.hi - 1) + 1};
}

/* What of these days has not been looked at since the store was opened. */
static void find_unchecked(struct store *s, const struct ivset *checked, struct range days,
                           struct ivset *ret)
{
    ivset_add(ret, days);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < checked->n; i++)
        ivset_cut(ret, checked->v[i]);
    pthread_mutex_unlock(&s->lock);
}

static int check(struct store *s, struct db *d, bool names, const struct query *q)
{
    CLEANUP_IVSET struct ivset unchecked = {0};
    struct ivset *checked = names ? &s->checked_names : &s->checked;
    if (q->none)
        return 0;
    find_unchecked(s, checked, days_of(q), &unchecked);
    for (size_t i = 0; i < unchecked.n; i++) {
        int rc = check_days(s, d, names, unchecked.v[i]);
        if (rc < 0)
            return rc;
        pthread_mutex_lock(&s->lock);
        ivset_add(checked, unchecked.v[i]);
        pthread_mutex_unlock(&s->lock);
    }
    return unchecked.failed ? -ENOMEM : 0;
}

int store_check(struct store *s, struct db *d, const struct query *q)
{
    return check(s, d, false, q);
}

int store_check_names(struct store *s, struct db *d, const struct query *q)
{
    return check(s, d, true, q);
}

int store_check_seen(struct store *s, struct db *d, int axis)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(
        d, "SELECT count(*) || ' ' || ifnull(sum(checksum(value)), 0) IS"
           " ifnull((SELECT n || ' ' || sum FROM part WHERE kind = " PART_SEEN " AND of = ?1),"
           "        '0 0') FROM seen WHERE axis = ?1");
    if (!st)
        return store_read_failed(s, d);
    sqlite3_bind_int(st, 1, axis);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_read_failed(s, d);
    return sqlite3_column_int(st, 0)
               ? 0
               : store_is_damaged(s, "values that are not as they were written");
}
