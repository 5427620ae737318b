// SPDX-License-Identifier: MIT
/* Shared by the tier's own files. */
#ifndef CDRFS_CACHE_TIER_PRIV_H
#define CDRFS_CACHE_TIER_PRIV_H

#include <pthread.h>

#include "api/pace.h"
#include "cache/ivset.h"
#include "cache/pg.h"
#include "cache/tier.h"

#define TIER_PATIENCE_MS 5000 /* the small statements: slower is lost */
#define TIER_BULK_MS 15000    /* of copying and publishing, without progress */
#define TIER_MONTHS_MAX 1200
#define TIER_ACCOUNT_MAX 64
#define TIER_HOST_MAX 96

/* Seconds of the database's clock. */
#define NOW "extract(epoch from clock_timestamp())"

/* A claim on its way; a part of what is to be copied for it. */
struct piece {
    struct range r;
    int64_t fetched_at;
};

struct claim {
    struct tier_claim c;
    int64_t due_ms; /* when it is looked at again */
    int tries;
    bool waits;               /* for another host */
    struct tier_news *answer; /* made with the claim */
    struct piece *pieces;
    size_t npieces;
    struct claim *prev, *next;
};

struct lease {
    uint64_t number;
    enum { LEASE_HELD, LEASE_DONE, LEASE_OVER } state; /* DONE: to be published */
    struct lease *prev, *next;
};

/* Requests that may go out, from that time on, one a step. */
struct slots {
    double at_ms, step_ms;
    int64_t given_ms; /* the first of them may be dated earlier: a burst */
    int left, most;
    bool wanted;
    int64_t wanted_ms; /* since then */
};

struct tier {
    struct tier_opts opts;
    char *conninfo;
    char account[TIER_ACCOUNT_MAX], host[TIER_HOST_MAX];
    atomic_bool stop;
    pthread_t control, copier, publisher;
    int threads;

    pthread_mutex_t lock; /* guards the rest; signalled by wake (all threads) */
    pthread_cond_t wake;
    struct claim *incoming, *copies;
    struct lease *leases;
    uint64_t last_lease;
    bool kicked;         /* there is something to publish */
    bool usable;         /* others than the control thread may connect */
    bool cannot_publish; /* it was tried in vain */
    bool again;          /* it may go now: the connection is a new one */
    bool look;           /* the control thread should see at once how the server is */
    int64_t number;      /* of the tier; 0 before it is known */
    int untaken;         /* pieces of news that were not taken yet */
    struct slots slots;
    struct pace solo; /* while alone */
    struct tier_stats stats;

    /* The control thread's: */
    struct pg pg;
    struct claim *claims;
    int64_t retry_ms; /* when to connect again */
    int backoff;
    int64_t beat_ms;    /* when to say again that this host lives */
    int64_t archive_ms; /* when to look again at what the API no longer serves */
};

/* tier_schema.c */

/* Makes or checks the tables, with months[] as they are: 0; -EPROTO (newer), -EROFS (they are not
 * there and cannot be made), or as pg_run(). */
int tier_prepare(struct tier *t, struct pg *p) MUST_CHECK;

/* Whether the tables are still of this program's version, and of the tier it joined: 0; -ESTALE, or
 * as pg_run(). With `lock`, in a transaction, claims of the account are decided one after another.
 */
int tier_check(struct tier *t, struct pg *p, bool lock) MUST_CHECK;

/* The months that have a table, newest first; returns how many, or as pg_run(). */
int tier_months(struct pg *p, int *months, int cap) MUST_CHECK;

/* Makes that month's table, outside of any transaction. */
int tier_make_month(struct pg *p, int month) MUST_CHECK;

/* 202605 for 2026-05. */
int tier_month_of(int64_t end_time);
#define TIER_TABLE_MAX 32
void tier_table(int month, char out[TIER_TABLE_MAX]);

/* The columns of a call, in the order of tier_copy.c and tier_publish.c. */
#define TIER_COLUMNS                                                                               \
    "uuid, end_time, initiation_time, bill_duration, direction, hangup_cause, hangup_source, "     \
    "stir, from_number, to_number, trunk, mtime, read_at, body"
#define TIER_COLUMNS_N 14

/* Appends the conditions of q to sql, whose parameters go to a. Its texts must outlive a. */
void tier_where(struct buf *sql, struct pg_args *a, const struct query *q);

/* tier.c */

enum tier_state tier_state(struct tier *t);

/* Arguments that begin with the account and this host, with room for so many more. -ENOMEM. */
int tier_host_args(const struct tier *t, struct pg_args *a, int more) MUST_CHECK;

/* The tables are not those that were joined: they are looked at again as by a host that has just
 * come. -ENOTCONN. */
int tier_begin_anew(struct tier *t) MUST_CHECK;

/* tier_claims.c: by the control thread */

/* c is answered, or handed on, or looked at again later. -ENOTCONN: it is still to be answered. */
int tier_attend(struct tier *t, struct claim *c) MUST_CHECK;

/* Tells what the tier has that the API no longer serves. As pg_run(). */
int tier_tell_archive(struct tier *t) MUST_CHECK;

/* tier_turns.c: takes as many turns as are wanted, by the control thread. As pg_run(). */
int tier_take_turns(struct tier *t) MUST_CHECK;

/* Deletes the row of a lease of this host, on that connection. As pg_run(). */
int tier_delete_lease(struct tier *t, struct pg *p, uint64_t number) MUST_CHECK;

/* A new piece of news of that claim. NULL: no memory. */
struct tier_news *tier_news_new(enum tier_kind kind, void *arg);
void tier_say(struct tier *t, struct tier_news *n);

/* Ends a claim with news that has nothing to add. */
void tier_answer(struct tier *t, struct claim *c, enum tier_kind kind);
void tier_free_claim(struct claim *c);

/* From any of the threads: the server is there, but this went wrong; or it is gone, for which the
 * control thread looks. */
void tier_failed(struct tier *t, const struct pg *p);

/* The server lets in or does no more than is noted there, whatever the control thread sees. */
void tier_refused(struct tier *t, const struct pg *p);

/* Sleeps until signalled, or that long; with the lock held. */
void tier_wait(struct tier *t, int64_t ms);

/* The same of who has a connection that he has not used since then, and does not need for long. */
void tier_wait_idle(struct tier *t, struct pg *p, int64_t idle_from);

/* Threads. */
void *tier_copy_run(void *tier);
void *tier_publish_run(void *tier);

#endif
