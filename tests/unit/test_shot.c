// SPDX-License-Identifier: MIT
#include "fs/shot.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/render.h"
#include "tests/unit/cache_fixture.h"

#define INO 77

static struct shots *shots;

static void setup(void)
{
    fx_setup();
    shots = shots_create(fx.dir, DIALECT_LATEST);
    ck_assert_ptr_nonnull(shots);
}

static void teardown(void)
{
    shots_destroy(shots);
    shots = NULL;
    fx_teardown();
}

/* The file of that day's calls; `ago` as in fx_day(). */
static struct dir file_of(enum tree tree, int ago)
{
    return (struct dir){.kind = FILE_RENDERED, .tree = tree, .q = fx_day(ago)};
}

static struct shot_info take(const struct dir *d, uint64_t ino)
{
    struct shot_info i = {0};
    int rc = shots_take(shots, fx.cache, d, ino, &i);
    ck_assert_msg(rc == 0, "%d", rc);
    return i;
}

/* All of a snapshot; the caller frees. */
static char *read_all(const struct shot_info *i)
{
    char *text = malloc((size_t)i->size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(shots_read(shots, i->id, text, (size_t)i->size, 0), i->size);
    text[i->size] = '\0';
    return text;
}

static int take_body(void *arg, struct slice body)
{
    render_ndjson_row(arg, body);
    return 0;
}

/* What the file should hold now. */
static struct buf expected(const struct dir *d)
{
    struct buf b = buf_make(1 << 24);
    ck_assert_int_eq(cache_bodies(fx.cache, &d->q, take_body, &b), 0);
    return b;
}

static void expect_current(const struct dir *d, const struct shot_info *i)
{
    struct buf b = expected(d);
    char *text = read_all(i);
    ck_assert_int_eq(i->size, (int64_t)b.len);
    ck_assert(memcmp(text, buf_text(&b), b.len) == 0);
    buf_release(&b);
    free(text);
}

/* The file of the snapshots, which has no name. */
static struct stat stat_of_file(void)
{
    DIR *dp = opendir("/proc/self/fd");
    struct stat ret = {0};
    for (struct dirent *e; (e = readdir(dp));) {
        char name[300], target[300] = "";
        struct stat st;
        snprintf(name, sizeof(name), "/proc/self/fd/%s", e->d_name);
        ssize_t n = readlink(name, target, sizeof(target) - 1);
        if (n > 0 && strstr(target, fx.dir) && strstr(target, "(deleted)") && stat(name, &st) == 0)
            ret = st;
    }
    closedir(dp);
    ck_assert(S_ISREG(ret.st_mode));
    return ret;
}

/* Bytes of the disk that it takes. */
static int64_t disk_bytes(void)
{
    return stat_of_file().st_blocks * 512;
}

START_TEST(its_file_is_private_whatever_the_umask)
{
    mode_t before = umask(0);
    shots_destroy(shots);
    shots = shots_create(fx.dir, DIALECT_LATEST);
    umask(before);
    ck_assert_ptr_nonnull(shots);
    struct stat st = stat_of_file();
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_uint_eq(st.st_nlink, 0);
}
END_TEST

/* --- what a file holds --- */

START_TEST(a_file_has_its_calls_in_the_order_of_end_time_then_uuid)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    int64_t day = TODAY - 3 * DAY;
    fake_add(fx.fake, 2, day + 100);
    fake_add(fx.fake, 1, day + 100);
    fake_add(fx.fake, 3, day + 50);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    struct shot_info i = take(&d, INO);
    char *text = read_all(&i), *a = strstr(text, "call-000003"), *b = strstr(text, "call-000001"),
         *c = strstr(text, "call-000002");
    ck_assert(a && b && c && a < b && b < c);
    ck_assert_int_eq(i.mtime, day + 100);
    ck_assert_uint_eq(i.ino, INO);
    ck_assert_uint_ne(i.id & NODE_SHOT, 0);
    free(text);
    expect_current(&d, &i);
}
END_TEST

START_TEST(csv_has_a_header_and_a_row_a_call)
{
    struct dir d = file_of(TREE_CSV, 3);
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    struct shot_info i = take(&d, INO);
    struct buf header = buf_make(4096);
    render_csv_header(&header, DIALECT_LATEST);
    char *text = read_all(&i);
    int lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    ck_assert_int_eq(lines, 31);
    ck_assert(strncmp(text, header.p, header.len) == 0);
    buf_release(&header);
    free(text);
}
END_TEST

