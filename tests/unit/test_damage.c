// SPDX-License-Identifier: MIT
/*
 * Stores that disks and careless copies have damaged: pages of zeros or noise, sectors, single
 * bits, files cut short; and a database and a WAL of different moments, as a copy gets them that is
 * made while the store is written. Each is refused with a reason, or opens; and then what it gives
 * is what was written, or -EIO: never less, never an absence, never other bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/utc.h"
#include "cache/store.h"
#include "tests/unit/check_util.h"

#define NOON 1779796800 /* 2026-05-26 12:00:00 */
#define DAYS 4
#define CALLS 120 /* of a day */
#define BODY_MAX 600
#define PAGE 4096
#define SECTOR 512

static char dir[64], path[128], wal_path[140];
static struct store *store;
static char bodies[DAYS][CALLS][BODY_MAX];

static int remove_one(const char *name, const struct stat *st UNUSED, int kind UNUSED,
                      struct FTW *f UNUSED)
{
    return remove(name);
}

static void make_dir(void)
{
    struct rng r = {91};
    snprintf(dir, sizeof(dir), "/tmp/cdrfs-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/calls.db", dir);
    snprintf(wal_path, sizeof(wal_path), "%s-wal", path);
    for (int d = 0; d < DAYS; d++)
        for (int i = 0; i < CALLS; i++) {
            int n = 20 + rng_below(&r, BODY_MAX - 30);
            for (int k = 0; k < n; k++)
                bodies[d][i][k] = (char)('a' + rng_below(&r, 26));
            bodies[d][i][n] = '\0';
        }
}

static void remove_dir(void)
{
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- what is written --- */

static int64_t end_of(int day, int i)
{
    return NOON - day * (int64_t)UTC_DAY - i * 60;
}

static struct call call_of(int day, int i)
{
    struct call c = {.body = slice_of(bodies[day][i])};
    struct rng r = {(uint64_t)(day * CALLS + i)};
    uint64_t id = rng_next(&r);
    snprintf(c.uuid, sizeof(c.uuid), "%08x-%04x-4842-9387-%08x", (unsigned)(id >> 32),
             (unsigned)(id & 0xffff), (unsigned)(id >> 16));
    for (int a = 0; a < NUM_AXES; a++)
        c.num[a] = 1 + i % 2;
    c.num[AXIS_END_TIME] = end_of(day, i);
    snprintf(c.text[AXIS_FROM], CALL_TEXT_MAX, "1415555%04d", i);
    snprintf(c.text[AXIS_TRUNK], CALL_TEXT_MAX, "%d", i % 7 + 1);
    return c;
}

static struct query day_query(int day)
{
    struct query q = QUERY_ALL;
    int64_t midnight = utc_midnight(NOON) - day * (int64_t)UTC_DAY;
    query_meet_range(&q, AXIS_END_TIME, (struct range){midnight, midnight + UTC_DAY});
    return q;
}

static void open_store(void)
{
    char error[512] = "";
    int rc = store_open(path, &store, error, sizeof(error));
    ck_assert_msg(rc == 0, "%d: %s", rc, error);
}

/* Calls [from, to) of a day, and with the last of them that it is whole. */
static void put(int day, int from, int to)
{
    struct span span = {.q = day_query(day), .fetched_at = NOON + day};
    enum put put;
    int64_t id;
    int rc = store_begin(store);
    for (int i = from; i < to && rc == 0; i++) {
        struct call c = call_of(day, i);
        rc = store_put_call(store, &c, NOON, &put, &id);
    }
    if (rc == 0 && to == CALLS)
        rc = store_put_span(store, &span);
    if (rc == 0)
        rc = store_commit(store);
    expect(rc == 0, "day %d: %d", day, rc);
}

/* --- files --- */

struct file {
    char *p;
    size_t n;
};

static struct file slurp(const char *name)
{
    struct stat st;
    struct file f = {0};
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return f;
    expect(fstat(fd, &st) == 0, "no stat");
    f.p = malloc((size_t)st.st_size + 1);
    expect(f.p && read(fd, f.p, (size_t)st.st_size) == st.st_size, "short read");
    f.n = (size_t)st.st_size;
    close(fd);
    return f;
}

static void spit(const char *name, struct file f)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    expect(fd >= 0 && write(fd, f.p, f.n) == (ssize_t)f.n, "cannot write");
    close(fd);
}

