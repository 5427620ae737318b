// SPDX-License-Identifier: MIT
/*
 * A source that answers from a table in memory as the API would: the rows that match, newest first,
 * in pages, with their total. Its own thread answers, one request after another.
 *
 * A test sets how it behaves with FAKE_SET() at any time, and looks at what was asked afterwards.
 * The table outlives the source, so that a second cache can be opened over it.
 */
#ifndef CDRFS_TESTS_FAKE_SOURCE_H
#define CDRFS_TESTS_FAKE_SOURCE_H

#include <pthread.h>

#include "api/dialect.h"
#include "api/source.h"

#define FAKE_LOG_MAX 8192

struct fake_request {
    struct query q;
    int64_t offset;
    char uuid[CALL_UUID_MAX]; /* not "": one call was asked for */
};

struct fake_ask;

struct fake {
    struct source source;
    struct source_ops ops;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* guards the rest; signalled by wake */
    pthread_cond_t wake;
    bool stop;
    struct fake_ask *asks;

    struct call *calls; /* newest first; without a uuid: a row that cannot be a file */
    size_t ncalls, cap;

    int nlog; /* requests so far; the first FAKE_LOG_MAX are in log */
    int answered;
    struct fake_request log[FAKE_LOG_MAX];

    /* How it behaves: */
    int64_t date;           /* its clock; 0: it does not say */
    enum dialect_id filter; /* whose filters it has */
    unsigned refused;       /* bits of axes it is known to refuse */
    unsigned refuses;       /* bits of axes that it will refuse: -EAGAIN, once */
    bool oldest_first;      /* the order of its rows */
    int let;                /* answers it may still give; -1: any number */
    int fail_all;           /* errno of every answer; 0: none fails */
    int fail_in, fail_err;  /* so many answers from now one fails; 0: none */
    int64_t total_off;      /* added to every total */
    int64_t total_step;     /* added to total_off by every page */
    /* Called before each answer, on the fake's thread, without the lock. */
    void (*hook)(struct fake *f, const struct fake_request *r);
};

#define FAKE_SET(f, member, value)                                                                 \
    do {                                                                                           \
        pthread_mutex_lock(&(f)->lock);                                                            \
        (f)->member = (value);                                                                     \
        pthread_cond_broadcast(&(f)->wake);                                                        \
        pthread_mutex_unlock(&(f)->lock);                                                          \
    } while (0)

struct fake *fake_create(int64_t date);
void fake_free(struct fake *f);

/* Starts the thread. one_call: with fetch_call(). The cache ends it. */
struct source *fake_start(struct fake *f, bool one_call);

/* A call as its row will be; its body is made here. */
void fake_put(struct fake *f, const struct call *c);

/* A plain call: outbound when its number is odd, else inbound. The number makes the uuid. */
struct call fake_call(int number, int64_t end_time);
void fake_add(struct fake *f, int number, int64_t end_time);

/* n calls from that number on, one each `step` seconds from lo. */
void fake_add_many(struct fake *f, int number, int n, int64_t lo, int64_t step);

/* A row without a usable uuid. */
void fake_add_bad(struct fake *f, int64_t end_time);

/* Another body for a call it has. */
void fake_amend(struct fake *f, int number, const char *note);

/* Requests so far, and the one of that number (from 0). */
int fake_requests(struct fake *f);
struct fake_request fake_request(struct fake *f, int i);

/* Waits until n requests have come, or been answered. */
void fake_wait_asked(struct fake *f, int n);
void fake_wait_answered(struct fake *f, int n);

/* Calls in the table that match. */
int fake_count(struct fake *f, const struct query *q);

#endif
