// SPDX-License-Identifier: MIT
/*
 * The read-through cache: what the filesystem asks, and what may wait.
 *
 * Two kinds of functions. Those that look (cache_known, _list, _find, _entry, _body, ...) read the
 * store and coverage in memory, take microseconds, and may be called from any thread. cache_want()
 * asks for what is not held: it returns at once, and its function is called later on the cache's
 * own thread, which alone runs page walks and writes the store.
 *
 * How to read a query without missing a call: take cache_tick(), ask cache_known(), look; when it
 * was not known and the look found too little, cache_want() with that tick, and begin again when
 * told.
 */
#ifndef CDRFS_CACHE_CACHE_H
#define CDRFS_CACHE_CACHE_H

#include "api/source.h"
#include "cache/store.h"
#include "cache/tier.h"

struct cache;

struct cache_opts {
    const char *path;      /* of the store */
    struct source *source; /* owned by the cache from cache_create() on, also when that fails */
    int64_t ttl_s, settle_s, stale_if_error_s;
    int64_t keep_days;   /* calls that ended longer ago are dropped; 0: never. At least 90 */
    int64_t deadline_ms; /* the longest a want waits */
    int pages_at_once;   /* of one walk */
    int64_t date;        /* what the server's clock just was; 0 unknown */
    const char *shared;  /* the shared tier (tier.h); NULL: none */
    const char *account; /* as it knows us */
    double rate;         /* requests a second of all who share it */
    /* Told of every failed walk and every row that cannot be a file, of who waited in vain, and of
     * a store that cannot be read; on any thread. uuid: the one call that was asked for, or "". */
    void (*report)(void *arg, const struct query *q, const char *uuid, const struct failure *f);
    void *report_arg;
    /* Told, on the cache's thread, of every call whose bytes have changed, before any want is. */
    void (*amended)(void *arg, int64_t id);
    void *amended_arg;
};

/* Opens the store and starts the thread. Errors as store_open(), with the reason in error. */
int cache_create(const struct cache_opts *o, struct cache **ret, char *error,
                 size_t cap) MUST_CHECK;

/* Ends the thread: nothing is amended any more, and every want is answered with -ENOTCONN; one that
 * comes later, with cache_destroy(). What is held can be read until then. */
void cache_stop(struct cache *c);

/* cache_stop(), then ends the source and the store. Accepts NULL. */
void cache_destroy(struct cache *c);

/* What a person should know of how the store was opened; "" when there is nothing. */
const char *cache_warning(struct cache *c);

/* --- looking --- */

/* UTC seconds by the server's clock. */
int64_t cache_now(struct cache *c);

/* Midnight of the oldest day that is still served (API.md trap 10). */
int64_t cache_served_from(struct cache *c);

/* When the store was made, UTC seconds. */
int64_t cache_created(struct cache *c);

/* True when what is held answers q whole, now, without a request. */
bool cache_known(struct cache *c, const struct query *q);

/*
 * Walks that end later than this moment count as fresh for who began now, however short the ttl is:
 * what is taken here is passed to cache_known_since(), and in a want, for as long as one question
 * lasts.
 */
uint64_t cache_since(struct cache *c);
bool cache_known_since(struct cache *c, const struct query *q, uint64_t since);

/* When a question that begins now must have its answer, as a want takes it. */
int64_t cache_deadline(struct cache *c);

/* Forgets that what is held of q is fresh, or final: the next question reads it anew. What is held
 * stays, and is served while the API fails. */
void cache_refresh(struct cache *c, const struct query *q);

/* For how many of the next `most` seconds q will stay known without a request. */
int64_t cache_known_for(struct cache *c, const struct query *q, int64_t most);

/* True when all of q was read whole at some time, however long ago. */
bool cache_held(struct cache *c, const struct query *q);

/* True when more than the last day of q must be asked for. */
bool cache_much_missing(struct cache *c, const struct query *q);

/* True when all of q is older than what is still served: nothing can be asked, only looked up. */
bool cache_beyond(struct cache *c, const struct query *q);

/* Changes whenever a page has been stored. */
uint64_t cache_tick(struct cache *c);

