// SPDX-License-Identifier: MIT
/*
 * Publishing: calls that came from the API, and the spans that say what was read whole, go to the
 * tier in one transaction (of a great many calls, in several; the spans go with the last). A span
 * is only published when the tier then holds no fewer calls of it than the store does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "cache/clock.h"
#include "cache/tier_priv.h"

#define ROWS 200       /* of one statement */
#define MOST 100000    /* calls of one transaction */
#define READ_MOST 2000 /* calls read from the store at once */
#define SQL_MAX (64u << 10)
#define NOTES 5000 /* of one piece of news */
#define RACES 5
#define PAUSE_MS 2000 /* after a failure, doubled */
#define PAUSE_MOST_MS 10000

struct row {
    struct call call;
    int64_t mtime, read_at;
    size_t place; /* of the body in text */
};

struct noted_span {
    int64_t note;
    struct span span;
};

struct publishing {
    struct tier *tier;
    struct pg *pg;
    struct row rows[ROWS]; /* of one month, not sent yet */
    int nrows, month;
    struct buf text;
    int months[TIER_MONTHS_MAX], nmonths;
    int lacking;    /* a month that has no table; 0: none */
    int64_t *notes; /* of the calls sent in this transaction */
    size_t nnotes, notes_cap;
    int64_t last; /* the note, or the id, that was read last */
    int64_t sent; /* all notes up to that one are there, after the commit */
    struct noted_span *spans;
    size_t nspans, spans_cap;
    uint64_t *leases; /* that end with it */
    size_t nleases;
    bool again; /* calls are sent whether noted or not */
};

static int grow(void **p, size_t *cap, size_t n, size_t size)
{
    if (n < *cap)
        return 0;
    size_t more = *cap ? *cap * 2 : 64;
    void *q = realloc(*p, more * size);
    if (!q)
        return -ENOMEM;
    *p = q;
    *cap = more;
    return 0;
}

/* --- calls --- */

/*
 * A table that is lacking is made when the transaction has been undone, which then begins anew: to
 * make it waits for those who write into it, and they may be waiting for what we have written.
 */
static int need_month(struct publishing *u, int month)
{
    for (int i = 0; i < u->nmonths; i++)
        if (u->months[i] == month)
            return 0;
    u->lacking = month;
    return -EAGAIN;
}

static void add_number(struct pg_args *a, int64_t v)
{
    if (v == INT64_MIN)
        pg_arg_null_number(a);
    else
        pg_arg_number(a, v);
}

static void add_row(struct publishing *u, struct pg_args *a, struct buf *sql, struct row *r)
{
    const struct call *c = &r->call;
    int first = a->n;
    pg_arg_text(a, u->tier->account);
    pg_arg_text(a, c->uuid);
    for (int i = 0; i < NUM_AXES; i++)
        add_number(a, c->num[i]);
    for (int i = 0; i < TEXT_AXES; i++)
        pg_arg_text(a, c->text[i]);
    pg_arg_number(a, r->mtime);
    pg_arg_number(a, r->read_at);
    pg_arg_bytes(a, (struct slice){u->text.p + r->place, c->body.n});
    buf_puts(sql, first ? ",(" : "(");
    for (int i = first; i < a->n; i++)
        buf_printf(sql, i == first ? "$%d" : ",$%d", i + 1);
    buf_puts(sql, ")");
}

/* A call that was amended may have stood in another month. */
static int clear_other_months(struct publishing *u)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char table[TIER_TABLE_MAX];
    struct buf in = buf_make(SQL_MAX);
    int rc = pg_args_make(&a, ROWS + 1);
    if (rc < 0)
        return rc;
    pg_arg_text(&a, u->tier->account);
    for (int i = 0; i < u->nrows; i++) {
        if (u->rows[i].mtime == u->rows[i].call.num[AXIS_END_TIME])
            continue;
        pg_arg_text(&a, u->rows[i].call.uuid);
        buf_printf(&in, a.n == 2 ? "$%d" : ",$%d", a.n);
    }
    for (int i = 0; i < u->nmonths && rc == 0 && a.n > 1; i++) {
        struct buf sql = buf_make(SQL_MAX);
        if (u->months[i] == u->month)
            continue;
        tier_table(u->months[i], table);
        buf_printf(&sql, "DELETE FROM %s WHERE account = $1 AND uuid IN (%s)", table, in.p);
        rc = buf_error(&sql) ? buf_error(&sql) : pg_run(u->pg, sql.p, &a);
        buf_release(&sql);
    }
    buf_release(&in);
    return rc;
}