static struct file copy_of(struct file f)
{
    return (struct file){exact_copy(f.p, f.n), f.n};
}

/* The store is now these two; a WAL of nothing is none. */
static void lay_out(struct file db, struct file wal)
{
    static const char *const others[] = {"-wal", "-shm", "-journal"};
    char name[160];
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        snprintf(name, sizeof(name), "%s%s", path, others[i]);
        unlink(name);
    }
    spit(path, db);
    if (wal.n)
        spit(wal_path, wal);
}

/* --- what must hold --- */

static struct {
    int refused, whole, failed;
    const char *what;
    int number;
} outcome;

/* One question: an error counts, an absence is wrong. */
static bool answered(int rc, const char *question)
{
    expect(rc == 0 || rc == -EIO, "%s %d: %s is %d", outcome.what, outcome.number, question, rc);
    outcome.failed += rc < 0;
    return rc == 0;
}

struct listing {
    int n;
    int64_t bytes;
};

static bool take_entry(void *arg, const struct entry *e)
{
    struct listing *l = arg;
    l->n++;
    l->bytes += e->size;
    return true;
}

static void check_call(int day, int i)
{
    struct query q = day_query(day);
    struct call c = call_of(day, i);
    struct entry e;
    bool matches = false;
    char *body;
    size_t n;
    if (!answered(store_find(store, &q, c.uuid, &e, &matches), "a call"))
        return;
    expect(matches && e.end_time == end_of(day, i) && e.size == (int64_t)c.body.n,
           "%s %d: another call", outcome.what, outcome.number);
    if (!answered(store_body(store, e.id, &body, &n), "its bytes"))
        return;
    expect(n == c.body.n && memcmp(body, c.body.p, n) == 0, "%s %d: other bytes", outcome.what,
           outcome.number);
    free(body);
}

static int count_body(void *arg, struct slice body)
{
    struct listing *l = arg;
    l->n++;
    l->bytes += (int64_t)body.n;
    return 0;
}

static void check_day(int day)
{
    struct query all = day_query(day), half = all;
    struct listing l = {0}, h = {0}, b = {0};
    int64_t bytes = 0, newest = 0;
    for (int i = 0; i < CALLS; i++)
        bytes += (int64_t)strlen(bodies[day][i]);
    query_meet_range(&half, AXIS_DIRECTION, (struct range){1, 2});
    if (answered(store_list(store, &all, 0, take_entry, &l), "a day"))
        expect(l.n == CALLS && l.bytes == bytes, "%s %d: a day of %d calls", outcome.what,
               outcome.number, l.n);
    if (answered(store_list(store, &half, 0, take_entry, &h), "half of a day"))
        expect(h.n == CALLS / 2, "%s %d: half a day of %d calls", outcome.what, outcome.number,
               h.n);
    if (answered(store_bodies(store, &all, count_body, &b), "bytes of a day"))
        expect(b.n == CALLS && b.bytes == bytes, "%s %d: bytes of %d calls", outcome.what,
               outcome.number, b.n);
    answered(store_newest(store, &all, &newest), "the newest");
    for (int i = 0; i < CALLS; i += 3)
        check_call(day, i);
}

/* What it says is whole is one of the days we wrote. */
static int take_span(void *arg, const struct span *span)
{
    bool *whole = arg;
    for (int d = 0; d < DAYS; d++) {
        struct query q = day_query(d);
        if (query_implies(&q, &span->q) && query_implies(&span->q, &q) &&
            span->fetched_at == NOON + d)
            return whole[d] = true, 0;
    }
    ck_abort_msg("%s %d: a span that nobody wrote", outcome.what, outcome.number);
}

static int count_value(void *arg, const char *value UNUSED)
{
    ++*(int *)arg;
    return 0;
}

static void check_store(void)
{
    bool whole[DAYS] = {false};
    int before = outcome.failed, trunks = 0, days = 0;
    int64_t day = INT64_MIN / 2;
    if (!answered(store_spans(store, take_span, whole), "coverage"))
        return;
    for (int d = 0; d < DAYS; d++)
        if (whole[d])
            check_day(d);
    while (store_next_day(store, day, &day) == 0)
        days++;
    for (int d = 0; d < DAYS; d++)
        days -= whole[d];
    expect(days >= 0, "%s %d: a date is missing", outcome.what, outcome.number);
    if (answered(store_seen(store, NUM_AXES + AXIS_TRUNK, count_value, &trunks), "values seen"))
        expect(trunks == 7 || !(whole[0] || whole[1] || whole[2] || whole[3]),
               "%s %d: %d values seen", outcome.what, outcome.number, trunks);
    outcome.whole += outcome.failed == before;
}

