// SPDX-License-Identifier: MIT
/*
 * Everything that the store asks of SQLite fails in turn, and so does everything that SQLite asks
 * of the system: once, or from then on. What comes is right, or an error that is no absence, and
 * afterwards all is as ever. Linked with --wrap of what the store calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/utc.h"
#include "cache/store.h"
#include "tests/unit/cache_fixture.h"

#define TRIES_MAX 100000
#define CALLS 45

int __real_sqlite3_step(sqlite3_stmt *st);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                              sqlite3_stmt **ret, const char **tail);
int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
                        void *arg, char **error);
int __wrap_sqlite3_step(sqlite3_stmt *st);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                              sqlite3_stmt **ret, const char **tail);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
                        void *arg, char **error);

/* What of that number from now fails; 0: none. */
struct fate {
    atomic_long at;
    atomic_bool on; /* and all behind it */
    atomic_bool met;
};

static struct fate asked;                        /* of SQLite */
static struct fate system_asked, system_to_read; /* to write, and to read */

static bool fails(struct fate *f)
{
    if (atomic_load(&f->at) <= 0 || atomic_fetch_sub(&f->at, 1) != 1)
        return false;
    atomic_store(&f->met, true);
    if (atomic_load(&f->on))
        atomic_store(&f->at, 1);
    return true;
}

static void arm(struct fate *f, int n, bool on)
{
    atomic_store(&f->met, false);
    atomic_store(&f->on, on);
    atomic_store(&f->at, n);
}

/* Returns whether it was met since arm(). */
static bool disarm(struct fate *f)
{
    atomic_store(&f->at, 0);
    return atomic_load(&f->met);
}

/* Runs step with each in turn, until none is left to fail. */
static void each_in_turn(struct fate *f, void (*step)(int n, struct fate *f), bool on)
{
    for (int n = 1;; n++) {
        expect(n < TRIES_MAX, "no end");
        arm(f, n, on);
        step(n, f);
        if (!disarm(f))
            return;
    }
}

int __wrap_sqlite3_step(sqlite3_stmt *st)
{
    return fails(&asked) ? SQLITE_IOERR : __real_sqlite3_step(st);
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags,
                              sqlite3_stmt **ret, const char **tail)
{
    return fails(&asked) ? SQLITE_CORRUPT : __real_sqlite3_prepare_v3(db, sql, n, flags, ret, tail);
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*fn)(void *, int, char **, char **),
                        void *arg, char **error)
{
    return fails(&asked) ? SQLITE_FULL : __real_sqlite3_exec(db, sql, fn, arg, error);
}

/* --- the system beneath SQLite --- */

static const struct {
    int err;
    const char *remedy;
} writes[] = {
    {EIO, "check the disk"}, {ENOSPC, "make room"},      {EDQUOT, "quota"},
    {EFBIG, "ulimit -f"},    {EROFS, "folder writable"},
};

static int write_errno;
static ssize_t (*real_pwrite)(int fd, const void *p, size_t n, off_t at);

static ssize_t failing_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (!fails(&system_asked))
        return real_pwrite(fd, p, n, at);
    errno = write_errno;
    return -1;
}

static ssize_t (*real_pread)(int fd, void *p, size_t n, off_t at);

static ssize_t failing_pread(int fd, void *p, size_t n, off_t at)
{
    if (!fails(&system_to_read))
        return real_pread(fd, p, n, at);
    errno = EIO;
    return -1;
}

/* The function of that name, in the place of which ours now is; NULL when it is not used. */
static sqlite3_syscall_ptr replace(const char *name, sqlite3_syscall_ptr ours)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_syscall_ptr real = vfs->xGetSystemCall(vfs, name);
    if (!real || real == ours)
        return NULL;
    vfs->xSetSystemCall(vfs, name, ours);
    return real;
}

