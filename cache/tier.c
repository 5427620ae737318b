// SPDX-License-Identifier: MIT
/* The thread for what is small: claims, leases, hosts, the rate. */
#include "cache/tier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "cache/clock.h"
#include "cache/keeper.h"
#include "cache/tier_priv.h"

#define BEAT_MS 2000          /* how often a host says that it lives */
#define READING_BEAT_MS 10000 /* while nothing can be written */
#define HOST_S 15             /* and for how long that is believed */
#define RETRY_MS 1000         /* between attempts to connect, doubled */
#define RETRY_MOST_MS 10000
#define WAIT_MS 100 /* for another host's walk, before it is looked for again, doubled */
#define WAIT_MOST_MS 1000
#define ARCHIVE_MS 60000
#define BURST 0.1        /* of a second's requests may go out at once */
#define SLOT_LATE_MS 100 /* a slot not used by then is lost */
#define SLOTS_S 0.25     /* so much of a second's requests is taken at once, at the most */
#define GRANT_MS 1000    /* longer no host waits to be given some */
#define NOW "extract(epoch from clock_timestamp())"

/* --- news --- */

struct tier_news *tier_news_new(enum tier_kind kind, void *arg)
{
    struct tier_news *n = calloc(1, sizeof(*n));
    if (n) {
        n->kind = kind;
        n->arg = arg;
    }
    return n;
}

void tier_news_free(struct tier_news *n)
{
    if (!n)
        return;
    page_free(n->page);
    free(n->mtimes);
    free(n->spans);
    free(n->notes);
    free(n);
}

void tier_say(struct tier *t, struct tier_news *n)
{
    t->opts.tell(t->opts.arg, n);
}

void tier_free_claim(struct claim *c)
{
    tier_news_free(c->answer);
    free(c->pieces);
    free(c);
}

/* The news was allocated with the claim, so that an answer can always be given. */
void tier_answer(struct tier *t, struct claim *c, enum tier_kind kind)
{
    struct tier_news *n = c->answer;
    c->answer = NULL;
    n->kind = kind;
    tier_free_claim(c);
    tier_say(t, n);
}

/* --- how it is --- */

void tier_wait(struct tier *t, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&t->wake, &t->lock, &until);
}

/* Alone, a host has its part of the rate. */
static void divide_rate_locked(struct tier *t)
{
    double rate = t->opts.rate / (t->stats.hosts > 1 ? t->stats.hosts : 1);
    if (rate == t->stats.rate)
        return;
    struct pace solo;
    if (pace_init(&solo, rate, clock_ms()) < 0)
        return;
    solo.tokens = 0; /* what was let out just now counts */
    pace_release(&t->solo);
    t->solo = solo;
    t->stats.rate = rate;
}

static void set_state(struct tier *t, enum tier_state state, const char *error)
{
    struct failure f;
    pthread_mutex_lock(&t->lock);
    bool news = state != t->stats.state;
    bool better = state == TIER_TOGETHER;
    bool first = t->stats.state == TIER_CONNECTING;
    t->stats.state = state;
    t->usable = state == TIER_TOGETHER || (state == TIER_READING && t->cannot_publish);
    if (better)
        t->stats.error[0] = '\0';
    else
        str_copy(t->stats.error, sizeof(t->stats.error), error, strlen(error));
    t->slots.left = 0;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    if (!news || (first && better))
        return;
    if (better)
        failure_set(&f, 0, 0, "the shared tier is back");
    else if (state == TIER_READING)
        failure_set(&f, -EROFS, 0, "the shared tier can only be read: %s", error);
    else
        failure_set(&f, -EHOSTUNREACH, 0, "the shared tier cannot be used: %s", error);
    f.remedy = better ? "nothing, it goes on" : "look after the database of shared=";
    t->opts.report(t->opts.arg, &f);
}

static enum tier_state state_of(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    enum tier_state state = t->stats.state;
    pthread_mutex_unlock(&t->lock);
    return state;
}

void tier_refused(struct tier *t, const struct pg *p)
{
    enum tier_state state = state_of(t);
    if (state == TIER_TOGETHER || state == TIER_READING)
        set_state(t, TIER_READING, *p->error ? p->error : "out of memory");
}

