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

#define DB_TEXT_MAX 96

/*
 * What a connection may do. FROZEN is for a file that nobody writes, where no lock and no shared
 * memory may be possible: with a WAL beside it, each connection reads that for itself.
 */
enum db_way { DB_WRITER, DB_READER, DB_FROZEN };

struct db {
    sqlite3 *sql;
    char text[DB_TEXT_MAX]; /* what db_failure() was about */
    struct db_stmt *stmts;  /* by text */
    struct db *next;        /* in the pool of readers */
};

/* Errors as db_failure(); *ret may then be a connection that says why, to be closed. */
int db_open(const char *path, enum db_way way, struct db **ret) MUST_CHECK;
void db_close(struct db *d);

/* Gives SQL the function checksum(any values): the sum of these (sum.h). Every connection that
 * db_open() makes has it. An SQLite error code. */
int db_add_checksum(sqlite3 *sql) MUST_CHECK;

/*
 * The errno of what SQLite said last, after something that failed: never 0. -ENOSPC, -EDQUOT,
 * -EFBIG, -EROFS and -EACCES say that the file cannot grow or be written; -EBUSY that another
 * program has locked it; -ENOMEM; all else is -EIO. Leaves the words for it in d->text.
 */
int db_failure(struct db *d);

/* True when what failed is the opening of the file, or of one beside it. */
bool db_cannot_open(struct db *d);

/* True when what failed is the memory shared with other connections, which a WAL needs and some
 * filesystems cannot give. */
bool db_lacks_shared_memory(struct db *d);

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
