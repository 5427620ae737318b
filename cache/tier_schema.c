// SPDX-License-Identifier: MIT
/*
 * The tables of the shared tier. Plain tables and plain statements, so that it runs on what speaks
 * PostgreSQL's protocol too; calls stand in one table a month, made when it is first needed, which
 * can be dropped or moved by whoever looks after the database. Times of calls and readings are UTC
 * seconds of the API's clock; those of leases, hosts and slots seconds of the database's.
 *
 * (A call whose end time is amended into another month leaves its row in the old one when a host
 * that never saw the old one publishes it. It then shows in both, until it is amended again.)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "cache/tier_priv.h"

/* One list of statements a version, each of which may have run before. Never edited once released.
 */
static const char *const version_1[] = {
    "CREATE TABLE IF NOT EXISTS cdrfs_meta(name text PRIMARY KEY, value bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cdrfs_month(month bigint PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS cdrfs_account(account text PRIMARY KEY, number bigint NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cdrfs_budget("
    " account text PRIMARY KEY, next_slot double precision NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cdrfs_host(account text, host text,"
    " seen double precision NOT NULL, PRIMARY KEY(account, host))",
    "CREATE TABLE IF NOT EXISTS cdrfs_lease(account text, host text, number bigint,"
    " filters text NOT NULL, lo bigint NOT NULL, hi bigint NOT NULL,"
    " expires double precision NOT NULL, PRIMARY KEY(account, host, number))",
    "CREATE TABLE IF NOT EXISTS cdrfs_span(account text, filters text, lo bigint, hi bigint,"
    " fetched_at bigint NOT NULL, PRIMARY KEY(account, filters, lo, hi))",
    NULL,
};
static const char *const *const versions[] = {version_1};

#define NEWEST ((int64_t)ARRAY_LEN(versions))
#define RACES 5 /* two that make the same table at once: one is refused, and tries again */

static bool state_is(const struct pg *p, const char *state)
{
    return strcmp(p->state, state) == 0;
}

#define NO_SUCH_TABLE "42P01"

/* Another made the same at the same time. */
static bool lost_race(const struct pg *p)
{
    return state_is(p, "23505") || state_is(p, "42P07") || state_is(p, "42710") ||
           state_is(p, "40001") || state_is(p, "XX000") /* "tuple concurrently updated" */;
}

static int run_with_races(struct pg *p, const char *sql)
{
    int rc = -EIO;
    for (int i = 0; i < RACES && rc == -EIO; i++) {
        rc = pg_run(p, sql, NULL);
        if (rc == -EIO && !lost_race(p))
            break;
    }
    return rc;
}

/* 0 when there are no tables yet. */
static int read_version(struct pg *p, int64_t *ret)
{
    PGresult *r = pg_query(p, "SELECT value FROM cdrfs_meta WHERE name = 'version'", NULL, false);
    *ret = r && PQntuples(r) ? pg_number(r, 0, 0) : 0;
    PQclear(r);
    return r || (p->conn && state_is(p, NO_SUCH_TABLE)) ? 0 : pg_failure(p);
}

static int run_steps(struct pg *p, int64_t version)
{
    char sql[160];
    int rc = 0;
    for (int64_t v = version; v < NEWEST && rc == 0; v++)
        for (const char *const *s = versions[v]; *s && rc == 0; s++)
            rc = run_with_races(p, *s);
    snprintf(sql, sizeof(sql),
             "INSERT INTO cdrfs_meta VALUES('version', %lld) ON CONFLICT (name) DO UPDATE"
             " SET value = GREATEST(cdrfs_meta.value, excluded.value)",
             (long long)NEWEST);
    return rc == 0 ? run_with_races(p, sql) : rc;
}

static int64_t new_number(void)
{
    uint64_t n = 0;
    if (getrandom(&n, sizeof(n), 0) != sizeof(n))
        n = (uint64_t)time(NULL);
    return (int64_t)(n >> 2) | 1;
}

static int make_account(struct tier *t, struct pg *p)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    if (pg_args_make(&a, 2) < 0)
        return -ENOMEM;
    pg_arg_text(&a, t->account);
    pg_arg_number(&a, new_number());
    int rc = pg_run(p, "INSERT INTO cdrfs_account VALUES($1, $2) ON CONFLICT DO NOTHING", &a);
    a.n = 1;
    if (rc == 0)
        rc = pg_run(p, "INSERT INTO cdrfs_budget VALUES($1, 0) ON CONFLICT DO NOTHING", &a);
    return rc;
}

static int read_account(struct tier *t, struct pg *p)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    if (pg_args_make(&a, 1) < 0)
        return -ENOMEM;
    pg_arg_text(&a, t->account);
    PGresult *r = pg_query(p, "SELECT number FROM cdrfs_account WHERE account = $1", &a, false);
    pthread_mutex_lock(&t->lock);
    t->number = r && PQntuples(r) ? pg_number(r, 0, 0) : 0;
    pthread_mutex_unlock(&t->lock);
    PQclear(r);
    return r ? 0 : pg_failure(p);
}