void tier_failed(struct tier *t, const struct pg *p)
{
    if (p->conn)
        tier_refused(t, p);
    pthread_mutex_lock(&t->lock);
    t->look = true;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

/* The connection is gone: whoever waits goes on alone. */
static void lose(struct tier *t)
{
    struct claim *c, *next;
    pg_close(&t->pg);
    set_state(t, TIER_LOST, t->pg.error);
    t->backoff = t->backoff ? t->backoff * 2 : RETRY_MS;
    if (t->backoff > RETRY_MOST_MS)
        t->backoff = RETRY_MOST_MS;
    t->retry_ms = clock_ms() + t->backoff;
    DL_FOREACH_SAFE (t->claims, c, next) {
        DL_DELETE(t->claims, c);
        tier_answer(t, c, TIER_ALONE);
    }
}

/* --- this host and the others --- */

/* Arguments that begin with the account and this host. */
static int host_args(const struct tier *t, struct pg_args *a, int more)
{
    int rc = pg_args_make(a, more + 2);
    if (rc == 0) {
        pg_arg_text(a, t->account);
        pg_arg_text(a, t->host);
    }
    return rc;
}

static int run_for_host(struct tier *t, const char *sql)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    int rc = host_args(t, &a, 0);
    return rc == 0 ? pg_run(&t->pg, sql, &a) : rc;
}

static int say_alive(struct tier *t)
{
    int rc = run_for_host(t, "INSERT INTO cdrfs_host(account, host, seen) VALUES($1, $2, " NOW ")"
                             " ON CONFLICT (account, host) DO UPDATE SET seen = excluded.seen");
    char lease[240];
    snprintf(lease, sizeof(lease),
             "UPDATE cdrfs_lease SET expires = " NOW " + %d WHERE account = $1 AND host = $2",
             TIER_LEASE_S);
    return rc == 0 ? run_for_host(t, lease) : rc;
}

/* This one counts also when it can only read. */
static int count_hosts(struct tier *t)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char sql[200];
    int rc = host_args(t, &a, 0);
    if (rc < 0)
        return rc;
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM cdrfs_host WHERE account = $1 AND host <> $2"
             " AND seen > " NOW " - %d",
             HOST_S);
    PGresult *r = pg_query(&t->pg, sql, &a, false);
    if (!r)
        return pg_failure(&t->pg);
    pthread_mutex_lock(&t->lock);
    t->stats.hosts = 1 + (int)pg_number(r, 0, 0);
    divide_rate_locked(t);
    pthread_mutex_unlock(&t->lock);
    PQclear(r);
    return 0;
}

static int clear_old(struct tier *t)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    int rc = pg_args_make(&a, 1);
    if (rc < 0)
        return rc;
    pg_arg_text(&a, t->account);
    rc =
        pg_run(&t->pg, "DELETE FROM cdrfs_lease WHERE account = $1 AND expires < " NOW " - 60", &a);
    return rc == 0
               ? pg_run(&t->pg,
                        "DELETE FROM cdrfs_host WHERE account = $1 AND seen < " NOW " - 3600", &a)
               : rc;
}

int tier_delete_lease(struct tier *t, struct pg *p, uint64_t number)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    int rc = host_args(t, &a, 1);
    if (rc < 0)
        return rc;
    pg_arg_number(&a, (int64_t)number);
    return pg_run(p, "DELETE FROM cdrfs_lease WHERE account = $1 AND host = $2 AND number = $3",
                  &a);
}

/* Leases of walks that came to nothing are given back. */
static int end_leases(struct tier *t)
{
    struct lease *l, *next;
    uint64_t over[32];
    size_t n = 0;
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    DL_FOREACH_SAFE (t->leases, l, next) {
        if (l->state != LEASE_OVER || n == ARRAY_LEN(over))
            continue;
        over[n++] = l->number;
        DL_DELETE(t->leases, l);
        free(l);
    }
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tier_delete_lease(t, &t->pg, over[i]);
    return rc; /* those left run out */
}

/* --- what it has --- */