/* Grows with every commit that brought a new call or changed one. */
uint64_t cache_changes(struct cache *c);

/* True when the API filters by something in q that picks few calls out of many. */
bool cache_selective(struct cache *c, const struct query *q);

/* How the API fares, for people. */
struct cache_health {
    int64_t good_at;    /* UTC second in which something was last read; 0: not since the mount */
    int64_t failed_at;  /* and in which that last failed */
    bool failing;       /* the failure came last */
    struct failure why; /* of that failure */
    int64_t
        stale_since; /* since then what is held has stood in for what could not be read; 0: no */
    struct failure store; /* what ails the store; err 0: nothing */
};

struct cache_health cache_health(struct cache *c);

/* Whether a shared tier can be there: libpq understands it, and it holds no password. */
bool cache_may_share(const char *conninfo);

/* How the shared tier fares; false: there is none. */
bool cache_tier(struct cache *c, struct tier_stats *ret);

/* How many calls it has still to be given. */
int cache_unshared(struct cache *c, int64_t *ret) MUST_CHECK;

/* True when the shared tier has some of that day, which the API no longer serves. */
bool cache_archived(struct cache *c, int64_t midnight);

/* Counts a question of a reader: whether what is held answered it, or it had to wait. */
void cache_asked(struct cache *c, bool held);

/* A window on its way. */
struct cache_walk {
    struct query q;
    int64_t total; /* calls in it, by its newest page; -1: none has come */
    int64_t rows;  /* of them that came, in this pass */
    bool ahead;    /* nobody waits for it yet */
};

#define CACHE_WALKS_SHOWN 16

/* Counters since the mount, and what is known now, for people. */
struct cache_stats {
    uint64_t hits, misses;         /* as cache_asked() was told */
    int64_t readings[SPAN_STATES]; /* that are remembered */
    int walks;                     /* windows on their way; the first of them: */
    struct cache_walk walk[CACHE_WALKS_SHOWN];
};

void cache_stats(struct cache *c, struct cache_stats *ret);

/* --- explain.c: what a question would cost, without asking --- */

#define CACHE_READINGS_SHOWN 100

/* Something that was read whole, and when. */
struct cache_reading {
    struct query q;
    int64_t fetched_at;
    enum span_state state;
};

struct cache_explained {
    bool known;    /* it is answered whole, now, without a request */
    bool held;     /* all of it was read whole at some time */
    bool beyond;   /* it is older than what is still served */
    bool shared;   /* the shared tier is there, and may have it: then at most so many requests */
    bool archived; /* some of it is missing that only the shared tier has any more */
    int64_t fetched_at; /* when the oldest of its readings was made; 0: there is none */
    int64_t expires_at; /* until when it stays known; 0: it is not; INT64_MAX: for ever */
    int64_t calls;      /* of it that are held */
    int64_t requests;   /* that reading it now costs */
    int64_t reread;     /* and that it would cost if nothing of it were believed any more */
    bool sure;          /* false: at least so many, since how many calls there are is not known */
    bool asks;          /* something can be asked: */
    struct query asked; /* as the source would be, first */
    int readings;       /* that cover what is held of it, newest first; the first of them: */
    struct cache_reading reading[CACHE_READINGS_SHOWN];
};

/* uuid: of q only this call, or "" for all. Costs no request. -ENOMEM, or as store_find(). */
int cache_explain(struct cache *c, const struct query *q, const char *uuid,
                  struct cache_explained *ret) MUST_CHECK;

/* As store_list() and so on. */
int cache_list(struct cache *c, const struct query *q, int64_t after, store_entry_fn *fn,
               void *arg) MUST_CHECK;

/*
 * Somebody has been given calls of q up to that id and is likely to ask for those behind it, or, if
 * he goes through day after day and that was all, for the next day. Reads them, at most so many, so
 * that cache_list() has them at hand; takes as long as that. goes_on: he has come back for more
 * once already; else only of who goes through days anything is expected. Costs no request.
 */
void cache_expect(struct cache *c, const struct query *q, int64_t after, size_t most, bool goes_on);

int cache_find(struct cache *c, const struct query *q, const char *uuid, struct entry *ret,
               bool *matches) MUST_CHECK;
