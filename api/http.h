// SPDX-License-Identifier: MIT
/*
 * The one thread that talks to the network, and the only code that knows curl.
 *
 * http_get() may be called from any thread and never waits. Each request ends in one call of its
 * `done`, on the network thread: after retries, with the body of a 200, or with a failure. A `done`
 * that finds the answer to make no sense may have the request made again. It must be quick and must
 * not call http_destroy().
 *
 * Requests wait in a queue; what a person waits for goes before what is read ahead. At most
 * `connections` are under way, and none leaves faster than `rate` (pace.h). After a 401 or 403, and
 * while the API fails again and again, all requests fail at once, without being sent (breaker.h). A
 * 401 or 403 that comes after a good answer is first asked again, once: it may be a passing fault
 * of the API's (API.md trap 35).
 *
 * The token is held by curl and in this module's memory, is sent to the configured host only, and
 * appears in no failure.
 */
#ifndef CDRFS_API_HTTP_H
#define CDRFS_API_HTTP_H

#include <stdatomic.h>

#include "api/failure.h"

/*
 * Who waits for a request: somebody, nobody yet because it reads ahead, or nobody any more. It is
 * looked at whenever the next request is chosen: what was read ahead becomes urgent while it waits
 * for its turn, and what nobody needs any more is ended with -ECANCELED instead of being sent. It
 * must live until `done` has been called. NULL stands for one that is urgent.
 */
struct urgency {
    atomic_bool ahead, gone;
};

struct http_opts {
    const char *auth_id;
    const char *token;
    double rate;         /* requests a second */
    int connections;     /* under way at once */
    int64_t timeout_ms;  /* of one transfer */
    const char *ca_file; /* certificates to trust instead of the system's; NULL: the system's */
};

struct http_answer {
    struct failure failure; /* err 0: a 200 arrived whole; the date is set either way */
    const char *body;       /* valid during the call only */
    size_t n;
    bool may_again; /* the function may return true */
};

/* Returns true to have the request made again, after a pause; the function is then called again. */
typedef bool http_done_fn(void *arg, const struct http_answer *answer);

#define HTTP_CODES 600
#define HTTP_LATENCIES 10

/* Upper bounds of the classes of latency, in milliseconds; the last class has none. */
extern const int http_latency_ms[HTTP_LATENCIES - 1];

/* Counters since the start, and how things are; a consistent enough picture for people. */
struct http_stats {
    uint64_t sent; /* requests that went out, retries included */
    uint64_t retries;
    uint64_t failed;                  /* requests given up */
    uint64_t unsent;                  /* attempts that found no connection to go out by */
    uint64_t bytes;                   /* of bodies */
    uint64_t codes[HTTP_CODES];       /* what those sent were answered, by status; 0: nothing */
    uint64_t latency[HTTP_LATENCIES]; /* answers, by the time they took */
    uint64_t latency_us;              /* of all answers together */
    int64_t recent_us;                /* of one of late, about; 0: none yet */
    int64_t running, waiting;         /* requests under way, and in the queue */
    double rate;                      /* requests a second that may go out now */
    double rate_most;                 /* and at the best */
    int connections;
};

struct http;

/* Starts the thread. -ENOMEM, -EAGAIN. */
int http_create(const struct http_opts *o, struct http **ret) MUST_CHECK;

/* Ends every request with -ECANCELED, then the thread. Accepts NULL. */
void http_destroy(struct http *h);

void http_get(struct http *h, const char *url, const struct urgency *u, http_done_fn *done,
              void *arg);

/* As share_rate() of source.h. Any thread. */
void http_share_rate(struct http *h, int64_t (*may)(void *arg, int64_t now_ms), void *arg);

/* Any thread. */
void http_stats(struct http *h, struct http_stats *ret);

#endif