static void check_files(const char *what, int number, struct file db, struct file wal)
{
    char error[512] = "";
    outcome.what = what;
    outcome.number = number;
    lay_out(db, wal);
    int rc = store_open(path, &store, error, sizeof(error));
    if (rc < 0) {
        expect(strstr(error, path), "%s %d: refused without a reason", what, number);
        outcome.refused++;
        return;
    }
    check_store();
    store_close(store);
    store = NULL;
}

/* --- damage to a file at rest --- */

static struct file good;

static void make_good(void)
{
    make_dir();
    open_store();
    for (int d = 0; d < DAYS; d++)
        put(d, 0, CALLS);
    store_close(store);
    good = slurp(path);
    memset(&outcome, 0, sizeof(outcome));
}

static void teardown(void)
{
    free(good.p);
    good = (struct file){0};
    remove_dir();
}

static void fill_noise(char *p, size_t n, struct rng *r)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)rng_next(r);
}

static void fill_zeros(char *p, size_t n, struct rng *r UNUSED)
{
    memset(p, 0, n);
}

static void flip_bit(char *p, size_t n, struct rng *r)
{
    p[rng_below(r, (int)n)] ^= (char)(1 << rng_below(r, 8));
}

static void take_another(char *p, size_t n, struct rng *r)
{
    memcpy(p, good.p + (size_t)rng_below(r, (int)(good.n / n)) * n, n);
}

static const struct {
    const char *what;
    void (*damage)(char *p, size_t n, struct rng *r);
    size_t unit; /* of that size, and at a multiple of it */
    int times;   /* 0: each one in turn */
} damages[] = {
    {"a page of zeros", fill_zeros, PAGE, 0},
    {"a page of noise", fill_noise, PAGE, 0},
    {"a sector of zeros", fill_zeros, SECTOR, 250},
    {"a sector of noise", fill_noise, SECTOR, 250},
    {"a bit", flip_bit, PAGE, 400},
    {"a page of another place", take_another, PAGE, 150},
};

START_TEST(what_a_damaged_file_gives_is_what_was_written)
{
    struct rng r = {92 + (uint64_t)_i};
    size_t unit = damages[_i].unit;
    int units = (int)(good.n / unit), times = damages[_i].times ? damages[_i].times : units;
    for (int k = 0; k < times; k++) {
        struct file f = copy_of(good);
        int at = damages[_i].times ? rng_below(&r, units) : k;
        damages[_i].damage(f.p + (size_t)at * unit, unit, &r);
        check_files(damages[_i].what, k, f, (struct file){0});
        free(f.p);
    }
    ck_assert_int_gt(outcome.refused + outcome.failed, 0);
}
END_TEST

START_TEST(a_file_cut_short_is_refused_or_fails)
{
    struct rng r = {99};
    size_t lengths[60] = {
        1, 15, 16, 99, 100, SECTOR, PAGE - 1, PAGE, PAGE + 1, good.n - PAGE, good.n - 1};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        size_t n = lengths[i] ? lengths[i] : 1 + (size_t)rng_below(&r, (int)good.n - 1);
        check_files("cut short", (int)n, (struct file){good.p, n}, (struct file){0});
    }
    ck_assert_int_gt(outcome.refused, 0);
}
END_TEST

START_TEST(an_undamaged_file_is_whole)
{
    check_files("nothing", 0, good, (struct file){0});
    ck_assert_int_eq(outcome.whole, 1);
}
END_TEST

/* --- a database and a WAL of different moments --- */

#define MOMENTS 40
#define PAIRS 150

static struct {
    struct file db, wal;
} moments[MOMENTS];