static void wrap_system(void)
{
    static const char *const names[][2] = {{"pwrite64", "pread64"}, {"pwrite", "pread"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        sqlite3_syscall_ptr w = replace(names[i][0], (sqlite3_syscall_ptr)failing_pwrite);
        sqlite3_syscall_ptr r = replace(names[i][1], (sqlite3_syscall_ptr)failing_pread);
        if (w)
            real_pwrite = (ssize_t(*)(int, const void *, size_t, off_t))w;
        if (r)
            real_pread = (ssize_t(*)(int, void *, size_t, off_t))r;
    }
    ck_assert(real_pwrite && real_pread);
}

/* --- the whole cache --- */

static struct failure last_report;
static atomic_int told;

static void note_report(void *arg UNUSED, const struct query *q UNUSED, const char *uuid UNUSED,
                        const struct failure *f)
{
    if (f->repeated)
        return;
    last_report = *f;
    atomic_fetch_add(&told, 1);
}

static void open_cache(void)
{
    fx_setup();
    fx_close();
    fx.opts.report = note_report;
    fx.opts.deadline_ms = 300;
    fx_open();
    for (int ago = 1; ago <= 80; ago++)
        fake_add_many(fx.fake, ago * 100, CALLS, TODAY - ago * (int64_t)DAY, 60);
    wrap_system();
}

static bool is_an_error(int rc)
{
    return rc == -EIO || rc == -ENOMEM || rc == -ETIMEDOUT;
}

/* Always another one; of up to 5 calls. */
static struct query next_window(void)
{
    static int count;
    int64_t at = TODAY - (count / 9 % 80 + 1) * (int64_t)DAY + count % 9 * 300;
    count++;
    return fx_between(at, at + 300);
}

/* A window is whole or an error comes, and afterwards all is as ever. */
static void read_a_window(int n, struct fate *f)
{
    struct query q = next_window();
    int rc = fx_ask(&q);
    bool met = disarm(f);
    expect(rc == 0 || is_an_error(rc), "%d: %d", n, rc);
    if (rc == 0)
        fx_expect_all(&q);
    fx_settle();
    rc = fx_ask(&q);
    expect(rc == 0, "after %d: %d", n, rc);
    fx_expect_all(&q);
    atomic_store(&f->met, met);
}

START_TEST(a_window_is_read_whole_or_an_error_comes)
{
    open_cache();
    each_in_turn(&asked, read_a_window, _i);
    fx_teardown();
}
END_TEST

static const char *expected_remedy;

static void read_a_window_and_say_why(int n, struct fate *f)
{
    atomic_store(&told, 0);
    read_a_window(n, f);
    if (atomic_load(&told))
        expect(strstr(failure_remedy(&last_report), expected_remedy) &&
                   strstr(last_report.detail, strerror(write_errno)),
               "%d: %s (%s)", n, last_report.detail, failure_remedy(&last_report));
}

START_TEST(a_system_that_cannot_write_is_told_with_what_to_do)
{
    write_errno = writes[_i / 2].err;
    expected_remedy = writes[_i / 2].remedy;
    open_cache();
    each_in_turn(&system_asked, read_a_window_and_say_why, _i % 2);
    fx_teardown();
}
END_TEST

/* --- what is held --- */

struct seen {
    int n;
    struct entry first;
};

static bool take_entry(void *arg, const struct entry *e)
{
    struct seen *s = arg;
    if (!s->n++)
        s->first = *e;
    return true;
}

static int take_body(void *arg, struct slice body)
{
    *(int *)arg += body.n > 0;
    return 0;
}

static int take_value(void *arg, const char *value UNUSED)
{
    ++*(int *)arg;
    return 0;
}

static int take_id(void *arg, int64_t id UNUSED, struct slice body)
{
    return take_body(arg, body);
}

/* Everything that looks at a day that is held, one after another. */
static void look(int n, struct fate *f UNUSED)
{
    struct query q = fx_day(1);
    struct seen s = {0};
    struct entry e = {0};
    struct mark mark = {0};
    bool matches = true;
    char *body = NULL;
    size_t size;
    int64_t a = 0, b = 0;
    int bodies = 0, ids = 0, values = 0;
    int rc = cache_list(fx.cache, &q, 0, take_entry, &s);
    expect(rc == 0 ? s.n == CALLS : is_an_error(rc), "%d: list %d of %d", n, rc, s.n);
    rc = cache_find(fx.cache, &q, fx.fake->calls[0].uuid, &e, &matches);
    expect(rc == 0 ? matches : is_an_error(rc), "%d: find %d", n, rc);
    rc = cache_entry(fx.cache, 1, &e);
    expect(rc == 0 || is_an_error(rc), "%d: entry %d", n, rc);
    rc = cache_body(fx.cache, 1, &body, &size);
    expect(rc == 0 ? (int64_t)size == e.size || !e.id : is_an_error(rc), "%d: body %d", n, rc);
    if (rc == 0)
        free(body);
    rc = cache_newest(fx.cache, &q, &a);
    expect(rc == 0 || is_an_error(rc), "%d: newest %d", n, rc);
    rc = cache_next_day(fx.cache, 0, &a);
    expect(rc == 0 ? a == TODAY - DAY : is_an_error(rc), "%d: next day %d", n, rc);
    rc = cache_bodies(fx.cache, &q, take_body, &bodies);
    expect(rc == 0 ? bodies == CALLS : is_an_error(rc), "%d: bodies %d of %d", n, rc, bodies);
    rc = cache_bodies_after(fx.cache, &q, 0, INT64_MAX, 100, take_id, &ids);
    expect(rc == 0 ? ids == CALLS : is_an_error(rc), "%d: bodies by id %d of %d", n, rc, ids);
    rc = cache_mark(fx.cache, &q, &mark);
    expect(rc == 0 ? mark.calls == CALLS : is_an_error(rc), "%d: mark %d", n, rc);
    rc = cache_totals(fx.cache, &a, &b);
    expect(rc == 0 ? a == CALLS : is_an_error(rc), "%d: totals %d", n, rc);
    rc = cache_seen(fx.cache, NUM_AXES + AXIS_TRUNK, take_value, &values);
    expect(rc == 0 ? values > 0 : is_an_error(rc), "%d: seen %d of %d", n, rc, values);
}

START_TEST(what_is_held_is_right_or_an_error_and_never_absent)
{
    struct query q = fx_day(1);
    open_cache();
    ck_assert_int_eq(fx_ask(&q), 0);
    each_in_turn(&asked, look, _i);
    look(0, &asked);
    fx_teardown();
}
END_TEST

/* Nothing that SQLite has kept stands in for what the disk does not give. */
static void look_anew(int n, struct fate *f)
{
    disarm(f);
    fx_close();
    fx_open();
    arm(f, n, atomic_load(&f->on));
    look(n, f);
}

START_TEST(a_disk_that_cannot_give_a_page_is_an_error)
{
    struct query q = fx_day(1);
    open_cache();
    ck_assert_int_eq(fx_ask(&q), 0);
    each_in_turn(&system_to_read, look_anew, _i);
    look(0, &system_to_read);
    fx_teardown();
}
END_TEST

START_TEST(what_cannot_be_read_is_told_once)
{
    struct query q = fx_day(1);
    struct seen s = {0};
    open_cache();
    ck_assert_int_eq(fx_ask(&q), 0);
    atomic_store(&told, 0);
    arm(&asked, 1, true);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(is_an_error(cache_list(fx.cache, &q, 0, take_entry, &s)), 1);
    disarm(&asked);
    ck_assert_int_le(atomic_load(&told), 1);
    fx_teardown();
}
END_TEST

/* --- opening --- */

static char path[160];

static void open_again(int n, struct fate *f)
{
    struct store *s = NULL;
    struct query q = fx_day(1);
    struct seen seen = {0};
    char error[512] = "";
    int rc = store_open(path, &s, error, sizeof(error));
    bool met = disarm(f);
    expect((rc == 0) == (s != NULL) && (rc == 0 || *error), "%d: %d, %s", n, rc, error);
    store_close(s);
    rc = store_open(path, &s, error, sizeof(error));
    expect(rc == 0, "after %d: %d, %s", n, rc, error);
    expect(store_list(s, &q, 0, take_entry, &seen) == 0 && seen.n == CALLS, "after %d: %d calls", n,
           seen.n);
    expect(!*store_warning(s), "after %d: %s", n, store_warning(s));
    store_close(s);
    atomic_store(&f->met, met);
}

START_TEST(a_store_opens_or_says_why_not)
{
    struct query q = fx_day(1);
    open_cache();
    ck_assert_int_eq(fx_ask(&q), 0);
    snprintf(path, sizeof(path), "%s", fx.path);
    fx_close();
    each_in_turn(&asked, open_again, _i);
    write_errno = EIO;
    each_in_turn(&system_asked, open_again, _i);
    fx_open();
    fx_teardown();
}
END_TEST

static void make_new(int n, struct fate *f)
{
    struct store *s = NULL;
    char error[512] = "";
    int64_t calls = -1, bytes;
    int rc = store_open(path, &s, error, sizeof(error));
    bool met = disarm(f);
    expect((rc == 0) == (s != NULL) && (rc == 0 || *error), "%d: %d, %s", n, rc, error);
    store_close(s);
    rc = store_open(path, &s, error, sizeof(error));
    expect(rc == 0, "after %d: %d, %s", n, rc, error);
    expect(store_totals(s, &calls, &bytes) == 0 && calls == 0, "after %d: %d calls", n, (int)calls);
    store_close(s);
    unlink(path);
    atomic_store(&f->met, met);
}

START_TEST(a_store_is_made_or_not_at_all)
{
    open_cache();
    snprintf(path, sizeof(path), "%s/new.db", fx.dir);
    each_in_turn(&asked, make_new, _i);
    write_errno = ENOSPC;
    each_in_turn(&system_asked, make_new, _i);
    fx_teardown();
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        {a_window_is_read_whole_or_an_error_comes, 2},
        {a_system_that_cannot_write_is_told_with_what_to_do, 2 * (int)ARRAY_LEN(writes)},
        {what_is_held_is_right_or_an_error_and_never_absent, 2},
        {a_disk_that_cannot_give_a_page_is_an_error, 2},
        ONCE(what_cannot_be_read_is_told_once),
        {a_store_opens_or_says_why_not, 2},
        {a_store_is_made_or_not_at_all, 2},
    };
    return RUN_SUITE("store_fails", tests);
}
