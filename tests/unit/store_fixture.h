// SPDX-License-Identifier: MIT
/* Shared by the tests of the store: a folder and a store in it, of its own for each test. */
#ifndef CDRFS_TESTS_STORE_FIXTURE_H
#define CDRFS_TESTS_STORE_FIXTURE_H

#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/store.h"
#include "tests/unit/check_util.h"

#define NOON INT64_C(1779796800) /* 2026-05-26 12:00:00 */

static char dir[64], path[128];
static struct store *store;

static inline void make_dir(void)
{
    snprintf(dir, sizeof(dir), "/tmp/cdrfs-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/calls.db", dir);
}

static inline int remove_one(const char *name, const struct stat *st UNUSED, int kind UNUSED,
                             struct FTW *f UNUSED)
{
    return remove(name);
}

static inline void remove_dir(void)
{
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void open_store(void)
{
    char error[256] = "";
    int rc = store_open(path, &store, error, sizeof(error));
    ck_assert_msg(rc == 0, "%d: %s", rc, error);
}

static inline void close_store(void)
{
    store_close(store);
    store = NULL;
}

static inline void setup(void)
{
    make_dir();
    open_store();
}

static inline void teardown(void)
{
    close_store();
    remove_dir();
}

static inline struct call call_of(const char *uuid, int64_t end_time, const char *body)
{
    struct call c = {.body = slice_of(body)};
    snprintf(c.uuid, sizeof(c.uuid), "%s", uuid);
    for (int i = 0; i < NUM_AXES; i++)
        c.num[i] = INT64_MIN;
    c.num[AXIS_END_TIME] = end_time;
    return c;
}

/* Runs SQL on the file behind the store's back. */
static inline void sql(const char *file, const char *text)
{
    sqlite3 *db;
    char *error = NULL;
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, text, NULL, NULL, &error);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", text, error);
    sqlite3_close(db);
}

#endif
