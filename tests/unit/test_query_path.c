// SPDX-License-Identifier: MIT
#include "fs/query_path.h"

#include <string.h>

#include "fs/path.h"
#include "tests/unit/check_util.h"

#define NOW ((int64_t)1779796800) /* 2026-05-26 12:00:00 */

/* The query of a path below explain/, where ranges have names. */
static struct query query_of(const char *path)
{
    struct dir d = path_root(), below;
    char name[256];
    const char *reason;
    d.explained = true;
    while (*path) {
        size_t n = strcspn(path, "/");
        str_copy(name, sizeof(name), path, n);
        expect(path_child(&d, name, NOW, &below, &reason) == 0, "%s: %s", name, reason);
        d = below;
        path += n + (path[n] == '/');
    }
    return d.q;
}

static const char *const same[] = {
    "by-date",
    "by-date/2026-05-26",
    "by-date/2026-05",
    "by-date/2026-05-26T11",
    "by-date/2026-05-01..2026-05-20",
    "by-direction/outbound/2026-05-26",
    "by-direction/inbound/by-hangup-cause/4160/by-from/1415/by-trunk/2969858100306124/2026-05-26",
    "by-bill-duration/gte-60/by-bill-duration/lt-120/2026-05-26",
    "by-bill-duration/180/by-date",
    "by-hangup-source/carrier/by-stir/not-verified/by-to/44/by-date",
    "by-initiation-time/gte-2026-05-26T13:32:06/by-date",
    "by-end-time/gte-2026-05-26T10:00:00/by-end-time/lt-2026-05-26T10:30:00/by-date",
    "by-end-time/2026-05-26T10:00:07/by-date",
};

START_TEST(a_query_has_the_path_it_came_from)
{
    struct buf out = buf_make(QUERY_PATH_MAX);
    struct query q = query_of(same[_i]), back;
    query_path(&q, "", &out);
    ck_assert_str_eq(buf_text(&out), same[_i]);
    back = query_of(out.p);
    ck_assert(query_implies(&q, &back) && query_implies(&back, &q));
    buf_release(&out);
}
END_TEST

static const struct {
    int64_t lo, hi;
    const char *expected;
} days[] = {
    {NOW - 60, NOW, "by-date/2026-05-26"},
    {NOW - 60, NOW + 86400, "by-date/2026-05-26..2026-05-27"},
    {NOW - 12 * 3600, NOW + 1, "by-date/2026-05-26"},
    {INT64_MIN, INT64_MAX, "by-date"},
};

START_TEST(days_are_whole)
{
    struct buf out = buf_make(QUERY_PATH_MAX);
    struct query q = QUERY_ALL;
    q.num[AXIS_END_TIME] = (struct range){days[_i].lo, days[_i].hi};
    query_path_days(&q, "", &out);
    ck_assert_str_eq(buf_text(&out), days[_i].expected);
    buf_release(&out);
}
END_TEST

START_TEST(a_call_is_one_of_by_uuid)
{
    struct buf out = buf_make(QUERY_PATH_MAX);
    struct query q = query_of("by-direction/inbound");
    query_path(&q, "abc-1", &out);
    ck_assert_str_eq(buf_text(&out), "by-direction/inbound/by-uuid/abc-1.json");
    buf_release(&out);
}
END_TEST

static const struct {
    const char *name;
    int64_t lo, hi; /* 0: not one */
} ranges[] = {
    {"2026-05-26", NOW - 43200, NOW + 43200},
    {"2026-05-26..2026-05-26", NOW - 43200, NOW + 43200},
    {"2026-05-26..2026-05-27", NOW - 43200, NOW + 43200 + 86400},
    {"2026-05-26T12..2026-05-26T12", NOW, NOW + 3600},
    {"2026-05..2026-05", 1777593600, 1780272000},
    {"2026-05-26..2026-05-25", 0, 0},
    {"2026-05-26..", 0, 0},
    {"..2026-05-26", 0, 0},
    {"2026-05-26...2026-05-27", 0, 0},
    {"2026-05-26..2026-05-27..2026-05-28", 0, 0},
    {"2026-05-26xxxxxxxxxxxxxxxx..2026-05-27", 0, 0},
};

START_TEST(two_dates_are_a_range)
{
    struct range r = {0, 0};
    int rc = path_dates(ranges[_i].name, &r);
    ck_assert_int_eq(rc == 0, ranges[_i].hi != 0);
    if (rc == 0)
        expect(r.lo == ranges[_i].lo && r.hi == ranges[_i].hi, "%s", ranges[_i].name);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(a_query_has_the_path_it_came_from, same),
        EACH(days_are_whole, days),
        ONCE(a_call_is_one_of_by_uuid),
        EACH(two_dates_are_a_range, ranges),
    };
    return RUN_SUITE("query_path", tests);
}