/* Of two readings of a call the later one holds. */
#define SET(column) #column " = excluded." #column ", "
#define ON_CONFLICT                                                                                \
    " ON CONFLICT (account, uuid) DO UPDATE SET " SET(end_time) SET(initiation_time)               \
        SET(bill_duration) SET(direction) SET(hangup_cause) SET(hangup_source) SET(stir)           \
            SET(from_number) SET(to_number) SET(trunk) SET(body)                                   \
                SET(read_at) "mtime = CASE WHEN excluded.mtime > c.mtime THEN excluded.mtime"      \
                             " ELSE GREATEST(excluded.read_at, c.mtime) END"                       \
                             " WHERE c.body <> excluded.body AND c.read_at <= excluded.read_at"

static int send_rows(struct publishing *u)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char table[TIER_TABLE_MAX];
    struct buf sql = buf_make(SQL_MAX);
    int rc = u->nrows ? need_month(u, u->month) : 0;
    if (rc < 0 || !u->nrows)
        return rc;
    rc = clear_other_months(u);
    if (rc < 0 || (rc = pg_args_make(&a, (TIER_COLUMNS_N + 1) * u->nrows)) < 0)
        return rc;
    tier_table(u->month, table);
    buf_printf(&sql, "INSERT INTO %s AS c(account, " TIER_COLUMNS ") VALUES", table);
    for (int i = 0; i < u->nrows; i++)
        add_row(u, &a, &sql, &u->rows[i]);
    buf_puts(&sql, ON_CONFLICT);
    rc = buf_error(&sql) ? buf_error(&sql) : pg_run(u->pg, sql.p, &a);
    buf_release(&sql);
    u->nrows = 0;
    u->text.len = 0;
    return rc;
}

static int take_call(void *arg, int64_t note, const struct call *c, int64_t mtime, int64_t read_at)
{
    struct publishing *u = arg;
    int month = tier_month_of(c->num[AXIS_END_TIME]), rc = 0;
    if (u->nrows == ROWS || (u->nrows && u->month != month))
        rc = send_rows(u);
    if (rc < 0)
        return rc;
    u->month = month;
    u->rows[u->nrows] = (struct row){*c, mtime, read_at, u->text.len};
    buf_append(&u->text, c->body.p, c->body.n);
    if (buf_error(&u->text))
        return buf_error(&u->text);
    u->nrows++;
    u->last = note;
    if (u->again)
        return 0;
    rc = grow((void **)&u->notes, &u->notes_cap, u->nnotes, sizeof(*u->notes));
    if (rc == 0)
        u->notes[u->nnotes++] = note;
    return rc;
}

/* *more: there are more than go into this transaction. */
static int send_noted(struct publishing *u, bool *more)
{
    int rc = 0;
    size_t before;
    *more = false;
    do {
        before = u->nnotes;
        rc = store_unshared_calls(u->tier->opts.store, u->last, READ_MOST, take_call, u);
        *more = u->nnotes >= MOST;
    } while (rc == 0 && u->nnotes == before + READ_MOST && !*more);
    u->sent = u->last;
    return rc == 0 ? send_rows(u) : rc;
}

static int send_all_of(struct publishing *u, const struct query *q)
{
    int64_t before;
    int rc;
    u->again = true;
    u->last = 0;
    do {
        before = u->last;
        rc = store_calls_of(u->tier->opts.store, q, u->last, READ_MOST, take_call, u);
    } while (rc == 0 && u->last != before);
    u->again = false;
    return rc == 0 ? send_rows(u) : rc;
}

/* --- spans --- */

static int take_span(void *arg, int64_t note, const struct span *span)
{
    struct publishing *u = arg;
    int rc = grow((void **)&u->spans, &u->spans_cap, u->nspans, sizeof(*u->spans));
    if (rc == 0)
        u->spans[u->nspans++] = (struct noted_span){note, *span};
    return rc;
}

static int count_there(struct publishing *u, const struct query *q, int64_t *ret)
{
    int first = tier_month_of(q->num[AXIS_END_TIME].lo), rc = 0;
    int last = tier_month_of(q->num[AXIS_END_TIME].hi - 1);
    *ret = 0;
    for (int i = 0; i < u->nmonths && rc == 0; i++) {
        CLEANUP_PG_ARGS struct pg_args a = {0};
        char table[TIER_TABLE_MAX];
        struct buf sql = buf_make(SQL_MAX);
        if (u->months[i] < first || u->months[i] > last)
            continue;
        if (pg_args_make(&a, 2 * AXES + 1) < 0)
            return -ENOMEM;
        tier_table(u->months[i], table);
        pg_arg_text(&a, u->tier->account);
        buf_printf(&sql, "SELECT count(*) FROM %s WHERE account = $1", table);
        tier_where(&sql, &a, q);
        PGresult *r = buf_error(&sql) ? NULL : pg_query(u->pg, sql.p, &a, false);
        rc = r ? 0 : pg_failure(u->pg);
        if (r)
            *ret += pg_number(r, 0, 0);
        PQclear(r);
        buf_release(&sql);
    }
    return rc;
}

