// SPDX-License-Identifier: MIT
/*
 * One connection to the store's file and its prepared statements. Private to the store. A
 * connection is used by one thread at a time.
 */
#ifndef CDRFS_CACHE_DB_H
#define CDRFS_CACHE_DB_H

#include <sqlite3.h>

#include "api/query.h"

struct db_stmt;

struct db {
    sqlite3 *sql;
    struct db_stmt *stmts; /* by text */
    struct db *next;       /* in the pool of readers */
};

/* -EIO, -EACCES, -ENOMEM. readonly connections cannot change the file. */
int db_open(const char *path, bool readonly, struct db **ret) MUST_CHECK;
void db_close(struct db *d);

/* The errno of what SQLite said last, after something that failed: never 0. */
int db_failure(struct db *d);

/* Runs statements without results. */
int db_exec(struct db *d, const char *sql) MUST_CHECK;

/*
 * A prepared statement for this text, made once and kept. It is reset and has no bindings. NULL
 * when it cannot be made. Give it back with db_done() before asking for another: when a connection
 * has too many it forgets them all.
 */
sqlite3_stmt *db_stmt(struct db *d, const char *sql);
void db_done(sqlite3_stmt **st);

#define CLEANUP_STMT __attribute__((cleanup(db_done)))

/* Appends the conditions of q (" AND end_time >= ? ..."); db_bind_query() binds them in order. */
void db_where(struct buf *sql, const struct query *q);
void db_bind_query(sqlite3_stmt *st, int *index, const struct query *q);

#endif