/* Readings that may help with a window: all that meet it, and those whose end was open. */
static int read_spans(struct tier *t, struct range r, struct cover *ret)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    int rc = pg_args_make(&a, 3);
    if (rc < 0)
        return rc;
    pg_arg_text(&a, t->account);
    pg_arg_number(&a, r.lo);
    pg_arg_number(&a, r.hi);
    PGresult *rows = pg_query(&t->pg,
                              "SELECT filters, lo, hi, fetched_at FROM cdrfs_span"
                              " WHERE account = $1 AND lo < $3 AND (hi > $2 OR hi > fetched_at)",
                              &a, false);
    if (!rows)
        return pg_failure(&t->pg);
    for (int i = 0; i < PQntuples(rows) && rc == 0; i++) {
        struct span s = {.fetched_at = pg_number(rows, i, 3)};
        if (query_from_filter_key(pg_text(rows, i, 0), &s.q) < 0)
            continue; /* of an axis that we do not know */
        query_meet_range(&s.q, AXIS_END_TIME,
                         (struct range){pg_number(rows, i, 1), pg_number(rows, i, 2)});
        rc = cover_add(ret, &s);
    }
    PQclear(rows);
    return rc;
}

static struct cover_rule rule_of(const struct tier *t)
{
    return (struct cover_rule){.ttl = t->opts.ttl_s, .settle = t->opts.settle_s};
}

/* What counts: not too old for this claim; whole, when it was read since that was made. */
static void judge(const struct claim *c, struct cover *cover)
{
    size_t kept = 0;
    for (size_t i = 0; i < cover->n; i++) {
        struct span *s = &cover->v[i];
        if (s->fetched_at < c->c.not_before)
            continue;
        s->seq = s->fetched_at > c->c.asked_at;
        cover->v[kept++] = *s;
    }
    cover->n = kept;
}

static int add_pieces(struct claim *c, struct ivset *wanted, struct range r, int64_t fetched_at)
{
    CLEANUP_IVSET struct ivset part = {0}, common = {0};
    ivset_add(&part, r);
    ivset_add_common(&common, wanted, &part);
    ivset_cut(wanted, r);
    for (size_t i = 0; i < common.n; i++) {
        struct piece *more = realloc(c->pieces, (c->npieces + 1) * sizeof(*more));
        if (!more)
            return -ENOMEM;
        c->pieces = more;
        c->pieces[c->npieces++] = (struct piece){common.v[i], fetched_at};
    }
    return common.failed ? -ENOMEM : 0;
}

/* The newest reading first, so that what is final stays so. */
static int take_newest(const struct tier *t, struct claim *c, const struct cover *cover,
                       struct cover_when when, struct ivset *wanted)
{
    CLEANUP_FREE bool *used = calloc(cover->n + 1, sizeof(*used));
    int rc = used ? 0 : -ENOMEM;
    while (rc == 0) {
        const struct span *best = NULL;
        for (size_t i = 0; i < cover->n; i++)
            if (!used[i] && query_filters_imply(&c->c.q, &cover->v[i].q) &&
                (!best || cover->v[i].fetched_at > best->fetched_at))
                best = &cover->v[i];
        if (!best)
            break;
        used[best - cover->v] = true;
        rc = add_pieces(c, wanted, cover_believed(best, rule_of(t), when), best->fetched_at);
    }
    return rc;
}

static int64_t oldest_reading(const struct cover *cover)
{
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < cover->n; i++)
        if (cover->v[i].fetched_at < oldest)
            oldest = cover->v[i].fetched_at;
    return oldest;
}

/* What of the claim the tier has goes to its pieces, what it has not to missing. */
static int look(struct tier *t, struct claim *c, struct ivset *missing)
{
    struct cover cover = {0};
    CLEANUP_IVSET struct ivset wanted = {0};
    struct cover_when when = {.now = t->opts.now(t->opts.arg)};
    int rc = read_spans(t, c->c.q.num[AXIS_END_TIME], &cover);
    if (rc == 0) {
        judge(c, &cover);
        cover_remainder(&cover, rule_of(t), when, &c->c.q, missing);
        ivset_bridge(missing, BRIDGE_S); /* as who claims does: else it would never be done */
        ivset_add(&wanted, c->c.q.num[AXIS_END_TIME]);
        for (size_t i = 0; i < missing->n; i++)
            ivset_cut(&wanted, missing->v[i]);
        rc = missing->failed || wanted.failed ? -ENOMEM : 0;
    }
    if (rc == 0)
        rc = take_newest(t, c, &cover, when, &wanted);
    while (rc == 0 && wanted.n) /* by both directions together */
        rc = add_pieces(c, &wanted, wanted.v[0], oldest_reading(&cover));
    cover_release(&cover);
    return rc;
}

/* --- leases --- */

