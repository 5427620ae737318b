// SPDX-License-Identifier: MIT
#include "ctl/mounts.h"

#include "tests/unit/check_util.h"

static const char table[] =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "40 22 0:44 / /mnt/calls rw,nosuid,nodev shared:9 master:2 - fuse.cdrfs MAX rw,user_id=0\n"
    "41 22 0:45 / /mnt/a\\040b\\134c rw - fuse.cdrfs MAX rw\n"
    "42 22 0:46 / /mnt/other rw - fuse.sshfs host: rw\n"
    "43 40 0:47 / /mnt/calls rw - fuse.cdrfs MAX rw\n"
    "44 22 0:48 / /mnt/cdrfs rw - fuse.cdrfs2 - fuse.cdrfs rw\n"
    "45 40 0:49 / /mnt/calls/sub rw - fuse.cdrfs MAX rw\n"
    "broken\n\n46 22 0:1 / /x rw - fuse.cdrfs\n";

static struct mounts mounts;

static void setup(void)
{
    ck_assert_int_eq(mounts_parse(table, &mounts), 0);
}

static void teardown(void)
{
    mounts_release(&mounts);
}

START_TEST(those_of_cdrfs_are_found_each_once)
{
    ck_assert_uint_eq(mounts.n, 3);
    ck_assert_str_eq(mounts.v[0], "/mnt/calls");
    ck_assert_str_eq(mounts.v[1], "/mnt/a b\\c");
    ck_assert_str_eq(mounts.v[2], "/mnt/calls/sub");
}
END_TEST

static const struct {
    const char *path, *mount, *rest; /* mount NULL: in none */
} places[] = {
    {"/mnt/calls", "/mnt/calls", ""},
    {"/mnt/calls/by-date/2026-05-26", "/mnt/calls", "by-date/2026-05-26"},
    {"/mnt/calls/sub/x", "/mnt/calls/sub", "x"},
    {"/mnt/callsign", NULL, NULL},
    {"/mnt", NULL, NULL},
    {"", NULL, NULL},
    {"/mnt/a b\\c/x", "/mnt/a b\\c", "x"},
    {"/mnt/other/x", NULL, NULL},
};

START_TEST(the_nearest_mount_above_a_path)
{
    const char *rest = NULL, *mount = mounts_above(&mounts, places[_i].path, &rest);
    ck_assert_pstr_eq(mount, places[_i].mount);
    ck_assert_pstr_eq(rest, places[_i].rest);
}
END_TEST

static const struct {
    const char *dir, *path, *expected;
} clean[] = {
    {"/a/b", "c", "/a/b/c"},
    {"/a/b", "/c", "/c"},
    {"/a/b", "../c/./d//", "/a/c/d"},
    {"/a", "../../..", ""},
    {"/", "x", "/x"},
    {"", "by-date", "/by-date"},
    {"/a/b", "", "/a/b"},
    {"/a", "a..b/...", "/a/a..b/..."},
};

START_TEST(a_path_is_cleaned)
{
    char out[CTL_PATH_MAX];
    ck_assert_int_eq(path_clean(clean[_i].dir, clean[_i].path, out), 0);
    ck_assert_str_eq(out, clean[_i].expected);
}
END_TEST

START_TEST(one_that_is_too_long_is_refused)
{
    char out[CTL_PATH_MAX], path[CTL_PATH_MAX + 8];
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_lt(path_clean("/", path, out), 0);
}
END_TEST

static const struct {
    const char *path, *expected;
} explained[] = {
    {"by-date/2026-05-26", "by-date/2026-05-26"},
    {"by-date/2026-05-26/abc.json", "by-uuid/abc.json"},
    {"by-direction/inbound/2026-05/abc.json", "by-direction/inbound/by-uuid/abc.json"},
    {"by-date/2026-05-01..2026-05-03/abc.json", "by-uuid/abc.json"},
    {"by-uuid/abc.json", "by-uuid/abc.json"},
    {"abc.json", "abc.json"},
    {"2026-05-26/abc.json", "2026-05-26/abc.json"},
    {"csv/by-date/2026-05-26.csv", "csv/by-date/2026-05-26.csv"},
    {"", ""},
};

START_TEST(a_call_of_a_date_is_explained_as_one_of_by_uuid)
{
    char out[CTL_PATH_MAX];
    ck_assert_int_eq(path_explained(explained[_i].path, out), 0);
    ck_assert_str_eq(out, explained[_i].expected);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(those_of_cdrfs_are_found_each_once),
        EACH(the_nearest_mount_above_a_path, places),
        EACH(a_path_is_cleaned, clean),
        ONCE(one_that_is_too_long_is_refused),
        EACH(a_call_of_a_date_is_explained_as_one_of_by_uuid, explained),
    };
    return run_suite_with("mounts", tests, ARRAY_LEN(tests), setup, teardown);
}
