// SPDX-License-Identifier: MIT
#include "fs/path.h"

#include <errno.h>

#include "api/utc.h"
#include "tests/unit/check_util.h"

#define TODAY ((int64_t)1779753600) /* 2026-05-26 00:00:00 */
#define NOW (TODAY + 13 * 3600 + 32 * 60)

/* Walks a path from the root; where it ends, or -ENOENT with the reason. */
static int walk(const char *path, struct dir *ret, const char **reason)
{
    char name[300];
    *ret = path_root();
    *reason = NULL;
    while (*path) {
        struct dir next;
        size_t n = strcspn(path, "/");
        ck_assert(str_copy(name, sizeof(name), path, n));
        int rc = path_child(ret, name, NOW, &next, reason);
        if (rc < 0)
            return rc;
        *ret = next;
        path += n + (path[n] == '/');
    }
    return 0;
}

static struct dir dir_at(const char *path)
{
    struct dir d;
    const char *reason;
    int rc = walk(path, &d, &reason);
    ck_assert_msg(rc == 0, "%s: %s", path, reason ? reason : "?");
    return d;
}

/* --- what resolves --- */

static const struct {
    const char *path;
    enum dir_kind kind;
    enum tree tree;
} resolving[] = {
    {"", DIR_FILTERS, TREE_JSON},
    {"by-date", DIR_DATES, TREE_JSON},
    {"by-date/2026-05-26", DIR_WINDOW, TREE_JSON},
    {"by-date/2026-05", DIR_WINDOW, TREE_JSON},
    {"by-date/2026-05-26T13", DIR_WINDOW, TREE_JSON},
    {"by-direction", DIR_AXIS, TREE_JSON},
    {"by-direction/inbound", DIR_FILTERS, TREE_JSON},
    {"by-direction/outbound/2026-05-26", DIR_WINDOW, TREE_JSON},
    {"by-direction/outbound/by-date", DIR_DATES, TREE_JSON},
    {"by-direction/outbound/by-date/2026-05-26", DIR_WINDOW, TREE_JSON},
    {"by-direction/outbound/by-direction/inbound", DIR_FILTERS, TREE_JSON},
    {"by-from/1415/2026-05-26", DIR_WINDOW, TREE_JSON},
    {"by-to/14155550100", DIR_FILTERS, TREE_JSON},
    {"by-trunk/2969858100306124", DIR_FILTERS, TREE_JSON},
    {"by-bill-duration/180", DIR_FILTERS, TREE_JSON},
    {"by-bill-duration/gt-7200", DIR_FILTERS, TREE_JSON},
    {"by-bill-duration/gte-60/by-bill-duration/lt-120/2026-05-26", DIR_WINDOW, TREE_JSON},
    {"by-bill-duration/lte-0", DIR_FILTERS, TREE_JSON},
    {"by-end-time/2026-05-26T13:32", DIR_FILTERS, TREE_JSON},
    {"by-end-time/gte-2026-05-26T13:32:06", DIR_FILTERS, TREE_JSON},
    {"by-initiation-time/lt-2026-05-26T13:32", DIR_FILTERS, TREE_JSON},
    {"by-hangup-cause/4160", DIR_FILTERS, TREE_JSON},
    {"by-hangup-source/zentrunk", DIR_FILTERS, TREE_JSON},
    {"by-stir/not-applicable", DIR_FILTERS, TREE_JSON},
    {"by-uuid", DIR_UUID, TREE_JSON},
    {"by-direction/outbound/by-uuid", DIR_UUID, TREE_JSON},
    {"csv", DIR_FILTERS, TREE_CSV},
    {"csv/by-date", DIR_DATES, TREE_CSV},
    {"csv/by-date/2026-05-26.csv", FILE_RENDERED, TREE_CSV},
    {"csv/by-date/2026-05.csv", FILE_RENDERED, TREE_CSV},
    {"csv/by-date/2026-05-26T13.csv", FILE_RENDERED, TREE_CSV},
    {"csv/by-direction/outbound/by-stir/verified/2026-05-26.csv", FILE_RENDERED, TREE_CSV},
    {"ndjson/by-date/2026-05-26.ndjson", FILE_RENDERED, TREE_NDJSON},
    {"ndjson/by-from/1/by-to/2/2026-05-26.ndjson", FILE_RENDERED, TREE_NDJSON},
    {"by-direction/outbound/by-trunk/2969858100306124/by-bill-duration/gte-60/2026-05-26",
     DIR_WINDOW, TREE_JSON},
};

START_TEST(a_path_of_the_grammar_resolves)
{
    struct dir d = dir_at(resolving[_i].path);
    ck_assert_int_eq((int)d.kind, (int)resolving[_i].kind);
    ck_assert_int_eq((int)d.tree, (int)resolving[_i].tree);
}
END_TEST

