// SPDX-License-Identifier: MIT
/*
 * What the cache's thread does: decides what to fetch for whom, stores pages, and answers wants.
 * Private to the cache. Everything here runs on that one thread (or before it starts), so nothing
 * here is locked but the coverage, which others read.
 *
 * A fetch is one page walk of one window on its way:
 *
 *     STARTED --pages stored in one transaction a batch--> whole: its span joins coverage, in the
 *        |                                                 transaction of its last page
 *        |--a page failed, counts never agreed-----------> failed: its wants are told the failure
 *        +--nobody has wanted it for a while--------------> left: no further page is asked for
 *
 * and is freed when no page of it is out. A want is served by every fetch whose filters hold its
 * own and whose interval meets its own; equal windows, and windows within others, so share one
 * walk.
 */
#ifndef CDRFS_CACHE_KEEPER_H
#define CDRFS_CACHE_KEEPER_H

#include <pthread.h>

#include "cache/cache.h"
#include "cache/clock.h"
#include "cache/walk.h"

struct fetch {
    uint64_t seq;       /* counts fetches */
    struct query q;     /* as the source is asked */
    int64_t fetched_at; /* the server's clock when it began */
    struct walk walk;
    uint64_t tick;     /* of the last page stored */
    int64_t wanted_ms; /* when it last served a want */
    bool over;         /* whole or failed, its wants have been told */
    struct failure failure;
    struct span span; /* while whole and not yet committed */
    struct fetch *prev, *next;
};

struct waiting {
    struct want want;
    int64_t deadline_ms;
    uint64_t after_seq; /* later walks count as fresh however short the ttl is */
    int rounds;
    struct waiting *prev, *next;
};

/* A message to the cache's thread. */
struct post {
    enum { POST_WANT, POST_CANCEL, POST_PAGE } kind;
    struct post *next;
    struct want want; /* of CANCEL only the id */
    /* PAGE: one that came, or did not */
    struct cache *cache;
    struct fetch *fetch;
    int64_t offset;
    struct failure failure;
    struct page *page;
};

struct cache {
    struct store *store;
    struct source *source;
    struct clock clock;
    struct cover_rule rule;
    struct cache_opts opts;
    pthread_t thread;
    bool started;

    pthread_mutex_t cover_lock; /* guards cover */
    struct cover cover;

    pthread_mutex_t lock; /* guards posts and stop; signalled by wake */
    pthread_cond_t wake;
    struct post *posts, **posts_end;
    bool stop;

    atomic_uint_least64_t tick;

    /* The rest belongs to the thread. */
    struct fetch *fetches;
    struct waiting *waitings;
    uint64_t last_seq;
    bool writing;    /* a transaction is open */
    int write_error; /* what went wrong in it */
};

/* Takes one message; the batch is finished by keeper_settle(). */
void keeper_take(struct cache *c, struct post *p);

/* Commits what the batch stored, tells wants, asks for further pages. */
void keeper_settle(struct cache *c);

/* Milliseconds until keeper_settle() should run without a message; -1 for never. */
int64_t keeper_timeout(struct cache *c);

/* Ends all wants with err; fetches must have no page out when they are to be freed. */
void keeper_end_wants(struct cache *c, int err);
void keeper_free_fetches(struct cache *c);

/* From any thread: hands a message over. It is freed by the keeper. */
void cache_post(struct cache *c, struct post *p);

/* What of q's interval can be asked for at all; false when nothing. */
bool cache_askable(struct cache *c, const struct query *q, struct query *ret);

/* The instants of q that must be asked for; after_seq and rule as in cover.h. Takes cover_lock. */
void cache_missing(struct cache *c, struct cover_rule rule, uint64_t after_seq,
                   const struct query *q, struct ivset *out);

#endif
