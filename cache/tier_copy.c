// SPDX-License-Identifier: MIT
/* Copying: what the tier has of a window goes to the store, in pieces of news. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "cache/clock.h"
#include "cache/tier_priv.h"

#define SQL_MAX 2048
#define UNTAKEN_MOST 4 /* pieces of news on their way to the store */
#define CLOCKS_APART_S                                                                             \
    60 /* what two hosts' notions of the API's clock, and the seconds an answer                    \
          takes, may come to */

struct copying {
    struct tier *tier;
    struct claim *claim;
    struct tier_news *news; /* being filled */
};

static int begin_news(struct copying *c)
{
    c->news = tier_news_new(TIER_CALLS, c->claim->c.arg);
    if (!c->news)
        return -ENOMEM;
    c->news->page = calloc(1, sizeof(*c->news->page));
    c->news->mtimes = calloc(TIER_PAGE, sizeof(*c->news->mtimes));
    if (c->news->page) {
        c->news->page->text = buf_make((size_t)TIER_PAGE * BODY_MAX_BYTES);
        c->news->page->calls = calloc(TIER_PAGE, sizeof(*c->news->page->calls));
    }
    return c->news->page && c->news->page->calls && c->news->mtimes ? 0 : -ENOMEM;
}

/* Bodies were noted by their place while the text grew. */
static void place_bodies(struct page *page)
{
    for (int i = 0; i < page->ncalls; i++)
        page->calls[i].body.p = page->text.p + (size_t)(uintptr_t)page->calls[i].body.p;
}

/* Hands over what was read; waits while the store has enough to do. -ECANCELED: the end, or nobody
 * wants it any more. */
static int send_news(struct copying *c)
{
    struct tier *t = c->tier;
    struct tier_news *n = c->news;
    c->news = NULL;
    if (!n || !n->page->ncalls) {
        tier_news_free(n);
        return 0;
    }
    place_bodies(n->page);
    pthread_mutex_lock(&t->lock);
    while (t->untaken >= UNTAKEN_MOST && !atomic_load(&t->stop))
        tier_wait(t, 1000);
    t->untaken++;
    t->stats.copied += (uint64_t)n->page->ncalls;
    pthread_mutex_unlock(&t->lock);
    tier_say(t, n);
    return atomic_load(&t->stop) || atomic_load(&c->claim->c.u->gone) ? -ECANCELED : 0;
}

static bool take_text(const PGresult *r, int column, char *out, size_t cap)
{
    return str_copy(out, cap, PQgetvalue(r, 0, column), (size_t)PQgetlength(r, 0, column)) &&
           strlen(out) == (size_t)PQgetlength(r, 0, column);
}

/* -EBADMSG: no row of ours. */
static int take_row(struct copying *c, const PGresult *r)
{
    struct page *page = c->news->page;
    struct call *call = &page->calls[page->ncalls];
    int column = 0, rc;
    bool good = take_text(r, column++, call->uuid, sizeof(call->uuid)) &&
                call_uuid_valid(call->uuid, strlen(call->uuid));
    for (int a = 0; a < NUM_AXES; a++)
        call->num[a] = pg_int8(r, 0, column++);
    for (int a = 0; a < TEXT_AXES; a++)
        good = take_text(r, column++, call->text[a], sizeof(call->text[a])) && good;
    c->news->mtimes[page->ncalls] = pg_int8(r, 0, column++);
    column++; /* read_at */
    size_t n = (size_t)PQgetlength(r, 0, column);
    if (!good || n == 0 || n > BODY_MAX_BYTES || call->num[AXIS_END_TIME] < 0 ||
        c->news->mtimes[page->ncalls] < 0)
        return -EBADMSG;
    call->body = (struct slice){(const char *)(uintptr_t)page->text.len, n};
    buf_append(&page->text, PQgetvalue(r, 0, column), n);
    if ((rc = buf_error(&page->text)) < 0)
        return rc;
    page->rows = ++page->ncalls;
    return page->ncalls == TIER_PAGE ? send_news(c) : 0;
}

/* Rows that are left are read to their end, or the connection is closed. */
static int take_rows(struct copying *c, struct pg *p)
{
    PGresult *r;
    int rc = 0, end;
    while ((r = pg_row(p, &end))) {
        if (rc == 0 && !c->news)
            rc = begin_news(c);
        if (rc == 0)
            rc = take_row(c, r);
        PQclear(r);
        if (rc < 0) {
            pg_close(p);
            return rc;
        }
    }
    return end;
}

static int copy_month(struct copying *c, struct pg *p, const struct query *q, int month)
{
    char table[TIER_TABLE_MAX];
    CLEANUP_PG_ARGS struct pg_args a = {0};
    struct buf sql = buf_make(SQL_MAX);
    if (pg_args_make(&a, 2 * AXES + 4) < 0)
        return -ENOMEM;
    tier_table(month, table);
    pg_arg_text(&a, c->tier->account);
    buf_printf(&sql, "SELECT " TIER_COLUMNS " FROM %s WHERE account = $1", table);
    tier_where(&sql, &a, q);
    if (c->claim->c.held_since) {
        pg_arg_number(&a, c->claim->c.held_since - CLOCKS_APART_S);
        pg_arg_number(&a, c->claim->c.held_to);
        buf_printf(&sql, " AND (read_at >= $%d OR end_time >= $%d OR read_at = 0)", a.n - 1, a.n);
    }
    int rc = buf_error(&sql) ? buf_error(&sql) : pg_begin(p, sql.p, &a);
    buf_release(&sql);
    return rc == 0 ? take_rows(c, p) : rc;
}