START_TEST(an_empty_day_is_a_header_or_nothing)
{
    struct dir csv = file_of(TREE_CSV, 3), ndjson = file_of(TREE_NDJSON, 3);
    struct buf header = buf_make(4096);
    render_csv_header(&header, DIALECT_LATEST);
    struct shot_info i = take(&csv, INO), j = take(&ndjson, INO + 1);
    ck_assert_int_eq(i.size, (int64_t)header.len);
    ck_assert_int_eq(i.mtime, TODAY - 3 * DAY);
    ck_assert_int_eq(j.size, 0);
    ck_assert_int_eq(j.mtime, TODAY - 3 * DAY);
    char byte;
    ck_assert_int_eq(shots_read(shots, j.id, &byte, 1, 0), 0);
    buf_release(&header);
}
END_TEST

START_TEST(any_part_can_be_read)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    char part[512];
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    struct shot_info first = take(&d, INO); /* stands before the one that is read */
    struct dir other = file_of(TREE_CSV, 3);
    struct shot_info behind = take(&other, INO + 1);
    char *text = read_all(&first), *csv = read_all(&behind);
    for (int64_t off = 0; off <= first.size + 600; off += 97) {
        int64_t left = off < first.size ? first.size - off : 0;
        int64_t want = left < (int64_t)sizeof(part) ? left : (int64_t)sizeof(part);
        ck_assert_int_eq(shots_read(shots, first.id, part, sizeof(part), off), want);
        ck_assert(memcmp(part, text + (want ? off : 0), (size_t)want) == 0);
    }
    ck_assert_int_eq(shots_read(shots, first.id, part, sizeof(part), INT64_MAX), 0);
    ck_assert_ptr_nonnull(strstr(csv, "call-000030"));
    free(text);
    free(csv);
}
END_TEST

START_TEST(a_large_file_is_whole)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    static char note[40000];
    memset(note, 'x', sizeof(note) - 1);
    fake_add_many(fx.fake, 1, 50, TODAY - 3 * DAY, 60);
    for (int i = 1; i <= 50; i++)
        fake_amend(fx.fake, i, note);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    struct shot_info i = take(&d, INO);
    ck_assert_int_gt(i.size, 50 * 39999);
    expect_current(&d, &i);
}
END_TEST

/* --- snapshots --- */

START_TEST(while_nothing_changes_it_is_the_same_snapshot)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    struct query other = fx_day(5);
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    fake_add_many(fx.fake, 100, 30, TODAY - 5 * DAY, 60);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    uint64_t id = take(&d, INO).id;
    ck_assert_uint_eq(take(&d, INO).id, id);
    ck_assert_int_eq(fx_ask(&other), 0); /* calls of another day */
    ck_assert_uint_eq(take(&d, INO).id, id);
}
END_TEST

/* Today with n calls, then more of them or another text in one. */
static struct dir change_today(bool amend, struct shot_info *before, char **text)
{
    struct dir d = file_of(TREE_NDJSON, 0);
    fake_add_many(fx.fake, 1, 30, NOON - 3000, 60);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    *before = take(&d, INO);
    *text = read_all(before);
    if (amend)
        fake_amend(fx.fake, 27, "other"); /* a refresh sees the newest twenty */
    else
        fake_add_many(fx.fake, 100, 5, NOON + 10, 60);
    fx_set_now(NOON + HOUR);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    return d;
}

START_TEST(a_snapshot_stays_while_its_calls_change)
{
    struct shot_info old, new, info;
    char *text;
    struct dir d = change_today(_i, &old, &text);
    new = take(&d, INO);
    ck_assert_uint_ne(new.id, old.id);
    ck_assert_uint_eq(new.ino, old.ino);
    char *again = read_all(&old);
    ck_assert_str_eq(again, text);
    expect_current(&d, &new);
    ck_assert_int_eq(shots_get(shots, old.id, &info), 0);
    ck_assert_int_eq(info.size, old.size);
    ck_assert_int_gt(new.size, old.size);
    ck_assert_int_gt(new.mtime, old.mtime);
    free(text);
    free(again);
}
END_TEST

START_TEST(forgetting_the_old_one_leaves_the_new_one)
{
    struct shot_info old, new, info;
    char *text, byte;
    struct dir d = change_today(false, &old, &text);
    new = take(&d, INO);
    shots_forget(shots, old.id, 1);
    ck_assert_int_eq(shots_get(shots, old.id, &info), -ENOENT);
    ck_assert_int_eq(shots_read(shots, old.id, &byte, 1, 0), -ENOENT);
    expect_current(&d, &new);
    ck_assert_uint_eq(take(&d, INO).id, new.id);
    free(text);
}
END_TEST

