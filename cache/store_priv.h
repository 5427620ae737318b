// SPDX-License-Identifier: MIT
/* Shared by the store's own files: opening (store.c), writing, reading, and what went wrong. */
#ifndef CDRFS_CACHE_STORE_PRIV_H
#define CDRFS_CACHE_STORE_PRIV_H

#include <pthread.h>

#include "cache/db.h"
#include "cache/pack.h"
#include "cache/store.h"

#define SQL_MAX 2048

/* Times are added to and subtracted from; none of ours is anywhere near. */
#define TIME_MOST (INT64_C(1) << 60)

#define TOLD_MAX 8 /* kinds of trouble; of further ones nothing is told */

/* What reading, or writing, met last. */
struct trouble {
    int err; /* 0: nothing */
    char text[DB_TEXT_MAX];
    char told[TOLD_MAX][DB_TEXT_MAX];
    int ntold;
};

enum part_kind { CALLS_OF_DAY, SEEN_OF_AXIS, SPANS, FACTS }; /* as in schema.h */

/* How a transaction changes a part. */
struct part_change {
    enum part_kind kind;
    int64_t of, n, sum, bytes;
};

#define PART_CHANGES_MAX 32 /* more are written before the commit */

struct store {
    char *path;
    int lock_fd;
    int64_t created;
    bool frozen;                  /* it is only read */
    bool no_wal;                  /* readers and the writer wait for each other */
    char warning[STORE_TEXT_MAX]; /* "": all is as it should be */
    struct db *writer;            /* of the writing thread; frozen: it reads, too */
    struct pack *pack;
    struct buf packed; /* the writing thread's, for one body */
    int64_t raw;       /* calls kept without a dictionary, about, while there is none */
    bool notes;        /* what the shared tier has still to be given */
    int64_t repacked;  /* bodies up to that id need no look any more */
    struct part_change changes[PART_CHANGES_MAX];
    int nchanges;

    pthread_mutex_t lock; /* guards the rest */
    struct db *readers;   /* connections nobody uses now */
    struct trouble reading, writing;
    struct ivset checked, checked_names; /* days, by store_check() and store_check_names() */
};

/* store_pack.c: reads the dictionaries there are. */
int store_load_dicts(struct store *s) MUST_CHECK;

/* Appends the body in columns `bytes` and `dict` of a row, the first of which is that one. */
int store_open_body(struct store *s, sqlite3_stmt *st, int column, struct buf *out) MUST_CHECK;

/* A connection for one reading call; NULL when none can be made, which is noted. */
struct db *store_take_reader(struct store *s);
void store_give_reader(struct store *s, struct db *d);

/* After something on d failed: remembers it for store_trouble(), and returns the errno. To readers
 * all but -ENOMEM is -EIO. */
int store_read_failed(struct store *s, struct db *d);
int store_write_failed(struct store *s);

/* Steps a statement of the writer that has no rows; NULL is one that could not be made. */
int store_step_done(struct store *s, sqlite3_stmt *st) MUST_CHECK;

/* store_read.c: one reading call: a connection of its own, and a statement on it. */
struct reading {
    struct store *store;
    struct db *db;
    sqlite3_stmt *st;
    int next; /* index of the next binding */
};

void reading_end(struct reading *r);
#define CLEANUP_READING __attribute__((cleanup(reading_end)))

/* Begins `SELECT columns FROM table WHERE 1 [conditions of q] [tail]`; with q NULL, select and tail
 * alone. What it fails with is noted. */
int reading_begin(struct reading *r, struct store *s, const char *select, const struct query *q,
                  const char *tail) MUST_CHECK;

/* 1 for a row, 0 for none. */
int reading_step(struct reading *r) MUST_CHECK;

/* Appends the body in columns bytes, dict, size and body_sum, the first of which is that one, if it
 * is as it was written. */
int reading_body(struct reading *r, int column, struct buf *out) MUST_CHECK;

/* What a reader found cannot be: -EIO. */
int store_is_damaged(struct store *s, const char *what);

/* Rows have come to a part, or gone from it; by the writer, in a transaction. */
int store_change_part(struct store *s, struct part_change change) MUST_CHECK;

/* Writes what has changed; before a commit. */
int store_write_parts(struct store *s) MUST_CHECK;

/* Whether all that is not calls is of one moment: -EUCLEAN when not. */
int store_check_parts(struct store *s) MUST_CHECK;

/*
 * Whether the calls that q may hold are all there, and as they were written; on that connection,
 * with no statement in use. Each day is looked at once. -EIO when not.
 */
int store_check(struct store *s, struct db *d, const struct query *q) MUST_CHECK;

/* The same, and whether they would all be found by their names. */
int store_check_names(struct store *s, struct db *d, const struct query *q) MUST_CHECK;

/* The same of the values seen of an axis, each time. */
int store_check_seen(struct store *s, struct db *d, int axis) MUST_CHECK;

enum unshared_kind { UNSHARED_CALL, UNSHARED_SPAN };

/* Notes what the shared tier has still to be given, if that is wanted; by the writer. */
int store_note(struct store *s, enum unshared_kind kind, int64_t id, int64_t read_at) MUST_CHECK;

int store_unnote(struct store *s, enum unshared_kind kind, int64_t id) MUST_CHECK;

/* Whether it is noted: 1 or 0. By the writer. */
int store_is_noted(struct store *s, enum unshared_kind kind, int64_t id) MUST_CHECK;

/* Adds or amends, as store_put_call(), and notes nothing; mtime is of one that is amended, and
 * first of one that is new. */
int store_write_call(struct store *s, const struct call *c, int64_t first, int64_t mtime,
                     enum put *ret, int64_t *ret_id) MUST_CHECK;

/* The columns of a span's row, in the order of store_spans(). */
int store_read_span(sqlite3_stmt *st, int column, struct span *ret) MUST_CHECK;

/* The writer works again. */
void store_write_succeeded(struct store *s);

#endif
