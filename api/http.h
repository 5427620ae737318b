// SPDX-License-Identifier: MIT
/*
 * The one thread that talks to the network, and the only code that knows curl.
 *
 * http_get() may be called from any thread and never waits. Each request ends in exactly one call
 * of its `done`, on the network thread: after retries, with the body of a 200, or with a failure.
 * `done` must be quick and must not call http_destroy().
 *
 * Requests wait in two queues: what a person waits for goes before what is read ahead. At most
 * `connections` are under way, and none leaves faster than `rate` (pace.h). After a 401 or 403 all
 * requests fail at once, without being sent, for AUTH_PAUSE_MS (API.md trap 35).
 *
 * The token is held by curl and in this module's memory, is sent to the configured host only, and
 * appears in no failure.
 */
#ifndef CDRFS_API_HTTP_H
#define CDRFS_API_HTTP_H

#include "api/failure.h"

#define AUTH_PAUSE_MS 30000

enum urgency { URGENT, AHEAD, URGENCIES };

struct http_opts {
    const char *auth_id;
    const char *token;
    double rate;        /* requests a second */
    int connections;    /* under way at once */
    int64_t timeout_ms; /* of one transfer */
};

struct http_answer {
    struct failure failure; /* err 0: a 200 arrived whole; the date is set either way */
    const char *body;       /* valid during the call only */
    size_t n;
};

typedef void http_done_fn(void *arg, const struct http_answer *answer);

/* Counters since the start; a consistent enough picture for people. */
struct http_stats {
    uint64_t sent; /* requests that went out, retries included */
    uint64_t retries;
    uint64_t failed; /* requests given up */
    uint64_t bytes;  /* of bodies */
};

struct http;

/* Starts the thread. -ENOMEM, -EAGAIN. */
int http_create(const struct http_opts *o, struct http **ret) MUST_CHECK;

/* Ends every request with -ECANCELED, then the thread. Accepts NULL. */
void http_destroy(struct http *h);

void http_get(struct http *h, const char *url, enum urgency u, http_done_fn *done, void *arg);

struct http_stats http_stats(struct http *h);

#endif
