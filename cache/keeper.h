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

#include "cache/ahead.h"
#include "cache/cache.h"
#include "cache/clock.h"
#include "cache/memo.h"
#include "cache/ready.h"
#include "cache/walk.h"

#define BRIDGE_S 60      /* so little is read again rather than asked for in two parts */
#define REFRESH_S 3600   /* so old a wider reading may be to be refreshed instead of a narrow one */
#define AMENDED_MAX 4096 /* of one batch; its pages hold fewer */

struct fetch {
    uint64_t seq;       /* counts fetches */
    struct query q;     /* as the source is asked */
    int64_t fetched_at; /* the server's clock when it began */
    struct walk walk;
    uint64_t new_calls; /* that its pages brought */
    uint64_t tick;      /* of the last page stored */
    int64_t wanted_ms;  /* when it last served a want, or began to read ahead */
    struct urgency urgency;
    int64_t most;  /* all that want it give up above that total; 0: some do not */
    bool over;     /* whole or failed, its wants have been told */
    bool claiming; /* the shared tier is asked for it, or gives it */
    bool asked_api;
    int64_t served_from; /* what ended before that is not asked of the API */
    uint64_t lease;      /* of the shared tier; 0: none */
    struct span *copied; /* what the shared tier gave, while not yet committed */
    size_t ncopied;
    struct failure failure;
    struct span span; /* while whole and not yet committed */
    struct fetch *prev, *next;
};

struct waiting {
    struct want want;
    int64_t deadline_ms;
    uint64_t after_seq; /* later walks count as fresh however short the ttl is */
    int rounds;
    enum { CALL_UNASKED, CALL_IN_WINDOW, CALL_ASKED, CALL_THERE } call; /* of a want with a uuid */
    enum {
        TIER_UNASKED,
        TIER_ASKED,
        TIER_SAID,
        TIER_SILENT
    } tier; /* the shared tier, of a want with a uuid */
    struct waiting *prev, *next;
};

/* A message to the cache's thread. */
struct post {
    enum {
        POST_WANT,
        POST_CANCEL,
        POST_PAGE,
        POST_CALL,
        POST_VISIT,
        POST_PREFETCH,
        POST_TIER
    } kind;
    struct post *next;
    struct want want; /* of CANCEL and PREFETCH only the id; of CALL the uuid; of VISIT the query */
    /* PAGE: one that came, or did not; CALL: the one call */
    struct cache *cache;
    struct fetch *fetch;
    int64_t offset;
    uint64_t others; /* new calls that other fetches had brought when the page was asked for */
    struct failure failure;
    struct page *page;
    struct tier_news *news; /* TIER */
};

/* A wish to read ahead. */
struct prefetching {
    struct prefetch shown; /* under cover_lock; its number is 0 while the place is free */
    /* The rest belongs to the thread, once it has begun: */
    struct query q;
    struct ahead_run run;
};

struct cache {
    struct store *store;
    struct source *source;
    struct tier *tier; /* NULL: none */
    struct clock clock;
    struct cover_rule rule;
    struct cache_opts opts;
    struct ready ready;
    pthread_t thread;
    bool started;
    bool ended; /* nothing is begun any more */

    pthread_mutex_t cover_lock; /* guards these */
    struct cover cover;
    struct cache_health health;
    struct ivset archive; /* what only the shared tier has any more */
    struct cache_walk walk_shown[CACHE_WALKS_SHOWN];
    int walks_shown;
    bool strays_shown;
    struct prefetching prefetches[PREFETCH_MAX];
    uint64_t last_prefetch;

    atomic_uint_least64_t hits, misses;

    pthread_mutex_t lock; /* guards posts and stop; signalled by wake */
    pthread_cond_t wake;
    struct post *posts, **posts_end;
    bool stop;

    atomic_uint_least64_t tick, changes;
    atomic_uint_least64_t settled_seq; /* all fetches up to this one are over */

