// SPDX-License-Identifier: MIT
#ifndef SIM_REQLOG_H
#define SIM_REQLOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum { REQLOG_MAX = 1 << 20, REQLOG_STATUS_MAX = 600, REQLOG_NONE = -1 };

#define REQLOG_WINDOW_US INT64_C(5000000)

/* Moments within the last five seconds. */
struct window {
    int64_t *at;
    size_t head;
    size_t len;
    size_t cap;
};

/* What is known of a request when it arrives. Texts are copied. */
struct arrival {
    const char *method;
    const char *url;
    const char *user_agent;
    int port;
};

/* What came of it; REQLOG_NONE where it does not apply. */
struct outcome {
    int status; /* 0 when nothing was answered */
    int64_t rows;
    int64_t total;
    int64_t offset;
    int64_t limit;
    bool auth;
    const char *fault; /* constant text or NULL */
};

struct reqlog_entry;

/* The log of API requests and the counters over it. Safe from any thread. */
struct reqlog {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed;                  /* lock, and all below */
    struct reqlog_entry *entries; /* of sequence numbers first, first + 1, ... */
    size_t n;
    size_t cap;
    uint64_t first;
    uint64_t base; /* sequence number shown as n = 1 */
    int64_t start_us;
    int64_t in_flight;
    int64_t max_in_flight;
    int64_t max_in_5s;
    int64_t connections;
    int64_t by_status[REQLOG_STATUS_MAX];
    struct window arrived;
    struct window admitted;
};

/* What reqlog_wait() waits for: all that is not REQLOG_NONE. */
struct condition {
    int64_t requests;  /* at least so many since the last clear */
    int64_t in_flight; /* at least so many now */
    int64_t idle;      /* 1: none in flight */
};

/* An empty log, whose time 0 is now; release it when no thread uses it. */
void reqlog_init(struct reqlog *l);
void reqlog_release(struct reqlog *l);

/* A request arrived; returns its sequence number, UINT64_MAX when there is no memory to log it. */
uint64_t reqlog_arrive(struct reqlog *l, const struct arrival *a);

/* What will be answered. To be called before the answer leaves. */
void reqlog_answer(struct reqlog *l, uint64_t seq, const struct outcome *o);

/* The request is over; `done` when the client got the whole answer. */
void reqlog_finish(struct reqlog *l, uint64_t seq, bool done);

/* A new connection carried its first API request. */
void reqlog_connection(struct reqlog *l);

/* Whether one more request fits into `rate` per five seconds (0: always); if so it is counted. */
bool reqlog_admit(struct reqlog *l, int64_t rate);

/* Blocks until the condition holds. Returns 0, -ETIMEDOUT, or -ESHUTDOWN at the end of the program.
 */
int reqlog_wait(struct reqlog *l, const struct condition *c, int64_t timeout_ms);

/* Wakes all who wait, for good. */
void reqlog_close(struct reqlog *l);

/* Forgets entries and counters; what is in flight stays counted as such. */
void reqlog_clear(struct reqlog *l);

/* Appends the log as NDJSON, or the counters as one JSON object. */
void reqlog_dump(struct reqlog *l, struct text *out);
void reqlog_stats(struct reqlog *l, struct text *out);

#endif