static int put_span(struct publishing *u, const struct span *s)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char filters[QUERY_KEY_MAX];
    if (pg_args_make(&a, 5) < 0)
        return -ENOMEM;
    query_filter_key(&s->q, filters);
    pg_arg_text(&a, u->tier->account);
    pg_arg_text(&a, filters);
    pg_arg_number(&a, s->q.num[AXIS_END_TIME].lo);
    pg_arg_number(&a, s->q.num[AXIS_END_TIME].hi);
    pg_arg_number(&a, s->fetched_at);
    int rc = pg_run(u->pg,
                    "DELETE FROM cdrfs_span WHERE account = $1 AND filters = $2"
                    " AND lo >= $3 AND hi <= $4 AND fetched_at < $5",
                    &a);
    return rc < 0 ? rc
                  : pg_run(u->pg,
                           "INSERT INTO cdrfs_span AS s(account, filters, lo, hi, fetched_at)"
                           " VALUES($1, $2, $3, $4, $5)"
                           " ON CONFLICT (account, filters, lo, hi) DO UPDATE SET"
                           " fetched_at = GREATEST(s.fetched_at, excluded.fetched_at)",
                           &a);
}

/* What has come to the store since the span was listed may not be there yet: then a later time. */
static int send_span(struct publishing *u, struct noted_span *s)
{
    int64_t here = 0, there = 0;
    int rc = store_count(u->tier->opts.store, &s->span.q, &here);
    if (rc == 0)
        rc = count_there(u, &s->span.q, &there);
    if (rc == 0 && there < here) {
        rc = send_all_of(u, &s->span.q);
        if (rc == 0)
            rc = count_there(u, &s->span.q, &there);
    }
    if (rc < 0 || there < here) {
        s->note = 0;
        return rc;
    }
    return put_span(u, &s->span);
}

/* --- a transaction --- */

