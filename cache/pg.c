// SPDX-License-Identifier: MIT
#include "cache/pg.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cache/clock.h"

#define LOOK_MS 100 /* for whether it is the end */
#define OID_BYTES 17
#define OID_NUMBER 20
#define OID_TEXT 25

/* --- parameters --- */

int pg_args_make(struct pg_args *a, int cap)
{
    *a = (struct pg_args){.cap = cap,
                          .values = calloc((size_t)cap, sizeof(*a->values)),
                          .lengths = calloc((size_t)cap, sizeof(*a->lengths)),
                          .formats = calloc((size_t)cap, sizeof(*a->formats)),
                          .types = calloc((size_t)cap, sizeof(*a->types)),
                          .numbers = calloc((size_t)cap, sizeof(*a->numbers))};
    if (a->values && a->lengths && a->formats && a->types && a->numbers)
        return 0;
    pg_args_release(a);
    return -ENOMEM;
}

void pg_args_release(struct pg_args *a)
{
    free(a->values);
    free(a->lengths);
    free(a->formats);
    free(a->types);
    free(a->numbers);
    *a = (struct pg_args){0};
}

static void add(struct pg_args *a, const char *value, size_t n, int format, Oid type)
{
    if (a->n == a->cap)
        abort(); /* more than was made room for */
    a->values[a->n] = value;
    a->lengths[a->n] = (int)n;
    a->formats[a->n] = format;
    a->types[a->n++] = type;
}

void pg_arg_number(struct pg_args *a, int64_t v)
{
    if (a->n < a->cap)
        snprintf(a->numbers[a->n], sizeof(a->numbers[0]), "%lld", (long long)v);
    add(a, a->numbers[a->n], 0, 0, OID_NUMBER);
}

void pg_arg_null_number(struct pg_args *a)
{
    add(a, NULL, 0, 0, OID_NUMBER);
}

void pg_arg_text(struct pg_args *a, const char *text)
{
    add(a, text, 0, 0, OID_TEXT);
}

void pg_arg_bytes(struct pg_args *a, struct slice bytes)
{
    add(a, bytes.n ? bytes.p : "", bytes.n, 1, OID_BYTES);
}

/* --- what goes wrong --- */

/* The first line, without what libpq puts before it. */
static void set_error(struct pg *p, const char *text)
{
    size_t n = strcspn(text, "\n");
    str_copy(p->error, sizeof(p->error), text, n);
    str_printable(p->error);
}

static void lose(struct pg *p, const char *text)
{
    set_error(p, text);
    PQfinish(p->conn);
    p->conn = NULL;
}

bool pg_may_use(const char *conninfo)
{
    PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
    bool good = all;
    for (const PQconninfoOption *o = all; o && o->keyword; o++)
        if (o->val && *o->val && strstr(o->keyword, "password") && strcmp(o->keyword, "passfile"))
            good = false;
    PQconninfoFree(all);
    return good;
}

/* --- waiting --- */

/* Until the socket is ready for any of events: 0; -ETIMEDOUT, -ECANCELED. */
static int wait_for(struct pg *p, short events, int64_t until_ms)
{
    for (;;) {
        struct pollfd fd = {.fd = PQsocket(p->conn), .events = events};
        int64_t left = until_ms - clock_ms();
        if (atomic_load(p->stop))
            return -ECANCELED;
        if (left <= 0)
            return -ETIMEDOUT;
        if (fd.fd < 0)
            return -ENOTCONN;
        if (poll(&fd, 1, left < LOOK_MS ? (int)left : LOOK_MS) > 0)
            return 0;
    }
}

static void lose_for(struct pg *p, int rc)
{
    char text[64];
    snprintf(text, sizeof(text), "no answer within %lld s", (long long)(p->patience_ms / 1000));
    lose(p, rc == -ETIMEDOUT ? text : rc == -ECANCELED ? "the end" : PQerrorMessage(p->conn));
}