/* --- what does not --- */

static const char *const refused[] = {
    "by-nothing",
    "2026-05-26",
    "Csv",
    "BY-DATE",
    "by-date ",
    ".git",
    "by-date/yesterday",
    "by-date/2026",
    "by-date/2026-5-26",
    "by-date/26-05-2026",
    "by-date/2026-05-26 ",
    "by-date/2026-05-26/",
    "by-date/2026-05-26T",
    "by-date/2026-05-26T1",
    "by-date/2026-05-26T24",
    "by-date/2026-05-26t13",
    "by-date/2026-05-26T13:00",
    "by-date/2026-00",
    "by-date/2026-13",
    "by-date/2026-02-29",
    "by-date/2026-02-30",
    "by-date/2026-04-31",
    "by-date/0000-01-01",
    "by-date/2026-05-27", /* the future */
    "by-date/2026-06",
    "by-date/2026-05-26T14",
    "by-date/9999-12",
    "by-date/2026-05-26.csv",
    "by-date/by-direction",
    "by-date/2026-05-26/by-direction",
    "by-date/2026-05-26/2026-05-26",
    "by-direction/sideways",
    "by-direction/Outbound",
    "by-direction/outbound/csv",
    "by-direction/outbound/by-nothing",
    "by-direction/by-date",
    "by-from/+1415",
    "by-from/14a",
    "by-from/-",
    "by-from/123456789012345678901234",
    "by-trunk/x",
    "by-bill-duration/gt7200",
    "by-bill-duration/eq-7200",
    "by-bill-duration/gt-",
    "by-bill-duration/-1",
    "by-bill-duration/007",
    "by-bill-duration/gte-00",
    "by-bill-duration/+1",
    "by-bill-duration/1.5",
    "by-bill-duration/99999999999999999999",
    "by-end-time/2026-05-26",
    "by-end-time/2026-05-26 13:32",
    "by-end-time/2026-05-26T13:32:60",
    "by-end-time/2026-05-26T13:60",
    "by-end-time/2026-05-26T24:00",
    "by-end-time/2026-02-29T00:00",
    "by-end-time/2026-05-26T13:32Z",
    "by-end-time/gte-",
    "by-hangup-cause/gt-4160",
    "by-hangup-cause/0416",
    "by-hangup-source/nobody",
    "by-stir/Verified",
    "by-uuid/by-direction",
    "by-uuid/2026-05-26",
    "csv/by-uuid",
    "csv/by-direction/inbound/by-uuid",
    "csv/csv",
    "csv/ndjson",
    "csv/by-date/2026-05-26",
    "csv/by-date/2026-05-26.ndjson",
    "csv/by-date/2026-05-26.CSV",
    "csv/by-date/.csv",
    "csv/by-date/2026-05-27.csv",
    "csv/by-date/2026-05-26.csv/2026-05-26.csv",
    "csv/by-date/2026-05-26.csv.csv",
    "ndjson/by-date/2026-05-26.csv",
    "ndjson/by-date/2026-05-26",
};

START_TEST(any_other_name_is_not_there_for_a_reason)
{
    struct dir d;
    const char *path = refused[_i], *reason, *slash = strrchr(path, '/');
    if (slash && !slash[1]) { /* an empty name */
        d = dir_at("by-date");
        ck_assert_int_eq(path_child(&d, "", NOW, &d, &reason), -ENOENT);
        return;
    }
    ck_assert_msg(walk(path, &d, &reason) == -ENOENT, "%s resolves", path);
    ck_assert_ptr_nonnull(reason);
    ck_assert(*reason);
}
END_TEST

START_TEST(every_short_name_is_decided)
{
    static const char letters[] = "012-T:.bygtel/ +";
    struct rng r = {20260526};
    struct dir parents[] = {dir_at(""),
                            dir_at("by-date"),
                            dir_at("by-direction"),
                            dir_at("csv"),
                            dir_at("by-from/1"),
                            dir_at("by-end-time"),
                            dir_at("csv/by-date"),
                            dir_at("by-bill-duration")};
    for (int i = 0; i < 200000; i++) {
        char name[24];
        int n = rng_below(&r, 23);
        struct dir d;
        const char *reason = NULL;
        for (int j = 0; j < n; j++)
            name[j] = letters[rng_below(&r, (int)sizeof(letters) - 1)];
        name[n] = '\0';
        char *copy = exact_copy(name, (size_t)n + 1);
        int rc =
            path_child(&parents[rng_below(&r, (int)ARRAY_LEN(parents))], copy, NOW, &d, &reason);
        expect(rc == 0 || (rc == -ENOENT && reason), "\"%s\": %d", name, rc);
        free(copy);
    }
}
END_TEST