int cache_entry(struct cache *c, int64_t id, struct entry *ret) MUST_CHECK;
int cache_body(struct cache *c, int64_t id, char **ret, size_t *ret_size) MUST_CHECK;
int cache_newest(struct cache *c, const struct query *q, int64_t *ret) MUST_CHECK;
int cache_oldest(struct cache *c, int64_t *ret) MUST_CHECK;
int cache_next_day(struct cache *c, int64_t after, int64_t *ret) MUST_CHECK;
int cache_seen(struct cache *c, int axis, int (*fn)(void *arg, const char *value),
               void *arg) MUST_CHECK;
int cache_bodies(struct cache *c, const struct query *q, int (*fn)(void *arg, struct slice body),
                 void *arg) MUST_CHECK;
int cache_bodies_after(struct cache *c, const struct query *q, int64_t after, int64_t last,
                       int most, store_body_fn *fn, void *arg) MUST_CHECK;
bool cache_holds(struct cache *c, const struct query *q, int64_t id);
int cache_mark(struct cache *c, const struct query *q, struct mark *ret) MUST_CHECK;
int cache_totals(struct cache *c, int64_t *ret_calls, int64_t *ret_bytes) MUST_CHECK;

/* --- waiting --- */

struct want {
    uint64_t id; /* chosen by the caller, unique; names it in cache_cancel() */
    struct query q;
    uint64_t since;      /* from cache_since(); 0: now */
    int64_t deadline_ms; /* from cache_deadline(), once for as long as one question lasts; 0: now */
    uint64_t seen;       /* told again only of what was stored after this tick */
    /* Not "": only this call of q is wanted. It may be found by a request for itself; whole then
     * means that it is held, or that there is no such call in q. */
    char uuid[CALL_UUID_MAX];
    /* Not 0: q is wanted only if it holds at most so many calls; else -E2BIG. */
    int64_t most;
    /* Nobody waits for it: it goes behind what somebody waits for, has no deadline, and is told of
     * only once, at its end. */
    bool ahead;
    /*
     * Called exactly once, on the cache's thread. err 0: something was stored, or whole is true and
     * q is known now, however short the ttl. Else a negative errno: of the failure; -ETIMEDOUT;
     * -EINTR after cache_cancel(); -ENOTCONN when the cache is going away.
     */
    void (*done)(uint64_t id, int err, bool whole, void *arg);
    void *arg;
};

/* Somebody begins to read the window q, held or not; from any thread. Who goes through day after
 * day finds the next ones read ahead. */
void cache_visit(struct cache *c, const struct query *q);

/* --- prefetch.c: reading ahead by wish --- */

#define PREFETCH_MAX 32
#define PREFETCH_NAME_MAX 512

/* What becomes of such a wish. */
struct prefetch {
    uint64_t number; /* counts them, from 1 */
    char name[PREFETCH_NAME_MAX];
    enum { PREFETCH_RUNNING, PREFETCH_DONE, PREFETCH_FAILED } state;
    int err;                    /* FAILED: a negative errno */
    struct range all;           /* what of it can be asked for */
    struct range piece;         /* on its way; what lies before it is held */
    int64_t calls;              /* that came */
    int64_t piece_calls;        /* of them in the piece */
    int64_t piece_total;        /* that it is known to have; -1: not known yet */
    int64_t requests;           /* answered for it */
    int64_t began_ms, ended_ms; /* of clock_ms() */
};

/*
 * Has all of q read, oldest first, behind what anybody waits for, in pieces of about 2,000 calls.
 * The name is for people, and one that is under way already is joined. From any thread. -ENODATA:
 * the API serves nothing of it any more; -EBUSY: PREFETCH_MAX are under way; -ENOMEM.
 */
int cache_prefetch(struct cache *c, const char *name, const struct query *q) MUST_CHECK;

/* Those under way, and the last that ended, in their order; returns how many. */
int cache_prefetches(struct cache *c, struct prefetch ret[PREFETCH_MAX]);

/* -ENOMEM: done will not be called. */
int cache_want(struct cache *c, const struct want *w) MUST_CHECK;
void cache_cancel(struct cache *c, uint64_t id);

#endif