static int note_leases(struct publishing *u)
{
    struct tier *t = u->tier;
    struct lease *l;
    size_t cap = 0;
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    DL_FOREACH (t->leases, l) {
        if (l->state != LEASE_DONE)
            continue;
        if ((rc = grow((void **)&u->leases, &cap, u->nleases, sizeof(*u->leases))) < 0)
            break;
        u->leases[u->nleases++] = l->number;
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

static int end_leases(struct publishing *u)
{
    int rc = 0;
    for (size_t i = 0; i < u->nleases && rc == 0; i++)
        rc = tier_delete_lease(u->tier, u->pg, u->leases[i]);
    return rc;
}

static void forget_leases(struct publishing *u)
{
    struct lease *l, *next;
    pthread_mutex_lock(&u->tier->lock);
    DL_FOREACH_SAFE (u->tier->leases, l, next)
        for (size_t i = 0; i < u->nleases; i++)
            if (l->number == u->leases[i]) {
                DL_DELETE(u->tier->leases, l);
                free(l);
                break;
            }
    pthread_mutex_unlock(&u->tier->lock);
}

static int tell_notes(struct tier *t, const int64_t *notes, size_t n)
{
    while (n) {
        size_t some = n < NOTES ? n : NOTES;
        struct tier_news *news = tier_news_new(TIER_SHARED, NULL);
        if (!news || !(news->notes = malloc(some * sizeof(*notes)))) {
            tier_news_free(news);
            return -ENOMEM; /* they are published again, which changes nothing */
        }
        memcpy(news->notes, notes, some * sizeof(*notes));
        news->nnotes = some;
        tier_say(t, news);
        notes += some;
        n -= some;
    }
    return 0;
}

static void tell(struct publishing *u, bool more)
{
    int rc = tell_notes(u->tier, u->notes, u->nnotes);
    for (size_t i = 0; i < u->nspans && !more && rc == 0; i++)
        if (u->spans[i].note)
            rc = tell_notes(u->tier, &u->spans[i].note, 1);
    pthread_mutex_lock(&u->tier->lock);
    u->tier->stats.published += u->nnotes;
    pthread_mutex_unlock(&u->tier->lock);
}

static int transaction(struct publishing *u, bool *more)
{
    int rc = pg_run(u->pg, "BEGIN", NULL);
    if (rc == 0)
        rc = tier_check(u->tier, u->pg, false);
    if (rc == 0)
        rc = send_noted(u, more);
    for (size_t i = 0; i < u->nspans && rc == 0 && !*more; i++)
        rc = send_span(u, &u->spans[i]);
    if (rc == 0 && !*more)
        rc = end_leases(u);
    int end = u->pg->conn ? pg_end(u->pg, rc == 0) : 0;
    return rc < 0 ? rc : end;
}

static void release(struct publishing *u)
{
    buf_release(&u->text);
    free(u->notes);
    free(u->spans);
    free(u->leases);
    free(u);
}

/* Returns 1 when there is more. Notes up to *sent were sent before, and perhaps not forgotten yet.
 */
static int publish_some(struct tier *t, struct pg *p, int64_t *sent)
{
    struct publishing *u = calloc(1, sizeof(*u));
    bool more = false;
    if (!u)
        return -ENOMEM;
    u->tier = t;
    u->pg = p;
    u->last = *sent;
    u->text = buf_make((size_t)ROWS * BODY_MAX_BYTES);
    int rc = note_leases(u);
    if (rc == 0)
        rc = store_unshared_spans(t->opts.store, take_span, u);
    if (rc == 0 && !p->conn)
        rc = pg_open(p, t->conninfo, "cdrfs publish");
    if (rc == 0)
        rc = u->nmonths = tier_months(p, u->months, TIER_MONTHS_MAX);
    if (rc >= 0)
        rc = transaction(u, &more);
    if (u->lacking && p->conn) {
        rc = tier_make_month(p, u->lacking);
        release(u);
        return rc == 0 ? 1 : rc;
    }
    if (rc == 0) {
        *sent = u->sent;
        tell(u, more);
        if (!more)
            forget_leases(u);
    }
    release(u);
    return rc < 0 ? rc : more;
}

static int publish(struct tier *t, struct pg *p, int64_t *sent)
{
    int rc, races = 0;
    do {
        rc = publish_some(t, p, sent);
        if (rc == -EIO && pg_is_race(p) && ++races < RACES)
            rc = 1;
    } while (rc == 1 && !atomic_load(&t->stop));
    return rc;
}

static bool next_kick(struct tier *t, struct pg *p)
{
    int64_t idle_from = clock_ms();
    pthread_mutex_lock(&t->lock);
    while (!(t->kicked && t->usable) && !atomic_load(&t->stop))
        tier_wait_idle(t, p, idle_from);
    t->kicked = false;
    pthread_mutex_unlock(&t->lock);
    return !atomic_load(&t->stop);
}

/* Until then, or until there is reason to try earlier. */
static void pause_for(struct tier *t, int64_t ms)
{
    int64_t until = clock_ms() + ms, left;
    pthread_mutex_lock(&t->lock);
    t->kicked = true;
    while ((left = until - clock_ms()) > 0 && !t->again && !atomic_load(&t->stop))
        tier_wait(t, left);
    pthread_mutex_unlock(&t->lock);
}

/* Whether the server takes what it is given. While it does not, nothing is leased, and what was is
 * given back, so that no other host waits for it. */
static void note_outcome(struct tier *t, bool refused)
{
    struct lease *l;
    pthread_mutex_lock(&t->lock);
    t->look = t->look || t->cannot_publish != refused;
    t->cannot_publish = refused;
    DL_FOREACH (t->leases, l)
        if (refused && l->state == LEASE_DONE)
            l->state = LEASE_OVER;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

static void begin_try(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    t->again = false;
    pthread_mutex_unlock(&t->lock);
}

/* A server that is gone is seen by the control thread too; one that only lets in no more is not. */
#define REFUSALS 2

void *tier_publish_run(void *arg)
{
    struct tier *t = arg;
    struct pg p = {.stop = &t->stop, .patience_ms = TIER_BULK_MS};
    int64_t pause = PAUSE_MS, sent = 0;
    int lost = 0; /* times in a row */
    while (next_kick(t, &p)) {
        p.error[0] = '\0';
        begin_try(t);
        int rc = publish(t, &p, &sent);
        if (rc == -ESTALE) /* the control thread is to see to that */
            pg_close(&p);
        bool refused = rc < 0 && (p.conn || (rc != -ESTALE && lost + 1 >= REFUSALS));
        lost = rc < 0 && !p.conn ? lost + 1 : 0;
        if (rc == 0 || refused)
            note_outcome(t, rc < 0);
        if (rc == 0) {
            pause = PAUSE_MS;
            continue;
        }
        tier_failed(t, &p);
        if (refused)
            tier_refused(t, &p);
        pause_for(t, pause);
        pause = pause * 2 < PAUSE_MOST_MS ? pause * 2 : PAUSE_MOST_MS;
    }
    pg_close(&p);
    return NULL;
}
