// SPDX-License-Identifier: MIT
/* The tier's beginning and end, how it fares, and the thread for what is small. */
#include "cache/tier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "cache/clock.h"
#include "cache/tier_priv.h"

#define BEAT_MS 2000          /* how often a host says that it lives */
#define READING_BEAT_MS 10000 /* while nothing can be written */
#define HOST_S 15             /* and for how long that is believed */
#define RETRY_MS 1000         /* between attempts to connect, doubled */
#define RETRY_MOST_MS 10000
#define IDLE_MS 30000 /* after which who copies or publishes closes his connection */

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
    clock_wait(&t->wake, &t->lock, ms);
}

void tier_wait_idle(struct tier *t, struct pg *p, int64_t idle_from)
{
    tier_wait(t, IDLE_MS);
    if (p->conn && clock_ms() - idle_from > IDLE_MS)
        pg_close(p);
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

enum tier_state tier_state(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    enum tier_state state = t->stats.state;
    pthread_mutex_unlock(&t->lock);
    return state;
}

void tier_refused(struct tier *t, const struct pg *p)
{
    enum tier_state state = tier_state(t);
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

int tier_begin_anew(struct tier *t)
{
    pg_close(&t->pg);
    snprintf(t->pg.error, sizeof(t->pg.error), "its tables were changed by another cdrfs");
    return -ENOTCONN;
}

/* --- this host and the others --- */

int tier_host_args(const struct tier *t, struct pg_args *a, int more)
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
    int rc = tier_host_args(t, &a, 0);
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
    int rc = tier_host_args(t, &a, 0);
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
    int rc = tier_host_args(t, &a, 1);
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

/* --- the thread --- */

static void take_incoming(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    DL_CONCAT(t->claims, t->incoming);
    t->incoming = NULL;
    pthread_mutex_unlock(&t->lock);
}

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
        return tier_begin_anew(t);
    if (rc == 0)
        rc = say_alive(t);
    if (rc == 0)
        rc = clear_old(t);
    if (rc == 0 && tier_state(t) != TIER_TOGETHER && !cannot_publish(t)) {
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
        rc = tier_tell_archive(t);
    if (rc == 0)
        t->backoff = 0;
    return rc;
}

static int work(struct tier *t)
{
    int64_t now_ms = clock_ms();
    struct claim *c, *next;
    int rc = tier_take_turns(t);
    if (rc == -EIO)
        tier_failed(t, &t->pg);
    if (rc != -ENOTCONN && is_time_to_beat(t))
        rc = beat(t);
    if (rc != -ENOTCONN && now_ms >= t->archive_ms)
        rc = tier_tell_archive(t);
    if (rc != -ENOTCONN)
        rc = end_leases(t);
    DL_FOREACH_SAFE (t->claims, c, next) {
        if (rc == -ENOTCONN)
            break;
        if (now_ms >= c->due_ms || atomic_load(&c->c.u->gone))
            rc = tier_attend(t, c);
        if (rc != -ENOTCONN)
            rc = tier_take_turns(t);
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
    clock_cond_init(&t->wake);
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