int tier_check(struct tier *t, struct pg *p, bool lock)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char sql[200];
    if (pg_args_make(&a, 1) < 0)
        return -ENOMEM;
    pg_arg_text(&a, t->account);
    snprintf(sql, sizeof(sql),
             "SELECT number, (SELECT value FROM cdrfs_meta WHERE name = 'version')"
             " FROM cdrfs_account WHERE account = $1%s",
             lock ? " FOR UPDATE" : "");
    PGresult *r = pg_query(p, sql, &a, false);
    if (!r)
        return p->conn && state_is(p, NO_SUCH_TABLE) ? -ESTALE : pg_failure(p);
    pthread_mutex_lock(&t->lock);
    bool same =
        PQntuples(r) == 1 && pg_number(r, 0, 0) == t->number && pg_number(r, 0, 1) == NEWEST;
    pthread_mutex_unlock(&t->lock);
    PQclear(r);
    return same ? 0 : -ESTALE;
}

int tier_prepare(struct tier *t, struct pg *p)
{
    int64_t version;
    int rc = read_version(p, &version);
    if (rc == 0 && version > NEWEST) {
        snprintf(p->error, sizeof(p->error), "its tables are of a newer cdrfs; upgrade");
        return -EPROTO;
    }
    if (rc == 0 && version < NEWEST)
        rc = run_steps(p, version);
    if (rc == 0)
        rc = read_account(t, p);
    if (rc == 0 && !t->number && (rc = make_account(t, p)) == 0) /* written by this thread alone */
        rc = read_account(t, p);
    return rc;
}

int tier_months(struct pg *p, int *months, int cap)
{
    PGresult *r = pg_query(p, "SELECT month FROM cdrfs_month ORDER BY month DESC", NULL, false);
    int n = r ? PQntuples(r) : 0;
    if (n > cap)
        n = cap;
    for (int i = 0; i < n; i++)
        months[i] = (int)pg_number(r, i, 0);
    PQclear(r);
    return r ? n : pg_failure(p);
}

int tier_month_of(int64_t end_time)
{
    time_t at = (time_t)end_time;
    struct tm tm;
    gmtime_r(&at, &tm);
    return (tm.tm_year + 1900) * 100 + tm.tm_mon + 1;
}

void tier_table(int month, char out[TIER_TABLE_MAX])
{
    snprintf(out, TIER_TABLE_MAX, "cdrfs_call_%04d_%02d", month / 100, month % 100);
}

int tier_make_month(struct pg *p, int month)
{
    char table[TIER_TABLE_MAX], sql[640];
    tier_table(month, table);
    snprintf(sql, sizeof(sql),
             "CREATE TABLE IF NOT EXISTS %s(account text, uuid text, end_time bigint NOT NULL,"
             " initiation_time bigint, bill_duration bigint, direction bigint,"
             " hangup_cause bigint, hangup_source bigint, stir bigint, from_number text NOT NULL,"
             " to_number text NOT NULL, trunk text NOT NULL, mtime bigint NOT NULL,"
             " read_at bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY(account, uuid))",
             table);
    int rc = run_with_races(p, sql);
    snprintf(sql, sizeof(sql), "CREATE INDEX IF NOT EXISTS %s_end ON %s(account, end_time)", table,
             table);
    if (rc == 0)
        rc = run_with_races(p, sql);
    snprintf(sql, sizeof(sql), "INSERT INTO cdrfs_month VALUES(%d) ON CONFLICT DO NOTHING", month);
    return rc == 0 ? run_with_races(p, sql) : rc;
}

void tier_where(struct buf *sql, struct pg_args *a, const struct query *q)
{
    if (q->none)
        buf_puts(sql, " AND 1 = 0");
    for (int i = 0; i < NUM_AXES; i++) {
        if (q->num[i].lo != INT64_MIN) {
            pg_arg_number(a, q->num[i].lo);
            buf_printf(sql, " AND %s >= $%d", axes[i].column, a->n);
        }
        if (q->num[i].hi != INT64_MAX) {
            pg_arg_number(a, q->num[i].hi);
            buf_printf(sql, " AND %s < $%d", axes[i].column, a->n);
        }
    }
    for (int i = 0; i < TEXT_AXES; i++) {
        const struct axis *axis = &axes[NUM_AXES + i];
        if (!*q->text[i])
            continue;
        pg_arg_text(a, q->text[i]);
        if (axis->form == FORM_PREFIX)
            buf_printf(sql, " AND left(%s, %d) = $%d", axis->column, (int)strlen(q->text[i]), a->n);
        else
            buf_printf(sql, " AND %s = $%d", axis->column, a->n);
    }
}