/* What others read is not missing; nor is a little around it. */
static int cut_leased(struct tier *t, const struct claim *c, struct ivset *missing)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    struct range all = c->c.q.num[AXIS_END_TIME];
    int rc = host_args(t, &a, 2);
    if (rc < 0)
        return rc;
    pg_arg_number(&a, all.lo - BRIDGE_S);
    pg_arg_number(&a, all.hi + BRIDGE_S);
    PGresult *rows = pg_query(&t->pg,
                              "SELECT filters, lo, hi FROM cdrfs_lease WHERE account = $1"
                              " AND host <> $2 AND expires > " NOW " AND lo < $4 AND hi > $3",
                              &a, false);
    if (!rows)
        return pg_failure(&t->pg);
    for (int i = 0; i < PQntuples(rows); i++) {
        struct query q;
        if (query_from_filter_key(pg_text(rows, i, 0), &q) == 0 && query_filters_imply(&c->c.q, &q))
            ivset_cut(missing, (struct range){pg_number(rows, i, 1) - BRIDGE_S,
                                              pg_number(rows, i, 2) + BRIDGE_S});
    }
    PQclear(rows);
    return 0;
}

static int put_lease(struct tier *t, const struct claim *c, struct range r, uint64_t number)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char filters[QUERY_KEY_MAX], sql[160];
    int rc = host_args(t, &a, 4);
    if (rc < 0)
        return rc;
    query_filter_key(&c->c.q, filters);
    pg_arg_number(&a, (int64_t)number);
    pg_arg_text(&a, filters);
    pg_arg_number(&a, r.lo);
    pg_arg_number(&a, r.hi);
    snprintf(sql, sizeof(sql),
             "INSERT INTO cdrfs_lease VALUES($1, $2, $3, $4, $5, $6, " NOW " + %d)", TIER_LEASE_S);
    return pg_run(&t->pg, sql, &a);
}

/* Claims of an account are decided one after another. */
static int lock_account(struct tier *t)
{
    int rc = pg_run(&t->pg, "BEGIN", NULL);
    return rc == 0 ? tier_check(t, &t->pg, true) : rc;
}

/* What of it neither others read nor the tier has: the leases first, so that what is published in
 * between is seen as a reading. */
static int find_free(struct tier *t, struct claim *c, struct ivset *ret)
{
    CLEANUP_IVSET struct ivset missing = {0}, unleased = {0};
    ivset_add(&unleased, c->c.q.num[AXIS_END_TIME]);
    int rc = cut_leased(t, c, &unleased);
    if (rc == 0)
        rc = look(t, c, &missing);
    if (rc == 0 && !c->npieces)
        ivset_add_common(ret, &unleased, &missing);
    return rc;
}

/* 1: leased; 0: others have it all. */
static int lease_some(struct tier *t, struct claim *c, struct range *ret, uint64_t number)
{
    CLEANUP_IVSET struct ivset free_now = {0};
    int rc = lock_account(t);
    if (rc == 0)
        rc = find_free(t, c, &free_now);
    if (rc == 0 && free_now.n) {
        *ret = free_now.v[0];
        rc = put_lease(t, c, *ret, number);
        rc = rc == 0 ? 1 : rc;
    }
    int end = t->pg.conn ? pg_end(&t->pg, rc >= 0) : -ENOTCONN;
    return rc < 0 ? rc : end < 0 ? end : rc;
}

static struct lease *new_lease(struct tier *t)
{
    struct lease *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    pthread_mutex_lock(&t->lock);
    l->number = ++t->last_lease;
    DL_APPEND(t->leases, l);
    pthread_mutex_unlock(&t->lock);
    return l;
}

static void drop_lease(struct tier *t, struct lease *l)
{
    pthread_mutex_lock(&t->lock);
    DL_DELETE(t->leases, l);
    pthread_mutex_unlock(&t->lock);
    free(l);
}