int pg_open(struct pg *p, const char *conninfo, const char *name)
{
    const char *keys[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *values[] = {conninfo, name, "UTF8", NULL};
    int64_t until = clock_ms() + p->patience_ms;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    pg_close(p);
    p->conn = PQconnectStartParams(keys, values, 1);
    if (!p->conn || PQstatus(p->conn) == CONNECTION_BAD) {
        lose(p, p->conn ? PQerrorMessage(p->conn) : "out of memory");
        return -ENOTCONN;
    }
    while (state != PGRES_POLLING_OK) {
        int rc = wait_for(p, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until);
        if (rc == 0 && (state = PQconnectPoll(p->conn)) == PGRES_POLLING_FAILED)
            rc = -ENOTCONN;
        if (rc < 0) {
            lose_for(p, rc);
            return -ENOTCONN;
        }
    }
    if (PQsetnonblocking(p->conn, 1) < 0) {
        lose(p, PQerrorMessage(p->conn));
        return -ENOTCONN;
    }
    return 0;
}

void pg_close(struct pg *p)
{
    PQfinish(p->conn);
    p->conn = NULL;
}

/* Sends what libpq has buffered. */
static int flush(struct pg *p)
{
    int left;
    while ((left = PQflush(p->conn)) == 1) {
        int rc = wait_for(p, POLLIN | POLLOUT, clock_ms() + p->patience_ms);
        if (rc == 0 && !PQconsumeInput(p->conn))
            rc = -ENOTCONN;
        if (rc < 0)
            return rc;
    }
    return left < 0 ? -ENOTCONN : 0;
}

/* The next result of what was sent; NULL with *rc 0 at its end. */
static PGresult *next(struct pg *p, int *rc)
{
    *rc = 0;
    while (PQisBusy(p->conn)) {
        *rc = wait_for(p, POLLIN, clock_ms() + p->patience_ms);
        if (*rc == 0 && !PQconsumeInput(p->conn))
            *rc = -ENOTCONN;
        if (*rc < 0) {
            lose_for(p, *rc);
            *rc = -ENOTCONN;
            return NULL;
        }
    }
    return PQgetResult(p->conn);
}

static int send_query(struct pg *p, const char *sql, const struct pg_args *a, bool binary)
{
    if (!p->conn)
        return -ENOTCONN;
    int sent =
        PQsendQueryParams(p->conn, sql, a ? a->n : 0, a ? a->types : NULL, a ? a->values : NULL,
                          a ? a->lengths : NULL, a ? a->formats : NULL, binary);
    int rc = sent ? flush(p) : -ENOTCONN;
    if (rc < 0)
        lose_for(p, rc);
    return rc < 0 ? -ENOTCONN : 0;
}

static bool is_good(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE;
}

/* True when the result is an error, which is noted. */
static bool refused(struct pg *p, PGresult *r)
{
    if (is_good(r))
        return false;
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    str_copy(p->state, sizeof(p->state), state ? state : "", state ? strlen(state) : 0);
    set_error(p, text ? text : PQresultErrorMessage(r));
    return true;
}

int pg_failure(const struct pg *p)
{
    return p->conn ? -EIO : -ENOTCONN;
}

bool pg_is_race(const struct pg *p)
{
    return p->conn && (strcmp(p->state, "40001") == 0 || strcmp(p->state, "40P01") == 0);
}

PGresult *pg_query(struct pg *p, const char *sql, const struct pg_args *a, bool binary)
{
    PGresult *last = NULL, *r;
    int rc = send_query(p, sql, a, binary);
    bool bad = rc < 0;
    p->state[0] = '\0';
    while (rc == 0 && (r = next(p, &rc))) {
        bad = refused(p, r) || bad;
        PQclear(last);
        last = r;
    }
    if (p->conn && PQstatus(p->conn) == CONNECTION_BAD)
        lose(p, *p->error ? p->error : "the connection is gone");
    if (!bad && rc == 0 && last)
        return last;
    PQclear(last);
    return NULL;
}

int pg_run(struct pg *p, const char *sql, const struct pg_args *a)
{
    PGresult *r = pg_query(p, sql, a, false);
    PQclear(r);
    return r ? 0 : pg_failure(p);
}

int pg_end(struct pg *p, bool good)
{
    char state[sizeof(p->state)], error[sizeof(p->error)];
    memcpy(state, p->state, sizeof(state));
    memcpy(error, p->error, sizeof(error));
    int rc = pg_run(p, good ? "COMMIT" : "ROLLBACK", NULL);
    if (rc == 0) {
        memcpy(p->state, state, sizeof(state));
        memcpy(p->error, error, sizeof(error));
    }
    return rc;
}

int pg_begin(struct pg *p, const char *sql, const struct pg_args *a)
{
    int rc = send_query(p, sql, a, true);
    p->state[0] = '\0';
    if (rc == 0)
        PQsetSingleRowMode(p->conn);
    return rc;
}

PGresult *pg_row(struct pg *p, int *rc)
{
    PGresult *r;
    int bad = 0;
    while ((r = next(p, rc))) {
        if (PQresultStatus(r) == PGRES_SINGLE_TUPLE)
            return r;
        bad = refused(p, r) ? -EIO : bad;
        PQclear(r);
    }
    if (*rc == 0 && PQstatus(p->conn) == CONNECTION_BAD) {
        lose(p, *p->error ? p->error : "the connection is gone");
        bad = -ENOTCONN;
    }
    *rc = *rc < 0 ? *rc : bad;
    return NULL;
}

/* --- results --- */

const char *pg_text(const PGresult *r, int row, int column)
{
    return PQgetvalue(r, row, column);
}

int64_t pg_number(const PGresult *r, int row, int column)
{
    return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

int64_t pg_int8(const PGresult *r, int row, int column)
{
    uint64_t v;
    if (PQgetisnull(r, row, column) || PQgetlength(r, row, column) != sizeof(v))
        return INT64_MIN;
    memcpy(&v, PQgetvalue(r, row, column), sizeof(v));
    return (int64_t)be64toh(v);
}
