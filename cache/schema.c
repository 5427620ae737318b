// SPDX-License-Identifier: MIT
#include "cache/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/*
 * call.id is AUTOINCREMENT because it serves as a node id, which must never come to mean another
 * call. The bytes of the files stand apart so that listing a day reads only small rows.
 */
static const char *const steps[] = {
    "CREATE TABLE call("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " uuid TEXT NOT NULL UNIQUE,"
    " day INTEGER NOT NULL,"
    " end_time INTEGER NOT NULL,"
    " initiation_time INTEGER,"
    " bill_duration INTEGER,"
    " direction INTEGER,"
    " hangup_cause INTEGER,"
    " hangup_source INTEGER,"
    " stir INTEGER,"
    " from_number TEXT NOT NULL,"
    " to_number TEXT NOT NULL,"
    " trunk TEXT NOT NULL,"
    " mtime INTEGER NOT NULL,"
    " size INTEGER NOT NULL);"
    "CREATE INDEX call_day ON call(day);"
    "CREATE INDEX call_end_time ON call(end_time);"
    "CREATE TABLE body(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE span("
    " id INTEGER PRIMARY KEY,"
    " filters TEXT NOT NULL,"
    " lo INTEGER NOT NULL,"
    " hi INTEGER NOT NULL,"
    " fetched_at INTEGER NOT NULL);"
    /* Values of the axes that list what was seen: axis by its place in `axes`. */
    "CREATE TABLE seen(axis INTEGER, value TEXT, PRIMARY KEY(axis, value)) WITHOUT ROWID;"
    /* Walks that were cut off: which pages had come, a bit each, while total_count was that. */
    "CREATE TABLE walked("
    " filters TEXT, lo INTEGER, hi INTEGER, total INTEGER NOT NULL, pages BLOB NOT NULL,"
    " PRIMARY KEY(filters, lo, hi)) WITHOUT ROWID;"
    "CREATE TABLE fact(name TEXT PRIMARY KEY, value);",
    /* Bodies are packed (pack.h): with the dictionary of that id, or NULL for as they came. */
    "ALTER TABLE body ADD COLUMN dict INTEGER;"
    "CREATE TABLE dict(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);",
    /*
     * Every call has a sum of its columns and one of its bytes; `part` how many rows there are of
     * each day and each other kind, and the sum of their sums; `whole` the sum of the parts.
     * Sums are of bytes as they were before they were packed; no store of an earlier version that
     * left a developer's machine has packed ones.
     */
    "ALTER TABLE call ADD COLUMN body_sum INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE call ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;"
    "UPDATE call SET body_sum = checksum((SELECT bytes FROM body WHERE body.id = call.id));"
    "UPDATE call SET sum = " CALL_SUM ";"
    "CREATE TABLE part("
    " kind INTEGER, of INTEGER, n INTEGER NOT NULL, sum INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " PRIMARY KEY(kind, of)) WITHOUT ROWID;"
    "INSERT INTO part SELECT " PART_CALLS ", day, count(*), sum(checksum(id, sum)), sum(size)"
    " FROM call GROUP BY day;"
    "INSERT INTO part SELECT " PART_SEEN ", axis, count(*), sum(checksum(value)), 0"
    " FROM seen GROUP BY axis;"
    "INSERT INTO part SELECT " PART_SPANS ", 0, count(*), ifnull(sum(" SPAN_SUM
    "), 0), 0 FROM span;"
    "INSERT INTO part SELECT " PART_FACTS ", 0, count(*), ifnull(sum(" FACT_SUM
    "), 0), 0 FROM fact;"
    "CREATE TABLE whole(id INTEGER PRIMARY KEY, sum INTEGER NOT NULL);"
    "INSERT INTO whole SELECT 1, sum(" PART_SUM ") FROM part;"
    /* A day's calls of a number, or of the beginning of one. */
    "CREATE INDEX call_from ON call(day, from_number);"
    "CREATE INDEX call_to ON call(day, to_number);",
    /* What the shared tier has still to be given: calls and spans (enum unshared_kind), and when
     * that was read; 0: when the newest span that holds it was. */
    "CREATE TABLE unshared("
    " n INTEGER PRIMARY KEY AUTOINCREMENT,"
    " kind INTEGER NOT NULL,"
    " id INTEGER NOT NULL,"
    " read_at INTEGER NOT NULL,"
    " UNIQUE(kind, id));",
};

static int read_number(struct db *d, const char *sql, int64_t *ret)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(d, sql);
    if (!st || sqlite3_step(st) != SQLITE_ROW)
        return db_failure(d);
    *ret = sqlite3_column_int64(st, 0);
    return 0;
}

/* A store begins to be one with the first step. */
static int begin_store(struct db *d, int64_t now)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "INSERT INTO fact VALUES('created', %" PRId64 ")", now);
    int rc = db_exec(d, steps[0]);
    return rc == 0 ? db_exec(d, sql) : rc;
}

static int run_steps(struct db *d, int64_t version, int64_t now)
{
    char sql[160];
    int rc = db_exec(d, "BEGIN IMMEDIATE");
    for (size_t i = (size_t)version; i < ARRAY_LEN(steps) && rc == 0; i++)
        rc = i == 0 ? begin_store(d, now) : db_exec(d, steps[i]);
    snprintf(sql, sizeof(sql), "PRAGMA user_version = %zu; PRAGMA application_id = %d",
             ARRAY_LEN(steps), STORE_APPLICATION_ID);
    if (rc == 0)
        rc = db_exec(d, sql);
    return rc == 0 ? db_exec(d, "COMMIT") : rc;
}

int schema_check(struct db *d, int64_t *ret_version)
{
    int64_t version, application, tables;
    int rc = read_number(d, "PRAGMA user_version", &version);
    if (rc == 0)
        rc = read_number(d, "PRAGMA application_id", &application);
    if (rc == 0)
        rc = read_number(d, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc < 0)
        return rc;
    if (tables && application != STORE_APPLICATION_ID)
        return -EBADF;
    if (version < 0 || version > (int64_t)ARRAY_LEN(steps))
        return -EPROTO;
    *ret_version = version;
    return 0;
}

bool schema_is_newest(int64_t version)
{
    return version == (int64_t)ARRAY_LEN(steps);
}

int schema_upgrade(struct db *d, int64_t version, int64_t now)
{
    return schema_is_newest(version) ? 0 : run_steps(d, version, now);
}