START_TEST(a_snapshot_lives_as_long_as_its_lookups)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    struct shot_info info;
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    struct shot_info i = take(&d, INO);
    take(&d, INO);
    shots_forget(shots, i.id, 1);
    ck_assert_int_eq(shots_get(shots, i.id, &info), 0);
    shots_forget(shots, i.id, 5);
    ck_assert_int_eq(shots_get(shots, i.id, &info), -ENOENT);
    shots_forget(shots, i.id, 1);
    shots_forget(shots, 12345, 1);
    struct shot_info j = take(&d, INO);
    ck_assert_uint_ne(j.id, i.id);
    expect_current(&d, &j);
}
END_TEST

START_TEST(what_is_forgotten_takes_no_room)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    static char note[40000];
    memset(note, 'x', sizeof(note) - 1);
    fake_add_many(fx.fake, 1, 20, TODAY - 3 * DAY, 60);
    for (int i = 1; i <= 20; i++)
        fake_amend(fx.fake, i, note);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    for (int i = 0; i < 20; i++) {
        struct shot_info s = take(&d, INO);
        ck_assert_int_ge(disk_bytes(), s.size);
        shots_forget(shots, s.id, 1);
        ck_assert_int_le(disk_bytes(), 64 * 1024);
    }
}
END_TEST

START_TEST(small_ones_that_are_forgotten_take_no_room_either)
{
    struct dir d = file_of(TREE_CSV, 3);
    for (int i = 0; i < 400; i++) { /* less than a block each */
        struct shot_info s = take(&d, INO);
        shots_forget(shots, s.id, 1);
    }
    ck_assert_int_le(disk_bytes(), 64 * 1024);
}
END_TEST

START_TEST(after_the_stop_no_file_is_made)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    struct shot_info i;
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    shots_stop(shots);
    ck_assert_int_eq(shots_take(shots, fx.cache, &d, INO, &i), -ENOTCONN);
}
END_TEST

START_TEST(after_the_stop_no_empty_file_is_made_either)
{
    struct dir d = file_of(TREE_CSV, 3);
    struct shot_info i;
    shots_stop(shots);
    ck_assert_int_eq(shots_take(shots, fx.cache, &d, INO, &i), -ENOTCONN);
}
END_TEST

START_TEST(without_a_directory_there_are_none)
{
    ck_assert_ptr_null(shots_create("/nonexistent/dir", DIALECT_LATEST));
    shots_destroy(NULL);
}
END_TEST

/* --- threads --- */

static atomic_uint_least64_t current;

static void *read_current(void *arg UNUSED)
{
    char part[4096];
    for (uint64_t id; (id = atomic_load(&current));) {
        struct shot_info i;
        if (id != 1 && shots_get(shots, id, &i) == 0)
            expect(shots_read(shots, id, part, sizeof(part), 0) != 0, "nothing read");
    }
    return NULL;
}

START_TEST(snapshots_are_read_while_others_are_made)
{
    struct dir d = file_of(TREE_NDJSON, 3);
    pthread_t thread;
    fake_add_many(fx.fake, 1, 30, TODAY - 3 * DAY, 60);
    ck_assert_int_eq(fx_ask(&d.q), 0);
    atomic_store(&current, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_current, NULL), 0);
    for (uint64_t ino = 100; ino < 300; ino++) {
        struct shot_info i = take(&d, ino);
        uint64_t before = atomic_exchange(&current, i.id);
        if (ino % 2)
            shots_forget(shots, before, 1);
    }
    atomic_store(&current, 0);
    pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(its_file_is_private_whatever_the_umask),
        ONCE(a_file_has_its_calls_in_the_order_of_end_time_then_uuid),
        ONCE(csv_has_a_header_and_a_row_a_call),
        ONCE(an_empty_day_is_a_header_or_nothing),
        ONCE(any_part_can_be_read),
        ONCE(a_large_file_is_whole),
        ONCE(while_nothing_changes_it_is_the_same_snapshot),
        {a_snapshot_stays_while_its_calls_change, 2},
        ONCE(forgetting_the_old_one_leaves_the_new_one),
        ONCE(a_snapshot_lives_as_long_as_its_lookups),
        ONCE(what_is_forgotten_takes_no_room),
        ONCE(small_ones_that_are_forgotten_take_no_room_either),
        ONCE(after_the_stop_no_file_is_made),
        ONCE(after_the_stop_no_empty_file_is_made_either),
        ONCE(without_a_directory_there_are_none),
        ONCE(snapshots_are_read_while_others_are_made),
    };
    return run_suite_with("shot", tests, ARRAY_LEN(tests), setup, teardown);
}