/* --- dates --- */

static const struct {
    const char *name, *lo, *hi;
} dates[] = {
    {"2026-05-26", "2026-05-26 00:00:00", "2026-05-27 00:00:00"},
    {"2026-05", "2026-05-01 00:00:00", "2026-06-01 00:00:00"},
    {"2026-12", "2026-12-01 00:00:00", "2027-01-01 00:00:00"},
    {"2026-12-31", "2026-12-31 00:00:00", "2027-01-01 00:00:00"},
    {"2026-05-26T00", "2026-05-26 00:00:00", "2026-05-26 01:00:00"},
    {"2026-05-26T23", "2026-05-26 23:00:00", "2026-05-27 00:00:00"},
    {"2024-02-29", "2024-02-29 00:00:00", "2024-03-01 00:00:00"},
    {"2024-02", "2024-02-01 00:00:00", "2024-03-01 00:00:00"},
    {"2025-02", "2025-02-01 00:00:00", "2025-03-01 00:00:00"},
    {"2000-02-29", "2000-02-29 00:00:00", "2000-03-01 00:00:00"},
    {"1970-01-01", "1970-01-01 00:00:00", "1970-01-02 00:00:00"},
    {"1969-12-31T23", "1969-12-31 23:00:00", "1970-01-01 00:00:00"},
};

static int64_t moment(const char *text)
{
    int64_t t;
    ck_assert_int_eq(utc_parse(text, strlen(text), &t), 0);
    return t;
}

START_TEST(a_date_is_its_interval)
{
    struct range r;
    ck_assert_int_eq(path_date(dates[_i].name, &r), 0);
    ck_assert_int_eq(r.lo, moment(dates[_i].lo));
    ck_assert_int_eq(r.hi, moment(dates[_i].hi));
}
END_TEST

static const char *const no_dates[] = {
    "",           "2026",        "2026-13",      "2026-00-10",    "2026-02-29",    "1900-02-29",
    "2100-02-29", "2026-06-31",  "2026-05-00",   "2026-05-26T24", "2026-05-26T-1", "2026-05-2",
    "2026/05/26", " 2026-05-26", "2026-05-26\n", "２０２６-05"};

START_TEST(what_is_in_no_calendar_is_no_date)
{
    struct range r = {7, 8};
    ck_assert_int_eq(path_date(no_dates[_i], &r), -EINVAL);
    ck_assert(r.lo == 7 && r.hi == 8);
}
END_TEST

START_TEST(today_and_this_hour_resolve_and_what_begins_later_does_not)
{
    struct dir dates_dir = dir_at("by-date"), d;
    const char *reason;
    ck_assert_int_eq(path_child(&dates_dir, "2026-05-26", TODAY, &d, &reason), 0);
    ck_assert_int_eq(path_child(&dates_dir, "2026-05-26", TODAY - 1, &d, &reason), -ENOENT);
    ck_assert_int_eq(path_child(&dates_dir, "2026-05-26T13", NOW, &d, &reason), 0);
    ck_assert_int_eq(path_child(&dates_dir, "2026-05-26T14", NOW, &d, &reason), -ENOENT);
    ck_assert_int_eq(path_child(&dates_dir, "2026-05", NOW, &d, &reason), 0);
}
END_TEST

/* --- what a directory asks for --- */

START_TEST(conditions_come_together)
{
    struct dir d = dir_at("by-direction/outbound/by-bill-duration/gte-60/by-bill-duration/lt-120/"
                          "by-from/14/by-from/1415/by-trunk/29/2026-05-26");
    const struct query *q = &d.q;
    ck_assert_int_eq(q->num[AXIS_DIRECTION].lo, DIRECTION_OUTBOUND);
    ck_assert_int_eq(q->num[AXIS_DIRECTION].hi, DIRECTION_OUTBOUND + 1);
    ck_assert_int_eq(q->num[AXIS_BILL_DURATION].lo, 60);
    ck_assert_int_eq(q->num[AXIS_BILL_DURATION].hi, 120);
    ck_assert_str_eq(q->text[AXIS_FROM], "1415");
    ck_assert_str_eq(q->text[AXIS_TRUNK], "29");
    ck_assert_int_eq(q->num[AXIS_END_TIME].lo, TODAY);
    ck_assert_int_eq(q->num[AXIS_END_TIME].hi, TODAY + UTC_DAY);
    ck_assert(!q->none);
}
END_TEST

