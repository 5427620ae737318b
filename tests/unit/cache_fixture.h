// SPDX-License-Identifier: MIT
/*
 * A cache over a fake source and a store in a directory of its own, for each test. The clock that
 * decides what is fresh is the fake's: it stands still but for the seconds a test takes.
 */
#ifndef CDRFS_TESTS_CACHE_FIXTURE_H
#define CDRFS_TESTS_CACHE_FIXTURE_H

#include "cache/cache.h"
#include "tests/unit/check_util.h"
#include "tests/unit/fake_source.h"

#define HOUR 3600
#define DAY 86400
#define TODAY ((int64_t)1779753600) /* 2026-05-26 00:00:00 */
#define NOON (TODAY + 12 * HOUR)

struct fixture {
    char dir[64], path[128];
    struct fake *fake;
    struct cache *cache;
    struct cache_opts opts; /* of the next fx_open(); its source is ignored */
    bool one_call;
    int reports; /* failures the cache has reported */
    int amended;
};

extern struct fixture fx;

/* Around each test: a directory, an empty fake at NOON, an open cache. */
void fx_setup(void);
void fx_teardown(void);

void fx_open(void);
void fx_close(void);

/* Moves the clock of the fake and of the cache. */
void fx_set_now(int64_t t);

/* A day so many days ago, all filters open; any interval. */
struct query fx_day(int ago);
struct query fx_between(int64_t lo, int64_t hi);

/* q narrowed by a value as a path writes it. */
struct query fx_with(struct query q, int axis, const char *value);

/* --- wants --- */

struct told {
    int count, err;
    bool whole;
};

/* Ids begin anew with each test. */
uint64_t fx_want(const struct query *q, uint64_t seen);
uint64_t fx_want_model(struct want w);

/* What a want was told, after waiting for it; and without. */
struct told fx_wait(uint64_t id);
struct told fx_told(uint64_t id);

/* Returns when the cache's thread has taken every message before this. */
void fx_drain(void);

/* Returns when no walk is under way any more. */
void fx_settle(void);

/* As a reader does: looks, wants, and goes on until q is whole or an error comes. */
int fx_ask(const struct query *q);

/* fx_ask() must succeed; returns the requests it cost. */
int fx_cost(const struct query *q);

/* --- what is held --- */

int fx_count(const struct query *q);

/* The listing of q is what the fake has of it, each call once. */
void fx_expect_all(const struct query *q);

/* The uuids listed, sorted; the caller frees. */
char (*fx_list(const struct query *q, int *ret_n))[CALL_UUID_MAX];

#endif