void tier_end_lease(struct tier *t, uint64_t lease, bool whole)
{
    struct lease *l;
    pthread_mutex_lock(&t->lock);
    DL_FOREACH (t->leases, l)
        if (l->number == lease)
            l->state = whole ? LEASE_DONE : LEASE_OVER;
    t->kicked = t->kicked || whole;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void tier_publish(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    t->kicked = true;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void tier_took(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    t->untaken--;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

/* --- claims --- */

/* The copying thread goes on with it. */
static void hand_to_copier(struct tier *t, struct claim *c)
{
    pthread_mutex_lock(&t->lock);
    DL_APPEND(t->copies, c);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

static void look_again(struct claim *c)
{
    int64_t wait = (int64_t)WAIT_MS << (c->tries < 4 ? c->tries : 4);
    c->tries++;
    c->waits = true;
    c->due_ms = clock_ms() + (wait < WAIT_MOST_MS ? wait : WAIT_MOST_MS);
}

static bool can_be_leased(const struct claim *c)
{
    return c->c.q.num[AXIS_END_TIME].hi > c->c.served_from;
}

/* What is to become of it: 1 for `answer`; 0 when there is something to copy, or another host is
 * about to bring it. */
static int decide(struct tier *t, struct claim *c, enum tier_kind *answer)
{
    struct range r;
    CLEANUP_IVSET struct ivset missing = {0};
    if (*c->c.uuid)
        return 0;
    int rc = look(t, c, &missing);
    if (rc < 0 || c->npieces)
        return rc;
    *answer = TIER_ALONE;
    if (!can_be_leased(c))
        return 1;
    if (state_of(t) == TIER_READING) {
        rc = cut_leased(t, c, &missing);
        return rc == 0 ? missing.n > 0 : rc;
    }
    struct lease *l = new_lease(t);
    if (!l)
        return -ENOMEM;
    c->answer->lease = l->number;
    rc = lease_some(t, c, &r, l->number);
    if (rc <= 0) {
        drop_lease(t, l);
        return rc;
    }
    c->answer->range = r;
    *answer = TIER_LEASED;
    return 1;
}

/* They are looked at again as by a host that has just come. */
static int begin_anew(struct tier *t)
{
    pg_close(&t->pg);
    snprintf(t->pg.error, sizeof(t->pg.error), "its tables were changed by another cdrfs");
    return -ENOTCONN;
}

/* c is answered, or handed on, or looked at again later. -ENOTCONN: it is still to be answered. */
static int attend(struct tier *t, struct claim *c)
{
    enum tier_kind answer = TIER_GONE;
    int rc = atomic_load(&c->c.u->gone) ? 1 : decide(t, c, &answer);
    if (rc == -ESTALE)
        rc = begin_anew(t);
    if (!t->pg.conn)
        return -ENOTCONN;
    if (rc == -EIO && pg_is_race(&t->pg)) {
        c->due_ms = 0;
        return 0;
    }
    if (rc == 0 && !c->npieces && !*c->c.uuid) {
        look_again(c);
        return 0;
    }
    DL_DELETE(t->claims, c);
    if (rc < 0) {
        tier_failed(t, &t->pg);
        tier_answer(t, c, TIER_ALONE);
    } else if (c->npieces || *c->c.uuid) {
        hand_to_copier(t, c);
    } else {
        tier_answer(t, c, answer);
    }
    return 0;
}

int tier_claim(struct tier *t, const struct tier_claim *claim)
{
    struct claim *c = calloc(1, sizeof(*c));
    struct tier_news *n = tier_news_new(TIER_GONE, claim->arg);
    if (!c || !n) {
        free(c);
        free(n);
        return -ENOMEM;
    }
    c->c = *claim;
    c->answer = n;
    memcpy(n->uuid, claim->uuid, sizeof(n->uuid));
    pthread_mutex_lock(&t->lock);
    bool lost = t->stats.state == TIER_LOST; /* an attempt to connect again may take its time */
    if (!lost)
        DL_APPEND(t->incoming, c);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    if (lost)
        tier_answer(t, c, TIER_ALONE);
    return 0;
}

static void take_incoming(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    DL_CONCAT(t->claims, t->incoming);
    t->incoming = NULL;
    pthread_mutex_unlock(&t->lock);
}

/* --- the rate --- */

/*
 * All hosts take their turns from one row: a request's turn is one step behind the last one's. A
 * tenth of a second's requests may go out at once, and a turn may be used somewhat late; by so much
 * less is the rate, so that in no five seconds there are more than five times as many.
 */
static int take_slots(struct tier *t, int n)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char sql[400];
    double rate = t->opts.rate, burst = rate * BURST > 1 ? rate * BURST : 1;
    double step = 1 / (rate - (burst + rate * SLOT_LATE_MS / 1000) / 5);
    int rc = pg_args_make(&a, 1);
    if (rc < 0)
        return rc;
    pg_arg_text(&a, t->account);
    if (step <= 0)
        step = 1 / rate;
    snprintf(sql, sizeof(sql),
             "UPDATE cdrfs_budget SET next_slot = GREATEST(next_slot, " NOW " - %.9g) + %.9g"
             " WHERE account = $1 RETURNING next_slot - %.9g - " NOW,
             (burst - 1) * step, n * step, n * step);
    PGresult *r = pg_query(&t->pg, sql, &a, false);
    if (!r)
        return pg_failure(&t->pg);
    double delay = PQntuples(r) ? strtod(pg_text(r, 0, 0), NULL) : 0;
    PQclear(r);
    pthread_mutex_lock(&t->lock);
    t->slots.given_ms = clock_ms();
    t->slots.at_ms = (double)t->slots.given_ms + delay * 1000;
    t->slots.step_ms = step * 1000;
    t->slots.left = n;
    t->slots.wanted = false;
    pthread_mutex_unlock(&t->lock);
    return 0;
}

/* Turns that were not used in time are lost, but for those that were given just now. */
static void drop_late(struct slots *s, int64_t now_ms)
{
    while (s->left && now_ms - s->given_ms > SLOT_LATE_MS &&
           s->at_ms + s->step_ms < (double)(now_ms - SLOT_LATE_MS)) {
        s->at_ms += s->step_ms;
        s->left--;
    }
}

static int64_t alone_may_send(struct tier *t, int64_t now_ms)
{
    int64_t wait = pace_take(&t->solo, now_ms);
    t->slots.wanted = false;
    return wait;
}

int64_t tier_may_send(void *arg, int64_t now_ms)
{
    struct tier *t = arg;
    struct slots *s = &t->slots;
    int64_t wait = 5;
    pthread_mutex_lock(&t->lock);
    drop_late(s, now_ms);
    if (t->stats.state != TIER_TOGETHER) {
        wait = alone_may_send(t, now_ms);
    } else if (s->left > 0 && s->at_ms <= (double)now_ms) {
        s->at_ms += s->step_ms;
        s->left--;
        wait = 0;
    } else if (s->left > 0) {
        wait = (int64_t)(s->at_ms - (double)now_ms) + 1;
    } else if (!s->wanted) {
        s->wanted = true;
        s->wanted_ms = now_ms;
        pthread_cond_broadcast(&t->wake);
    } else if (now_ms - s->wanted_ms > GRANT_MS) {
        wait = alone_may_send(t, now_ms);
    }
    pthread_mutex_unlock(&t->lock);
    return wait;
}

/* More at once while they are used up, one after a pause. */
static int slots_wanted(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    struct slots *s = &t->slots;
    int64_t now_ms = clock_ms();
    drop_late(s, now_ms);
    bool wants = s->wanted && !s->left;
    int most = (int)(t->opts.rate * SLOTS_S);
    bool busy = (double)now_ms - s->at_ms < 2 * s->step_ms + SLOT_LATE_MS;
    if (wants) {
        s->most = busy ? s->most * 2 : 1;
        s->most = s->most > most ? most : s->most;
        s->most = s->most < 1 ? 1 : s->most;
    }
    int n = wants ? s->most : 0;
    pthread_mutex_unlock(&t->lock);
    return n;
}

/* --- what the API no longer serves --- */

static int tell_archive(struct tier *t)
{
    struct cover cover = {0};
    CLEANUP_IVSET struct ivset missing = {0}, there = {0};
    struct cover_when when = {.now = t->opts.now(t->opts.arg), .after_seq = UINT64_MAX};
    struct query q = QUERY_ALL;
    int64_t served_from = t->opts.served_from(t->opts.arg), first = served_from;
    int rc = read_spans(t, (struct range){INT64_MIN / 2, served_from}, &cover);
    for (size_t i = 0; i < cover.n; i++)
        if (cover.v[i].q.num[AXIS_END_TIME].lo < first)
            first = cover.v[i].q.num[AXIS_END_TIME].lo;
    query_meet_range(&q, AXIS_END_TIME, (struct range){first, served_from});
    if (rc == 0 && !q.none) {
        cover_remainder(&cover, rule_of(t), when, &q, &missing);
        ivset_add(&there, q.num[AXIS_END_TIME]);
        for (size_t i = 0; i < missing.n; i++)
            ivset_cut(&there, missing.v[i]);
    }
    cover_release(&cover);
    struct tier_news *n = rc == 0 ? tier_news_new(TIER_ARCHIVE, NULL) : NULL;
    if (!n)
        return rc;
    n->spans = calloc(there.n + 1, sizeof(*n->spans));
    for (size_t i = 0; i < there.n && n->spans; i++) {
        n->spans[i].q = QUERY_ALL;
        query_meet_range(&n->spans[i].q, AXIS_END_TIME, there.v[i]);
        n->nspans = i + 1;
    }
    tier_say(t, n);
    t->archive_ms = clock_ms() + ARCHIVE_MS;
    return 0;
}

/* --- the thread --- */

static void tell_joined(struct tier *t)
{
    struct tier_news *n = t->number ? tier_news_new(TIER_JOINED, NULL) : NULL;
    if (!n)
        return;
    n->number = t->number;
    tier_say(t, n);
}

static bool cannot_publish(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    bool cannot = t->cannot_publish;
    pthread_mutex_unlock(&t->lock);
    return cannot;
}

/* Says that this host lives; that it can says whether there can be written. */
static int beat(struct tier *t)
{
    int rc = tier_check(t, &t->pg, false);
    if (rc == -ESTALE)
        return begin_anew(t);
    if (rc == 0)
        rc = say_alive(t);
    if (rc == 0)
        rc = clear_old(t);
    if (rc == 0 && state_of(t) != TIER_TOGETHER && !cannot_publish(t)) {
        set_state(t, TIER_TOGETHER, "");
        tier_publish(t);
    }
    t->beat_ms = clock_ms() + BEAT_MS;
    if (rc == -EIO) {
        set_state(t, TIER_READING, t->pg.error);
        t->beat_ms = clock_ms() + READING_BEAT_MS;
        rc = 0;
    }
    return rc == 0 ? count_hosts(t) : rc;
}

/* What was refused before may be taken now. */
static void try_again(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    t->cannot_publish = false;
    t->again = true;
    pthread_mutex_unlock(&t->lock);
}

static bool is_time_to_beat(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    bool look = t->look;
    t->look = false;
    pthread_mutex_unlock(&t->lock);
    return look || clock_ms() >= t->beat_ms;
}

static int connect_now(struct tier *t)
{
    try_again(t);
    int rc = pg_open(&t->pg, t->conninfo, "cdrfs");
    if (rc == 0)
        rc = tier_prepare(t, &t->pg);
    if (rc == 0)
        tell_joined(t);
    if (rc == 0)
        rc = beat(t);
    if (rc == 0)
        rc = tell_archive(t);
    if (rc == 0)
        t->backoff = 0;
    return rc;
}

static int work(struct tier *t)
{
    int64_t now_ms = clock_ms();
    struct claim *c, *next;
    int rc = 0, slots = state_of(t) == TIER_TOGETHER ? slots_wanted(t) : 0;
    if (slots)
        rc = take_slots(t, slots);
    if (rc == -EIO)
        tier_failed(t, &t->pg);
    if (rc != -ENOTCONN && is_time_to_beat(t))
        rc = beat(t);
    if (rc != -ENOTCONN && now_ms >= t->archive_ms)
        rc = tell_archive(t);
    if (rc != -ENOTCONN)
        rc = end_leases(t);
    DL_FOREACH_SAFE (t->claims, c, next) {
        if (rc == -ENOTCONN)
            break;
        if (now_ms >= c->due_ms || atomic_load(&c->c.u->gone))
            rc = attend(t, c);
        if (rc != -ENOTCONN && state_of(t) == TIER_TOGETHER && (slots = slots_wanted(t)))
            rc = take_slots(t, slots);
    }
    return rc == -ENOTCONN ? rc : 0;
}

static int64_t until_due(struct tier *t)
{
    int64_t now_ms = clock_ms(), first = t->pg.conn ? t->beat_ms : t->retry_ms;
    struct claim *c;
    DL_FOREACH (t->claims, c)
        if (c->due_ms < first)
            first = c->due_ms;
    return first > now_ms ? first - now_ms : 0;
}

static void count_waiting(struct tier *t)
{
    struct claim *c;
    pthread_mutex_lock(&t->lock);
    t->stats.waiting = 0;
    DL_FOREACH (t->claims, c)
        t->stats.waiting += c->waits;
    pthread_mutex_unlock(&t->lock);
}

static bool has_over_locked(const struct tier *t)
{
    const struct lease *l;
    DL_FOREACH (t->leases, l)
        if (l->state == LEASE_OVER)
            return true;
    return false;
}

static void sleep_until_due(struct tier *t)
{
    int64_t ms = until_due(t);
    pthread_mutex_lock(&t->lock);
    bool slots = t->slots.wanted && t->stats.state == TIER_TOGETHER;
    bool look = t->pg.conn && (t->look || has_over_locked(t));
    if (ms > 0 && !t->incoming && !slots && !look && !atomic_load(&t->stop))
        tier_wait(t, ms);
    pthread_mutex_unlock(&t->lock);
}

static void answer_all(struct tier *t, struct claim **list, enum tier_kind kind)
{
    struct claim *c, *next;
    DL_FOREACH_SAFE (*list, c, next) {
        DL_DELETE(*list, c);
        tier_answer(t, c, kind);
    }
}

/* What this host leased or said of itself is taken back; a short while is given to that. */
static void leave(struct tier *t)
{
    atomic_bool never = false;
    t->pg.stop = &never;
    t->pg.patience_ms = 300;
    if (!t->pg.conn)
        return;
    int rc = run_for_host(t, "DELETE FROM cdrfs_lease WHERE account = $1 AND host = $2");
    if (rc == 0)
        rc = run_for_host(t, "DELETE FROM cdrfs_host WHERE account = $1 AND host = $2");
    (void)rc; /* else they run out */
    pg_close(&t->pg);
}

static void *run_control(void *arg)
{
    struct tier *t = arg;
    while (!atomic_load(&t->stop)) {
        take_incoming(t);
        if (!t->pg.conn && clock_ms() >= t->retry_ms && connect_now(t) < 0)
            lose(t);
        else if (!t->pg.conn)
            answer_all(t, &t->claims, TIER_ALONE);
        else if (work(t) < 0)
            lose(t);
        count_waiting(t);
        sleep_until_due(t);
    }
    leave(t);
    return NULL;
}

/* --- beginning and end --- */

static void name_host(struct tier *t)
{
    char host[48] = "";
    uint32_t n = 0;
    gethostname(host, sizeof(host) - 1);
    if (getrandom(&n, sizeof(n), 0) != sizeof(n))
        n = (uint32_t)time(NULL);
    snprintf(t->host, sizeof(t->host), "%s:%d:%08x", host, (int)getpid(), n);
}

static void release(struct tier *t)
{
    struct lease *l, *next;
    DL_FOREACH_SAFE (t->leases, l, next)
        free(l);
    pace_release(&t->solo);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t->conninfo);
    free(t);
}

int tier_create(const struct tier_opts *o, struct tier **ret)
{
    pthread_condattr_t attr;
    struct tier *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->opts = *o;
    t->conninfo = strdup(o->conninfo);
    str_copy(t->account, sizeof(t->account), o->account, strlen(o->account));
    name_host(t);
    t->pg = (struct pg){.stop = &t->stop, .patience_ms = TIER_PATIENCE_MS};
    t->stats.hosts = 1;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    divide_rate_locked(t);
    int rc = t->conninfo && t->stats.rate > 0 ? 0 : -ENOMEM;
    pthread_t *const threads[] = {&t->control, &t->copier, &t->publisher};
    void *(*const runs[])(void *) = {run_control, tier_copy_run, tier_publish_run};
    for (; rc == 0 && t->threads < 3; t->threads++)
        if (pthread_create(threads[t->threads], NULL, runs[t->threads], t) != 0) {
            rc = -EAGAIN;
            break;
        }
    if (rc < 0) {
        tier_destroy(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void tier_stop(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->stop, true);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_t threads[] = {t->control, t->copier, t->publisher};
    for (int i = 0; i < t->threads; i++)
        pthread_join(threads[i], NULL);
    answer_all(t, &t->claims, TIER_GONE);
    answer_all(t, &t->incoming, TIER_GONE);
    answer_all(t, &t->copies, TIER_GONE);
    t->threads = 0;
}

void tier_destroy(struct tier *t)
{
    if (!t)
        return;
    tier_stop(t);
    release(t);
}

void tier_stats(struct tier *t, struct tier_stats *ret)
{
    pthread_mutex_lock(&t->lock);
    const struct lease *l;
    *ret = t->stats;
    DL_FOREACH (t->leases, l)
        ret->leases++;
    pthread_mutex_unlock(&t->lock);
}
