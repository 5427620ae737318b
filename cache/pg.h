// SPDX-License-Identifier: MIT
/*
 * One connection to PostgreSQL, or to what speaks its protocol, by libpq's asynchronous mode: every
 * call waits by poll(2) for as long as it is given and no longer, and ends at once when *stop turns
 * true. (But for the resolver of names, which libpq waits for.) Private to the shared tier; the
 * only code that knows libpq, with the tier's own files.
 *
 * A connection is used by one thread at a time. Credentials come from where libpq takes them
 * (service file, PGPASSFILE, environment) and are in no message.
 */
#ifndef CDRFS_CACHE_PG_H
#define CDRFS_CACHE_PG_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "api/util.h"

#define PG_TEXT_MAX 192

struct pg {
    PGconn *conn; /* NULL: not connected */
    const atomic_bool *stop;
    int64_t patience_ms;     /* without any progress, one call waits no longer */
    char error[PG_TEXT_MAX]; /* what went wrong last, one line */
    char state[6];           /* SQLSTATE of what the server refused last; "" */
};

/* Parameters of a statement, in text or as bytes; what they point to must live as long. */
struct pg_args {
    int n, cap;
    const char **values;
    int *lengths, *formats;
    Oid *types;
    char (*numbers)[24];
};

int pg_args_make(struct pg_args *a, int cap) MUST_CHECK; /* -ENOMEM */
void pg_args_release(struct pg_args *a);
#define CLEANUP_PG_ARGS __attribute__((cleanup(pg_args_release)))
void pg_arg_number(struct pg_args *a, int64_t v);
void pg_arg_null_number(struct pg_args *a);
void pg_arg_text(struct pg_args *a, const char *text);
void pg_arg_bytes(struct pg_args *a, struct slice bytes);

/* Whether libpq understands it, and it holds no password, which others could see. */
bool pg_may_use(const char *conninfo);

/* 0, -ENOTCONN. */
int pg_open(struct pg *p, const char *conninfo, const char *name) MUST_CHECK;
void pg_close(struct pg *p);

/* After something failed: -EIO, refused by a server that is still there, or -ENOTCONN. */
int pg_failure(const struct pg *p);

/* It was refused because of what others did at the same time, and may be tried again at once. */
bool pg_is_race(const struct pg *p);

/*
 * Runs one statement. NULL when it failed: p->state says what the server had against it, or the
 * connection is gone (p->conn is NULL). Rows come as text, or with `binary` as bytes. PQclear() the
 * result.
 */
PGresult *pg_query(struct pg *p, const char *sql, const struct pg_args *a, bool binary);

/* The same of one whose rows do not matter: 0, -EIO (refused), -ENOTCONN. */
int pg_run(struct pg *p, const char *sql, const struct pg_args *a) MUST_CHECK;

/* Ends a transaction; after an error, which is left as it was noted, with nothing done. As
 * pg_run(). */
int pg_end(struct pg *p, bool good) MUST_CHECK;

/* Row by row: pg_begin(), then pg_row() until it is NULL; *rc is then 0, or as of pg_run(). */
int pg_begin(struct pg *p, const char *sql, const struct pg_args *a) MUST_CHECK;
PGresult *pg_row(struct pg *p, int *rc);

/* The value of a column as text; "" for NULL. And as a number. */
const char *pg_text(const PGresult *r, int row, int column);
int64_t pg_number(const PGresult *r, int row, int column);

/* Of results as bytes. INT64_MIN for NULL. */
int64_t pg_int8(const PGresult *r, int row, int column);

#endif