static const char *const contradictions[] = {
    "by-direction/outbound/by-direction/inbound",
    "by-bill-duration/60/by-bill-duration/61",
    "by-bill-duration/gt-60/by-bill-duration/lt-60",
    "by-from/1415/by-from/1416",
    "by-trunk/1/by-trunk/11",
    "by-hangup-cause/4160/by-hangup-cause/4161/2026-05-26",
    "by-end-time/lt-2026-05-25T00:00/2026-05-26",
    "csv/by-stir/verified/by-stir/not-verified/2026-05-26.csv",
};

START_TEST(a_contradiction_resolves_and_holds_nothing)
{
    struct dir d = dir_at(contradictions[_i]);
    ck_assert(d.q.none);
}
END_TEST

static const struct {
    const char *form;
    int64_t lo, hi;
} moments[] = {
    {"2026-05-26T13:32", NOW, NOW + 60},
    {"2026-05-26T13:32:06", NOW + 6, NOW + 7},
    {"gt-2026-05-26T13:32", NOW + 60, INT64_MAX},
    {"gte-2026-05-26T13:32", NOW, INT64_MAX},
    {"lt-2026-05-26T13:32", INT64_MIN, NOW},
    {"lte-2026-05-26T13:32", INT64_MIN, NOW + 60},
    {"gt-2026-05-26T13:32:06", NOW + 7, INT64_MAX},
    {"lte-2026-05-26T13:32:06", INT64_MIN, NOW + 7},
};

START_TEST(a_time_is_all_of_its_minute_or_second)
{
    char path[64];
    snprintf(path, sizeof(path), "by-initiation-time/%s", moments[_i].form);
    struct dir d = dir_at(path);
    ck_assert_int_eq(d.q.num[AXIS_INITIATION_TIME].lo, moments[_i].lo);
    ck_assert_int_eq(d.q.num[AXIS_INITIATION_TIME].hi, moments[_i].hi);
}
END_TEST

/* --- names of calls --- */

START_TEST(a_call_is_named_by_its_uuid)
{
    char uuid[CALL_UUID_MAX], name[FILE_NAME_MAX], longest[CALL_UUID_MAX];
    path_call_name("6c3a8b60-26e0-4842-9387-2350de79f16b", name);
    ck_assert_str_eq(name, "6c3a8b60-26e0-4842-9387-2350de79f16b.json");
    ck_assert_int_eq(path_call(name, uuid), 0);
    ck_assert_str_eq(uuid, "6c3a8b60-26e0-4842-9387-2350de79f16b");
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    path_call_name(longest, name);
    ck_assert_int_eq(path_call(name, uuid), 0);
    ck_assert_str_eq(uuid, longest);
}
END_TEST

static const char *const no_calls[] = {
    "",
    ".json",
    "a",
    "a.JSON",
    "a.json ",
    ".git",
    "desktop.ini",
    "a b.json",
    "a/b.json",
    "../x.json",
    "a.json.json",
    "a\n.json",
    "..",
    "autorun.inf",
    "ä.json",
    "a.csv",
    "a.jsonl",
    ".a.json",
    "a%20.json",
    "json",
    ".hidden.json",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.json"};

START_TEST(a_name_that_cannot_be_a_call_is_not_there)
{
    char uuid[CALL_UUID_MAX];
    ck_assert_int_eq(path_call(no_calls[_i], uuid), -ENOENT);
}
END_TEST

START_TEST(trees_have_names_and_suffixes)
{
    ck_assert_str_eq(path_suffix(TREE_JSON), "");
    ck_assert_str_eq(path_suffix(TREE_CSV), ".csv");
    ck_assert_str_eq(path_suffix(TREE_NDJSON), ".ndjson");
    ck_assert_ptr_null(path_tree_name(TREE_JSON));
    ck_assert_str_eq(path_tree_name(TREE_CSV), "csv");
    ck_assert_str_eq(path_tree_name(TREE_NDJSON), "ndjson");
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(a_path_of_the_grammar_resolves, resolving),
        EACH(any_other_name_is_not_there_for_a_reason, refused),
        ONCE(every_short_name_is_decided),
        EACH(a_date_is_its_interval, dates),
        EACH(what_is_in_no_calendar_is_no_date, no_dates),
        ONCE(today_and_this_hour_resolve_and_what_begins_later_does_not),
        ONCE(conditions_come_together),
        EACH(a_contradiction_resolves_and_holds_nothing, contradictions),
        EACH(a_time_is_all_of_its_minute_or_second, moments),
        ONCE(a_call_is_named_by_its_uuid),
        EACH(a_name_that_cannot_be_a_call_is_not_there, no_calls),
        ONCE(trees_have_names_and_suffixes),
    };
    return RUN_SUITE("path", tests);
}
