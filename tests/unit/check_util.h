// SPDX-License-Identifier: MIT
/*
 * Shared by the unit tests: one main, a seeded generator, slices of literals. A test that fails at
 * random is of no use, so every generator starts from a number written in its test.
 */
#ifndef CDRFS_TESTS_CHECK_UTIL_H
#define CDRFS_TESTS_CHECK_UTIL_H

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "api/util.h"

#define UNUSED __attribute__((unused))

/* A test, and how often it runs: once, or once for each row of its table (the row is _i). */
struct unit_test {
    const TTest *test;
    int rows;
};

#define ONCE(t)                                                                                    \
    {                                                                                              \
        t, 1                                                                                       \
    }
#define EACH(t, table)                                                                             \
    {                                                                                              \
        t, (int)ARRAY_LEN(table)                                                                   \
    }

/* setup and teardown run around each test; NULL for none. */
static inline int run_suite_with(const char *name, const struct unit_test *tests, size_t n,
                                 SFun setup, SFun teardown)
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    for (size_t i = 0; i < n; i++)
        tcase_add_loop_test(tc, tests[i].test, 0, tests[i].rows);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL); /* CK_FORK=no in the environment keeps it in one process */
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define RUN_SUITE(name, tests) run_suite_with(name, tests, ARRAY_LEN(tests), NULL, NULL)

/* ck_assert_msg() for inner loops: libcheck writes a note to a file at each assertion that holds.
 */
#define expect(cond, ...)                                                                          \
    do {                                                                                           \
        if (!(cond))                                                                               \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

/* splitmix64 */
struct rng {
    uint64_t s;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t x = (r->s += 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* 0 to n - 1 */
static inline int rng_below(struct rng *r, int n)
{
    return (int)(rng_next(r) % (uint64_t)n);
}

/* True once in n times. */
static inline bool rng_one_in(struct rng *r, int n)
{
    return rng_below(r, n) == 0;
}

static inline struct slice slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

/*
 * A copy of n bytes that ends exactly where its memory ends, so that the address sanitizer sees the
 * first byte read behind it. The caller frees.
 */
static inline char *exact_copy(const char *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    expect(copy, "no memory");
    if (n)
        memcpy(copy, p, n);
    return copy;
}

/* The text of a buffer, "" while it is empty. */
static inline const char *buf_text(const struct buf *b)
{
    return b->p ? b->p : "";
}

#endif
