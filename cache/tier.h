// SPDX-License-Identifier: MIT
/*
 * The shared tier: a PostgreSQL database between the stores of many hosts and the API
 * (docs/SCALING.md). What one host has read the others copy; what nobody has is read by one, under
 * a lease; the requests of all together stay within one rate; and what the API no longer serves
 * stays there.
 *
 *     tier_claim() --what it has of the window--> COPIED, after any number of CALLS
 *          |------another host reads it---------> waits for that one
 *          |------nobody has it-----------------> LEASED: the window, or a part of it, is for this
 *          |                                      host to read, and tier_end_lease() to follow
 *          |------the tier cannot be used-------> ALONE: read it, as if there were no tier
 *          +------nobody wants it any more------> GONE
 *
 * Nothing here waits for the database but the tier's own three threads: one for what is small and
 * must be quick (claims, leases, the rate), one that copies to the store, one that publishes from
 * it. Everything they have to say is told by a function, as a struct tier_news that is then its
 * receiver's; it is called on these threads, and must only hand it on.
 *
 * A lease is a row that runs out LEASE_S after its host was last heard of, so that a host that died
 * is replaced, and no kind of lock is needed that a pool of connections or another server than
 * PostgreSQL might lack.
 */
#ifndef CDRFS_CACHE_TIER_H
#define CDRFS_CACHE_TIER_H

#include "api/http.h"
#include "api/page.h"
#include "cache/store.h"

#define TIER_LEASE_S 6
#define TIER_PAGE 500 /* calls of one piece of news */

struct tier;

enum tier_kind {
    TIER_LEASED,
    TIER_ALONE,
    TIER_CALLS,
    TIER_COPIED,
    TIER_GONE,
    TIER_JOINED,  /* of no claim: this is the tier of that number */
    TIER_SHARED,  /* of no claim: the tier has what these notes of the store are of */
    TIER_ARCHIVE, /* of no claim: what it has that the API no longer serves */
};

struct tier_news {
    enum tier_kind kind;
    void *arg; /* of the claim */
    char uuid[CALL_UUID_MAX];
    struct range range; /* LEASED: of end_time */
    uint64_t lease;     /* LEASED */
    struct page *page;  /* CALLS */
    int64_t *mtimes;    /* CALLS: of each */
    struct span *spans; /* COPIED: what is known now; ARCHIVE: intervals */
    size_t nspans;
    int64_t number; /* JOINED */
    int64_t *notes; /* SHARED */
    size_t nnotes;
};

struct tier_opts {
    const char *conninfo; /* as pg_check() has approved it */
    const char *account;  /* whose calls, and of which dialect */
    double rate;          /* requests a second of all hosts together */
    int64_t ttl_s, settle_s;
    struct store *store;       /* to publish from; must outlive the tier */
    int64_t (*now)(void *arg); /* UTC seconds by the server's clock; any thread */
    int64_t (*served_from)(void *arg);
    void (*tell)(void *arg, struct tier_news *news);
    /* What a person should know: that the tier is lost, or back. */
    void (*report)(void *arg, const struct failure *f);
    void *arg; /* of all four */
};

/* What is wanted of the tier. The urgency must live until the claim is answered. */
struct tier_claim {
    struct query q;     /* filters, and an interval with two ends, as the API is asked */
    int64_t asked_at;   /* readings later than that count as fresh however short the ttl is */
    int64_t not_before; /* readings before that do not count at all */
    int64_t held_since; /* up to held_to all of q is held as it was at that time; 0: it is not */
    int64_t held_to;
    int64_t served_from; /* what ended before that cannot be leased */
    const struct urgency *u;
    char uuid[CALL_UUID_MAX]; /* or this one call, whenever it ended: COPIED says no more than that
                                 the tier was asked; "" for a window */
    void *arg;
};

/* Starts the threads; whether the database can be reached shows later. -ENOMEM, -EAGAIN. */
int tier_create(const struct tier_opts *o, struct tier **ret) MUST_CHECK;

/* Answers every claim with GONE, gives back what is leased, and ends the threads. The other
 * functions may still be called, and come to nothing. */
void tier_stop(struct tier *t);

/* Accepts NULL. */
void tier_destroy(struct tier *t);

int tier_claim(struct tier *t, const struct tier_claim *c) MUST_CHECK;

/* The window was read, is in the store, and will be published; or came to nothing. */
void tier_end_lease(struct tier *t, uint64_t lease, bool whole);

/* There is something to publish. */
void tier_publish(struct tier *t);

/* A piece of CALLS was taken: more may come. */
void tier_took(struct tier *t);

/* Whether one more request may go out now, as the source asks it (source.h): arg is the tier. */
int64_t tier_may_send(void *arg, int64_t now_ms);

enum tier_state { TIER_CONNECTING, TIER_TOGETHER, TIER_READING, TIER_LOST };

/* For people. */
struct tier_stats {
    enum tier_state state;
    char error[192];            /* why it is not together; "" */
    int hosts;                  /* that share it, this one included, as far as is known */
    int leases;                 /* of this host */
    int waiting;                /* claims that wait for another host */
    uint64_t copied, published; /* calls since the mount */
    double rate;                /* requests a second that are this host's while alone */
};

void tier_stats(struct tier *t, struct tier_stats *ret);

/* Frees news and what it holds. */
void tier_news_free(struct tier_news *n);

#endif