    /* The rest belongs to the thread. */
    struct fetch *fetches;
    struct waiting *waitings;
    struct memo memo; /* of what is not there, or too much, for a while */
    struct ahead ahead;
    struct post *visit;             /* the last of this batch; NULL: none */
    struct memo windows;            /* in which calls were asked for one by one */
    atomic_uint_least64_t last_seq; /* of the fetch begun last; written here, read anywhere */
    int64_t late_ms;                /* until when it is no news that somebody waits in vain */
    int64_t purge_ms;               /* when old calls are looked for again */
    int64_t pack_ms;                /* and bodies to be packed */
    bool packing;                   /* there are some */
    int64_t joining;                /* the shared tier that the store is to belong to; 0: none */
    int64_t join_ms;                /* when that is tried again */
    uint64_t new_calls;             /* that all fetches brought */
    bool oldest_first;              /* how the host was seen to sort */
    bool strays;                    /* it was seen to list calls outside the window asked for */
    int64_t amended[AMENDED_MAX];   /* calls that it amends */
    int namended;
    bool changing;                /* it changes calls */
    bool writing;                 /* a transaction is open */
    int write_error;              /* what went wrong in it */
    struct failure write_failure; /* the same in words, after its end */
};

/* fetch.c */

struct fetch_wish {
    int64_t most; /* as in struct fetch */
    bool ahead;   /* nobody waits for it yet */
    bool there;   /* the API says that it has some of it, be it ever so old */
};

/* Begins a walk of filters within interval. */
void fetch_start(struct cache *c, const struct query *filters, struct range interval,
                 const struct fetch_wish *wish);

/* True when f came to nothing for a reason to be told; false also when it is only to be put anew,
 * wider, or was left by those who had wanted it. */
bool fetch_failed(const struct fetch *f);

/* Notes for people how the API fared with a window, or else with one call: that there is none is an
 * answer, too. Takes cover_lock. */
void fetch_note_health(struct cache *c, const struct failure *f, bool listing);

/* True when f brings calls of q. */
bool fetch_serves(const struct fetch *f, const struct query *q);

/* Cuts from missing what the fetches under way bring of q; returns how many are under way. */
int fetches_cut(struct cache *c, const struct query *q, struct ivset *missing);

/* A page that came, or did not. */
void fetch_take_page(struct cache *c, struct post *p);

/* What the shared tier has to say. */
void fetch_take_news(struct cache *c, struct tier_news *n);

/* After the commit of a batch: what was stored is visible now, or lost. */
void fetch_conclude(struct cache *c, struct fetch *f, uint64_t tick);

/* Asks for further pages, or frees f when it is done. */
void fetch_go_on(struct cache *c, struct fetch *f, int64_t now_ms);

/* wants.c */

void wants_take(struct cache *c, const struct want *want);
void wants_cancel(struct cache *c, uint64_t id);

/* The shared tier was asked for that call: if it has it, it is in the store after this batch; or it
 * could not be asked. */
void wants_take_found(struct cache *c, const char *uuid, bool asked);

/* The answer to a request for one call. */
void wants_take_call(struct cache *c, struct post *p);

/* Answers w if it can be, and otherwise sees that it is being worked for. */
void wants_attend(struct cache *c, struct waiting *w, int64_t now_ms);

/* visit.c */

/* Somebody begins to read a window. */
void keeper_take_visit(struct cache *c, const struct query *q);

/* prefetch.c */

/* Goes on with that one: its last piece is held, or it has none yet. */
void prefetch_go_on(struct cache *c, uint64_t number);

/* A page has come, or not (NULL): of the API, which was asked for it, or of the shared tier. */
void prefetches_note_page(struct cache *c, const struct fetch *f, const struct page *page,
                          bool asked);

/* keeper.c */

/* A source_fn: its arg is a struct post of kind PAGE or CALL, which it completes and hands over. */
void keeper_on_answer(void *arg, const struct failure *failure, struct page *page);

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

/* Of what the store said: tells of trouble with it when that is first met. Returns rc. */
int cache_told(struct cache *c, int rc) MUST_CHECK;

/* What of q's interval can be asked for at all; false when nothing. The second that is running now
 * can be, the next one not. */
bool cache_askable(struct cache *c, const struct query *q, struct query *ret);

/* The instants of q that must be asked for; after_seq and rule as in cover.h. Takes cover_lock. */
void cache_missing(struct cache *c, struct cover_rule rule, uint64_t after_seq,
                   const struct query *q, struct ivset *out);

/* The same of what the API is known to have, be it of the day that it serves in part only or of the
 * second that has not begun here: only walks after that one count. */
void cache_missing_later(struct cache *c, uint64_t after_seq, const struct query *q,
                         struct ivset *out);

/* The same of what was read at any time, up to the moment in which it was; doubts do not count. */
void cache_missing_read(struct cache *c, const struct query *q, struct ivset *out);

/* The same of what was ever held, or not longer ago than ttl: doubts and freshness do not count. */
void cache_missing_ever(struct cache *c, int64_t ttl, const struct query *q, struct ivset *out);

#endif