/* As much of the WAL goes into the database as can; RESTART: and the WAL begins anew. */
static void checkpoint(int mode)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "SELECT * FROM whole", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void take_moments(void)
{
    static const int modes[] = {SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_RESTART};
    struct rng r = {100};
    make_dir();
    open_store();
    for (int m = 0; m < MOMENTS; m++) {
        int step = CALLS * DAYS / MOMENTS, at = m * step;
        put(at / CALLS, at % CALLS, at % CALLS + step);
        if (rng_one_in(&r, 3))
            checkpoint(modes[rng_below(&r, 2)]);
        moments[m].db = slurp(path);
        moments[m].wal = slurp(wal_path);
    }
    store_close(store);
    memset(&outcome, 0, sizeof(outcome));
}

static void forget_moments(void)
{
    for (int m = 0; m < MOMENTS; m++) {
        free(moments[m].db.p);
        free(moments[m].wal.p);
    }
    remove_dir();
}

START_TEST(the_database_was_copied_first_and_the_wal_later)
{
    struct rng r = {101};
    take_moments();
    for (int k = 0; k < PAIRS; k++) {
        int a = rng_below(&r, MOMENTS), b = a + rng_below(&r, MOMENTS - a);
        check_files("copy", a * 100 + b, moments[a].db, moments[b].wal);
    }
    ck_assert_int_gt(outcome.whole, 0);
    ck_assert_int_gt(outcome.refused, 0);
    forget_moments();
}
END_TEST

START_TEST(the_wal_was_copied_first_and_the_database_later)
{
    struct rng r = {102};
    take_moments();
    for (int k = 0; k < PAIRS; k++) {
        int a = rng_below(&r, MOMENTS), b = a + rng_below(&r, MOMENTS - a);
        check_files("copy", a * 100 + b, moments[b].db, moments[a].wal);
    }
    ck_assert_int_gt(outcome.whole, 0);
    forget_moments();
}
END_TEST

START_TEST(the_database_was_copied_alone)
{
    take_moments();
    for (int m = 0; m < MOMENTS; m++)
        check_files("copy", m, moments[m].db, (struct file){0});
    ck_assert_int_gt(outcome.whole, 0);
    forget_moments();
}
END_TEST

/* A power cut loses what was written last to the WAL, or parts of it. */
START_TEST(the_end_of_the_wal_was_lost)
{
    struct rng r = {103};
    take_moments();
    for (int k = 0; k < PAIRS; k++) {
        int m = rng_below(&r, MOMENTS);
        struct file wal = copy_of(moments[m].wal);
        if (k % 2)
            wal.n = (size_t)rng_below(&r, (int)wal.n + 1);
        for (int torn = 0; torn < 3 && k % 2 == 0 && wal.n > 3 * PAGE; torn++)
            fill_noise(wal.p + wal.n - (size_t)rng_below(&r, 3 * PAGE - SECTOR) - SECTOR, SECTOR,
                       &r);
        check_files(k % 2 ? "cut WAL" : "torn WAL", m, moments[m].db, wal);
        free(wal.p);
    }
    ck_assert_int_gt(outcome.whole, 0);
    forget_moments();
}
END_TEST

START_TEST(some_pages_are_of_another_moment)
{
    struct rng r = {104};
    take_moments();
    for (int k = 0; k < PAIRS; k++) {
        int a = rng_below(&r, MOMENTS), b = rng_below(&r, MOMENTS);
        struct file f = copy_of(moments[a].db), other = moments[b].db;
        for (size_t at = 0; at + PAGE <= f.n && at + PAGE <= other.n; at += PAGE)
            if (rng_one_in(&r, 1 + k % 8))
                memcpy(f.p + at, other.p + at, PAGE);
        check_files("pages", a * 100 + b, f, (struct file){0});
        free(f.p);
    }
    ck_assert_int_gt(outcome.refused + outcome.failed, 0);
    forget_moments();
}
END_TEST

int main(void)
{
    const struct unit_test at_rest[] = {
        ONCE(an_undamaged_file_is_whole),
        EACH(what_a_damaged_file_gives_is_what_was_written, damages),
        ONCE(a_file_cut_short_is_refused_or_fails),
    };
    const struct unit_test copies[] = {
        ONCE(the_database_was_copied_first_and_the_wal_later),
        ONCE(the_wal_was_copied_first_and_the_database_later),
        ONCE(the_database_was_copied_alone),
        ONCE(the_end_of_the_wal_was_lost),
        ONCE(some_pages_are_of_another_moment),
    };
    int failed = run_suite_with("damage", at_rest, ARRAY_LEN(at_rest), make_good, teardown);
    return RUN_SUITE("copies", copies) || failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