static int copy_piece(struct copying *c, struct pg *p, const struct piece *piece, const int *months,
                      int nmonths)
{
    struct query q = c->claim->c.q;
    query_meet_range(&q, AXIS_END_TIME, piece->r);
    int first = tier_month_of(piece->r.lo), last = tier_month_of(piece->r.hi - 1), rc = 0;
    for (int i = 0; i < nmonths && rc == 0; i++)
        if (months[i] >= first && months[i] <= last)
            rc = copy_month(c, p, &q, months[i]);
    return rc;
}

/* One call, in whichever month. */
static int copy_call(struct copying *c, struct pg *p, const int *months, int nmonths)
{
    int rc = 0;
    for (int i = 0; i < nmonths && rc == 0 && !c->news; i++) {
        CLEANUP_PG_ARGS struct pg_args a = {0};
        char table[TIER_TABLE_MAX], sql[320];
        if (pg_args_make(&a, 2) < 0)
            return -ENOMEM;
        tier_table(months[i], table);
        pg_arg_text(&a, c->tier->account);
        pg_arg_text(&a, c->claim->c.uuid);
        snprintf(sql, sizeof(sql),
                 "SELECT " TIER_COLUMNS " FROM %s WHERE account = $1 AND uuid = $2", table);
        rc = pg_begin(p, sql, &a);
        if (rc == 0)
            rc = take_rows(c, p);
    }
    return rc;
}

/* As of one moment: a call that is amended into another month is in one of them. */
#define BEGIN "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

static int copy_pieces(struct copying *c, struct pg *p)
{
    int months[TIER_MONTHS_MAX];
    int n = tier_months(p, months, TIER_MONTHS_MAX);
    int rc = n < 0 ? n : *c->claim->c.uuid ? copy_call(c, p, months, n) : 0;
    for (size_t i = 0; i < c->claim->npieces && rc == 0; i++)
        rc = copy_piece(c, p, &c->claim->pieces[i], months, n);
    return rc == 0 ? send_news(c) : rc;
}

static int copy(struct copying *c, struct pg *p)
{
    int rc = p->conn ? pg_run(p, BEGIN, NULL) : -ENOTCONN;
    if (rc == -ENOTCONN) { /* also of one that was lost while nothing was to be copied */
        rc = pg_open(p, c->tier->conninfo, "cdrfs copy");
        if (rc == 0)
            rc = pg_run(p, BEGIN, NULL);
    }
    if (rc == 0)
        rc = copy_pieces(c, p);
    int end = p->conn ? pg_end(p, rc == 0) : 0;
    return rc < 0 ? rc : end;
}

/* What the store then knows. */
static struct tier_news *copied(const struct claim *c)
{
    struct tier_news *n = tier_news_new(TIER_COPIED, c->c.arg);
    if (!n || !(n->spans = calloc(c->npieces + 1, sizeof(*n->spans)))) {
        tier_news_free(n);
        return NULL;
    }
    for (size_t i = 0; i < c->npieces; i++) {
        n->spans[i] = (struct span){.q = c->c.q, .fetched_at = c->pieces[i].fetched_at};
        query_meet_range(&n->spans[i].q, AXIS_END_TIME, c->pieces[i].r);
    }
    n->nspans = c->npieces;
    memcpy(n->uuid, c->c.uuid, sizeof(n->uuid));
    return n;
}

static void copy_claim(struct tier *t, struct pg *p, struct claim *claim)
{
    struct copying c = {.tier = t, .claim = claim};
    p->error[0] = '\0';
    int rc = copy(&c, p);
    tier_news_free(c.news);
    if (rc == -ECANCELED || atomic_load(&t->stop)) {
        tier_answer(t, claim, TIER_GONE);
        return;
    }
    struct tier_news *done = rc == 0 ? copied(claim) : NULL;
    if (!done) {
        if (rc < 0)
            tier_failed(t, p);
        tier_answer(t, claim, TIER_ALONE);
        return;
    }
    tier_free_claim(claim);
    tier_say(t, done);
}

static struct claim *next_copy(struct tier *t, struct pg *p)
{
    pthread_mutex_lock(&t->lock);
    int64_t idle_from = clock_ms();
    while (!t->copies && !atomic_load(&t->stop))
        tier_wait_idle(t, p, idle_from);
    struct claim *c = t->copies;
    if (c)
        DL_DELETE(t->copies, c);
    pthread_mutex_unlock(&t->lock);
    return c;
}

void *tier_copy_run(void *arg)
{
    struct tier *t = arg;
    struct pg p = {.stop = &t->stop, .patience_ms = TIER_BULK_MS};
    struct claim *c;
    while ((c = next_copy(t, &p)))
        copy_claim(t, &p, c);
    pg_close(&p);
    return NULL;
}
