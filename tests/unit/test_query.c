// SPDX-License-Identifier: MIT
#include "api/query.h"

#include <errno.h>

#include "tests/unit/gen_query.h"

#define FROM (NUM_AXES + AXIS_FROM)
#define TO (NUM_AXES + AXIS_TO)
#define TRUNK (NUM_AXES + AXIS_TRUNK)
#define LEAST INT64_MIN
#define MOST INT64_MAX

/* --- the table --- */

START_TEST(every_axis_is_found_by_its_directory_only)
{
    ck_assert_int_eq(axis_by_dir(axes[_i].dir), _i);
    ck_assert_int_eq(strncmp(axes[_i].dir, "by-", 3), 0);
    ck_assert_int_eq(axis_by_dir(axes[_i].dir + 1), -1);
    ck_assert_ptr_nonnull(axes[_i].column);
    ck_assert_ptr_nonnull(axes[_i].doc);
    ck_assert_int_eq(axes[_i].choices != NULL, axes[_i].form == FORM_CHOICE);
}
END_TEST

/* DESIGN.md section 1; API.md sections 2 and 3. */
static const struct {
    const char *dir, *latest_field, *legacy_field, *latest_param, *legacy_param;
} names[] = {
    {"by-end-time", "end_time", "end_time", "end_time", "end_time"},
    {"by-initiation-time", "initiation_time", "initiation_time", NULL, "initiation_time"},
    {"by-bill-duration", "bill_duration", "bill_duration", "bill_duration", "bill_duration"},
    {"by-direction", "call_direction", "call_direction", "call_direction", "call_direction"},
    {"by-hangup-cause", "hangup_cause_code", "hangup_code", "hangup_cause_code", NULL},
    {"by-hangup-source", "hangup_source", "hangup_initiator", "hangup_source", NULL},
    {"by-stir", "stir_verification", "stir_verification", "stir_verification", NULL},
    {"by-from", "from_number", "from_number", "from_number", "from_number"},
    {"by-to", "to_number", "to_number", "to_number", "to_number"},
    {"by-trunk", NULL, "trunk_id", NULL, "trunk_id"},
};

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

START_TEST(names_differ_by_host_as_the_documents_say)
{
    int i = axis_by_dir(names[_i].dir);
    ck_assert_int_ge(i, 0);
    if (names[_i].latest_field)
        ck_assert_str_eq(axes[i].field[0], names[_i].latest_field);
    ck_assert_str_eq(axes[i].field[1], names[_i].legacy_field);
    ck_assert(same_text(axes[i].param[0], names[_i].latest_param));
    ck_assert(same_text(axes[i].param[1], names[_i].legacy_param));
}
END_TEST

START_TEST(an_unknown_directory_is_no_axis)
{
    ck_assert_int_eq(axis_by_dir(""), -1);
    ck_assert_int_eq(axis_by_dir("by-"), -1);
    ck_assert_int_eq(axis_by_dir("by-uuid"), -1);
    ck_assert_int_eq(axis_by_dir("by-date"), -1);
    ck_assert_int_eq(axis_by_dir("BY-FROM"), -1);
}
END_TEST

static const struct {
    int axis;
    const char *text;
    int want;
} spellings[] = {
    {AXIS_DIRECTION, "inbound", DIRECTION_INBOUND},
    {AXIS_DIRECTION, "outbound", DIRECTION_OUTBOUND},
    {AXIS_DIRECTION, "Outbound", DIRECTION_OUTBOUND},
    {AXIS_DIRECTION, "out", 0},
    {AXIS_DIRECTION, "outboundx", 0},
    {AXIS_DIRECTION, "", 0},
    {AXIS_HANGUP_SOURCE, "customer", 1},
    {AXIS_HANGUP_SOURCE, "Carrier", 2},
    {AXIS_HANGUP_SOURCE, "ZENTRUNK", 3},
    {AXIS_STIR, "Verified", 1},
    {AXIS_STIR, "Not Verified", 2},
    {AXIS_STIR, "not verified", 2},
    {AXIS_STIR, "Not Applicable", 3},
    {AXIS_STIR, "not applicable", 3},
    {AXIS_STIR, "not-applicable", 0},
};

START_TEST(choices_of_the_api_are_compared_without_case)
{
    const char *text = spellings[_i].text;
    ck_assert_int_eq(axis_choice_by_api(&axes[spellings[_i].axis], text, strlen(text)),
                     spellings[_i].want);
}
END_TEST

/* --- values of paths --- */

static const struct {
    int axis;
    const char *value;
    struct range want;
} ranges[] = {
    {AXIS_DIRECTION, "inbound", {1, 2}},
    {AXIS_DIRECTION, "outbound", {2, 3}},
    {AXIS_HANGUP_SOURCE, "zentrunk", {3, 4}},
    {AXIS_STIR, "verified", {1, 2}},
    {AXIS_STIR, "not-verified", {2, 3}},
    {AXIS_STIR, "not-applicable", {3, 4}},
    {AXIS_HANGUP_CAUSE, "4160", {4160, 4161}},
    {AXIS_HANGUP_CAUSE, "0", {0, 1}},
    {AXIS_BILL_DURATION, "180", {180, 181}},
    {AXIS_BILL_DURATION, "0", {0, 1}},
    {AXIS_BILL_DURATION, "gt-7200", {7201, MOST}},
    {AXIS_BILL_DURATION, "gte-7200", {7200, MOST}},
    {AXIS_BILL_DURATION, "lt-420", {LEAST, 420}},
    {AXIS_BILL_DURATION, "lte-7200", {LEAST, 7201}},
    {AXIS_BILL_DURATION, "9999999999", {9999999999, 10000000000}},
    {AXIS_END_TIME, "2026-05-26T13:32:06", {1779802326, 1779802327}},
    {AXIS_END_TIME, "2026-05-26T13:32", {1779802320, 1779802380}},
    {AXIS_END_TIME, "gt-2026-05-26T13:32:06", {1779802327, MOST}},
    {AXIS_END_TIME, "gte-2026-05-26T13:32:06", {1779802326, MOST}},
    {AXIS_END_TIME, "lt-2026-05-26T13:32:06", {LEAST, 1779802326}},
    {AXIS_END_TIME, "lte-2026-05-26T13:32:06", {LEAST, 1779802327}},
    {AXIS_END_TIME, "gt-2026-05-26T13:32", {1779802380, MOST}},
    {AXIS_END_TIME, "gte-2026-05-26T13:32", {1779802320, MOST}},
    {AXIS_END_TIME, "lt-2026-05-26T13:32", {LEAST, 1779802320}},
    {AXIS_END_TIME, "lte-2026-05-26T13:32", {LEAST, 1779802380}},
    {AXIS_INITIATION_TIME, "gte-1969-12-31T23:59:59", {-1, MOST}},
};

START_TEST(a_value_of_a_path_is_a_range)
{
    struct query q = QUERY_ALL;
    ck_assert_int_eq(query_apply(&q, ranges[_i].axis, ranges[_i].value), 0);
    ck_assert(!q.none);
    for (int i = 0; i < NUM_AXES; i++) {
        struct range want = i == ranges[_i].axis ? ranges[_i].want : RANGE_ALL;
        ck_assert_int_eq(q.num[i].lo, want.lo);
        ck_assert_int_eq(q.num[i].hi, want.hi);
    }
}
END_TEST

static const struct {
    int axis;
    const char *value;
} bad_values[] = {
    {AXIS_DIRECTION, ""},
    {AXIS_DIRECTION, "Inbound"},
    {AXIS_DIRECTION, "inbound "},
    {AXIS_DIRECTION, "1"},
    {AXIS_STIR, "Verified"},
    {AXIS_STIR, "not verified"},
    {AXIS_HANGUP_CAUSE, ""},
    {AXIS_HANGUP_CAUSE, "gte-4000"},
    {AXIS_HANGUP_CAUSE, "04160"},
    {AXIS_HANGUP_CAUSE, "-1"},
    {AXIS_HANGUP_CAUSE, "4160x"},
    {AXIS_HANGUP_CAUSE, "normal_hangup"},
    {AXIS_BILL_DURATION, ""},
    {AXIS_BILL_DURATION, "00"},
    {AXIS_BILL_DURATION, "060"},
    {AXIS_BILL_DURATION, "+60"},
    {AXIS_BILL_DURATION, "-60"},
    {AXIS_BILL_DURATION, " 60"},
    {AXIS_BILL_DURATION, "60 "},
    {AXIS_BILL_DURATION, "60.0"},
    {AXIS_BILL_DURATION, "1e3"},
    {AXIS_BILL_DURATION, "0x10"},
    {AXIS_BILL_DURATION, "10000000000000000000"},
    {AXIS_BILL_DURATION, "g"},
    {AXIS_BILL_DURATION, "gt"},
    {AXIS_BILL_DURATION, "gte"},
    {AXIS_BILL_DURATION, "gt-"},
    {AXIS_BILL_DURATION, "gte-"},
    {AXIS_BILL_DURATION, "ge-60"},
    {AXIS_BILL_DURATION, "eq-60"},
    {AXIS_BILL_DURATION, "gt60"},
    {AXIS_BILL_DURATION, "gt--60"},
    {AXIS_BILL_DURATION, "GT-60"},
    {AXIS_BILL_DURATION, "gte-2026-05-26T13:32"},
    {AXIS_END_TIME, ""},
    {AXIS_END_TIME, "2026-05-26"},
    {AXIS_END_TIME, "2026-05-26T13"},
    {AXIS_END_TIME, "2026-05-26T13:3"},
    {AXIS_END_TIME, "2026-05-26 13:32"},
    {AXIS_END_TIME, "2026-05-26T13:32:06Z"},
    {AXIS_END_TIME, "2026-05-26T13:32Z00"},
    {AXIS_END_TIME, "2026-05-26T13:32:0x"},
    {AXIS_END_TIME, "2026-05-26t13:32"},
    {AXIS_END_TIME, "2026-02-30T13:32"},
    {AXIS_END_TIME, "2026-05-26T24:00"},
    {AXIS_END_TIME, "2026-05-26T13:60"},
    {AXIS_END_TIME, "gte-"},
    {AXIS_END_TIME, "gte-60"},
    {AXIS_END_TIME, "gte-2026-05-26"},
    {FROM, ""},
    {FROM, "+14155550100"},
    {FROM, "1415-555"},
    {FROM, "1415%"},
    {FROM, "sip"},
    {FROM, "123456789012345678901234"},
    {TRUNK, ""},
    {TRUNK, "2969858100306124x"},
};

START_TEST(any_other_value_is_refused_and_the_query_stays)
{
    struct query q = QUERY_ALL, before;
    query_meet_range(&q, AXIS_BILL_DURATION, (struct range){5, 500});
    query_meet_text(&q, AXIS_FROM, "14");
    before = q;
    ck_assert_msg(query_apply(&q, bad_values[_i].axis, bad_values[_i].value) == -EINVAL,
                  "%s/%s accepted", axes[bad_values[_i].axis].dir, bad_values[_i].value);
    ck_assert(memcmp(&q, &before, sizeof(q)) == 0);
}
END_TEST

START_TEST(a_moment_has_one_spelling)
{
    struct query q = QUERY_ALL;
    ck_assert_int_eq(query_apply(&q, AXIS_END_TIME, "2026-05-26T13:32:60"), -EINVAL);
}
END_TEST

struct step {
    int axis;
    const char *value;
};

static const struct {
    struct step a, b;
    bool none;
    int axis; /* what it then says */
    struct range want;
    const char *text;
} pairs[] = {
    {{AXIS_BILL_DURATION, "gte-60"},
     {AXIS_BILL_DURATION, "lt-120"},
     false,
     AXIS_BILL_DURATION,
     {60, 120},
     NULL},
    {{AXIS_BILL_DURATION, "gte-60"},
     {AXIS_BILL_DURATION, "lte-60"},
     false,
     AXIS_BILL_DURATION,
     {60, 61},
     NULL},
    {{AXIS_BILL_DURATION, "gt-60"}, {AXIS_BILL_DURATION, "lte-60"}, true, 0, {0, 0}, NULL},
    {{AXIS_DIRECTION, "inbound"}, {AXIS_DIRECTION, "outbound"}, true, 0, {0, 0}, NULL},
    {{AXIS_DIRECTION, "inbound"}, {AXIS_DIRECTION, "inbound"}, false, AXIS_DIRECTION, {1, 2}, NULL},
    {{AXIS_HANGUP_CAUSE, "4160"}, {AXIS_HANGUP_CAUSE, "4170"}, true, 0, {0, 0}, NULL},
    {{FROM, "14"}, {FROM, "1415"}, false, FROM, {0, 0}, "1415"},
    {{FROM, "1415"}, {FROM, "14"}, false, FROM, {0, 0}, "1415"},
    {{FROM, "1415"}, {FROM, "1415"}, false, FROM, {0, 0}, "1415"},
    {{FROM, "1415"}, {FROM, "1416"}, true, 0, {0, 0}, NULL},
    {{FROM, "1415"}, {TO, "1416"}, false, TO, {0, 0}, "1416"},
    {{TRUNK, "12"}, {TRUNK, "123"}, true, 0, {0, 0}, NULL},
    {{TRUNK, "123"}, {TRUNK, "12"}, true, 0, {0, 0}, NULL},
    {{TRUNK, "123"}, {TRUNK, "123"}, false, TRUNK, {0, 0}, "123"},
};

START_TEST(two_conditions_are_a_conjunction)
{
    struct query q = QUERY_ALL;
    ck_assert_int_eq(query_apply(&q, pairs[_i].a.axis, pairs[_i].a.value), 0);
    ck_assert_int_eq(query_apply(&q, pairs[_i].b.axis, pairs[_i].b.value), 0);
    ck_assert_int_eq(q.none, pairs[_i].none);
    if (pairs[_i].none)
        return;
    if (pairs[_i].text) {
        ck_assert_str_eq(q.text[pairs[_i].axis - NUM_AXES], pairs[_i].text);
        return;
    }
    ck_assert_int_eq(q.num[pairs[_i].axis].lo, pairs[_i].want.lo);
    ck_assert_int_eq(q.num[pairs[_i].axis].hi, pairs[_i].want.hi);
}
END_TEST

START_TEST(the_longest_number_fits)
{
    struct query q = QUERY_ALL;
    ck_assert_int_eq(query_apply(&q, TO, "12345678901234567890123"), 0);
    ck_assert_str_eq(q.text[AXIS_TO], "12345678901234567890123");
}
END_TEST

/* --- meaning --- */

START_TEST(what_the_record_does_not_say_matches_no_condition)
{
    struct call c = {
        .num = {100, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN}};
    struct query q = QUERY_ALL;
    ck_assert(query_match(&q, &c));
    ck_assert_int_eq(query_apply(&q, AXIS_BILL_DURATION, "lt-60"), 0);
    ck_assert(!query_match(&q, &c));
    q = QUERY_ALL;
    query_meet_text(&q, AXIS_TRUNK, "1");
    ck_assert(!query_match(&q, &c));
}
END_TEST

START_TEST(a_range_holds_its_lower_end_and_not_its_upper)
{
    struct call c = {.num = {100, 1, 60, 1, 1, 1, 1}};
    struct query q = QUERY_ALL;
    query_meet_range(&q, AXIS_END_TIME, (struct range){100, 101});
    ck_assert(query_match(&q, &c));
    c.num[AXIS_END_TIME] = 101;
    ck_assert(!query_match(&q, &c));
    c.num[AXIS_END_TIME] = 99;
    ck_assert(!query_match(&q, &c));
}
END_TEST

START_TEST(a_match_is_what_a_plain_reading_says)
{
    struct rng r = {11};
    int yes = 0;
    for (int i = 0; i < 200000; i++) {
        struct query q = gen_query(&r, 3);
        struct call c = gen_call(&r);
        expect(query_match(&q, &c) == gen_matches(&q, &c), "case %d", i);
        yes += query_match(&q, &c);
    }
    ck_assert_int_gt(yes, 10000);
}
END_TEST

START_TEST(a_meeting_matches_what_both_match)
{
    struct rng r = {12};
    int yes = 0;
    for (int i = 0; i < 200000; i++) {
        struct query a = gen_query(&r, 2), b = gen_query(&r, 2), met = a;
        struct call c = gen_call(&r);
        query_meet(&met, &b);
        bool want = gen_matches(&a, &c) && gen_matches(&b, &c);
        expect(query_match(&met, &c) == want, "case %d", i);
        expect(query_implies(&met, &a) && query_implies(&met, &b), "case %d", i);
        yes += want;
    }
    ck_assert_int_gt(yes, 10000);
}
END_TEST

START_TEST(what_an_implying_query_matches_the_implied_one_matches)
{
    struct rng r = {13};
    int implied = 0, used = 0;
    for (int i = 0; i < 100000; i++) {
        struct query a = gen_query(&r, 3), b = gen_query(&r, 2);
        if (rng_one_in(&r, 2))
            query_meet(&a, &b);
        if (!query_implies(&a, &b))
            continue;
        implied++;
        for (int k = 0; k < 20; k++) {
            struct call c = gen_call(&r);
            bool in_a = gen_matches(&a, &c);
            used += in_a;
            expect(!in_a || gen_matches(&b, &c), "case %d", i);
        }
    }
    ck_assert_int_gt(implied, 10000);
    ck_assert_int_gt(used, 10000);
}
END_TEST

START_TEST(filters_that_imply_each_other_leave_only_the_time_open)
{
    struct rng r = {14};
    for (int i = 0; i < 100000; i++) {
        struct query a = gen_query(&r, 3), b = gen_query(&r, 2);
        struct query timeless = b;
        timeless.num[AXIS_END_TIME] = RANGE_ALL;
        bool filters = query_filters_imply(&a, &b);
        expect(b.none || filters == query_implies(&a, &timeless), "case %d", i);
        expect(filters || !query_implies(&a, &b), "case %d", i);
    }
}
END_TEST

static const struct {
    struct step a[2], b[2];
    bool want;
} implications[] = {
    {{{0, NULL}}, {{0, NULL}}, true},
    {{{AXIS_DIRECTION, "inbound"}}, {{0, NULL}}, true},
    {{{0, NULL}}, {{AXIS_DIRECTION, "inbound"}}, false},
    {{{AXIS_DIRECTION, "inbound"}}, {{AXIS_DIRECTION, "outbound"}}, false},
    {{{FROM, "14155"}}, {{FROM, "1415"}}, true},
    {{{FROM, "1415"}}, {{FROM, "14155"}}, false},
    {{{FROM, "1415"}}, {{TO, "1415"}}, false},
    {{{TRUNK, "123"}}, {{TRUNK, "12"}}, false},
    {{{TRUNK, "123"}}, {{TRUNK, "123"}}, true},
    {{{AXIS_BILL_DURATION, "gte-60"}}, {{AXIS_BILL_DURATION, "gt-50"}}, true},
    {{{AXIS_BILL_DURATION, "gt-50"}}, {{AXIS_BILL_DURATION, "gte-60"}}, false},
    {{{AXIS_BILL_DURATION, "70"}}, {{AXIS_BILL_DURATION, "gte-60"}}, true},
    {{{AXIS_BILL_DURATION, "gte-60"}, {FROM, "14155"}}, {{AXIS_BILL_DURATION, "gte-60"}}, true},
    {{{AXIS_BILL_DURATION, "gte-60"}},
     {{AXIS_BILL_DURATION, "gte-60"}, {AXIS_DIRECTION, "inbound"}},
     false},
    {{{AXIS_DIRECTION, "inbound"}, {AXIS_DIRECTION, "outbound"}}, {{TRUNK, "1"}}, true},
    {{{TRUNK, "1"}}, {{AXIS_DIRECTION, "inbound"}, {AXIS_DIRECTION, "outbound"}}, false},
};

static struct query query_of(const struct step steps[2])
{
    struct query q = QUERY_ALL;
    for (int i = 0; i < 2; i++)
        if (steps[i].value)
            ck_assert_int_eq(query_apply(&q, steps[i].axis, steps[i].value), 0);
    return q;
}

START_TEST(narrower_implies_wider)
{
    struct query a = query_of(implications[_i].a), b = query_of(implications[_i].b);
    ck_assert_int_eq(query_implies(&a, &b), implications[_i].want);
    ck_assert_int_eq(query_filters_imply(&a, &b), implications[_i].want);
}
END_TEST

/* --- keys --- */

static bool same_filters(const struct query *a, const struct query *b)
{
    if (a->none || b->none)
        return a->none == b->none;
    for (int i = 0; i < NUM_AXES; i++)
        if (i != AXIS_END_TIME && (a->num[i].lo != b->num[i].lo || a->num[i].hi != b->num[i].hi))
            return false;
    for (int i = 0; i < TEXT_AXES; i++)
        if (strcmp(a->text[i], b->text[i]) != 0)
            return false;
    return true;
}

START_TEST(a_filter_key_leads_back_to_the_filters)
{
    struct rng r = {15};
    char key[QUERY_KEY_MAX], again[QUERY_KEY_MAX];
    for (int i = 0; i < 100000; i++) {
        struct query q = gen_query(&r, 6), back;
        query_filter_key(&q, key);
        expect(query_from_filter_key(key, &back) == 0, "key '%s'", key);
        expect(same_filters(&q, &back), "key '%s'", key);
        expect(range_is_all(back.num[AXIS_END_TIME]), "key '%s'", key);
        query_filter_key(&back, again);
        expect(strcmp(key, again) == 0, "keys '%s', '%s'", key, again);
    }
}
END_TEST

START_TEST(equal_keys_mean_equal_filters)
{
    struct rng r = {16};
    char ka[QUERY_KEY_MAX], kb[QUERY_KEY_MAX];
    int equal = 0;
    for (int i = 0; i < 100000; i++) {
        struct query a = gen_query(&r, 2), b = gen_query(&r, 2);
        query_filter_key(&a, ka);
        query_filter_key(&b, kb);
        expect((strcmp(ka, kb) == 0) == same_filters(&a, &b), "'%s' and '%s'", ka, kb);
        equal += same_filters(&a, &b);
    }
    ck_assert_int_gt(equal, 1000);
}
END_TEST

START_TEST(no_filters_have_the_empty_key_whatever_the_time)
{
    struct query q = QUERY_ALL;
    char key[QUERY_KEY_MAX];
    query_filter_key(&q, key);
    ck_assert_str_eq(key, "");
    query_meet_range(&q, AXIS_END_TIME, (struct range){5, 6});
    query_filter_key(&q, key);
    ck_assert_str_eq(key, "");
}
END_TEST

START_TEST(the_longest_key_fits)
{
    struct query q = QUERY_ALL, back;
    char key[QUERY_KEY_MAX];
    for (int i = 0; i < NUM_AXES; i++)
        q.num[i] = axes[i].form == FORM_CHOICE ? (struct range){1, 2}
                                               : (struct range){INT64_MIN + 1, INT64_MAX - 1};
    for (int i = 0; i < TEXT_AXES; i++)
        query_meet_text(&q, i, "99999999999999999999999");
    query_filter_key(&q, key);
    ck_assert_int_eq(query_from_filter_key(key, &back), 0);
    ck_assert(same_filters(&q, &back));
}
END_TEST

static const char *const bad_keys[] = {
    "x",
    ";",
    "none;",
    "direction",
    "direction=1..2",
    "direction=;",
    "direction=1;",
    "direction=1..;",
    "direction=a..b;",
    "direction=1..2x;",
    "direction=1..2 ;",
    "end_time=1..2;",
    "nonsense=1..2;",
    "from_number=;",
    "from_number=+1;",
    "from_number=1415",
    "trunk=12x;",
    "from_number=123456789012345678901234;",
    "direction=1..2;;",
    "direction=1..2;x",
    "direction=0..1;",
    "direction=3..4;",
    "direction=1..3;",
    "stir=-5..-4;",
    "stir=3..3;",
    "hangup_source=9223372036854775807..-9223372036854775808;",
};

START_TEST(any_other_text_is_no_key)
{
    struct query q = QUERY_ALL;
    ck_assert_msg(query_from_filter_key(bad_keys[_i], &q) == -EINVAL, "accepted '%s'",
                  bad_keys[_i]);
}
END_TEST

START_TEST(a_key_longer_than_any_is_no_key)
{
    struct query q;
    char key[2000];
    memset(key, 'x', sizeof(key));
    key[sizeof(key) - 2] = ';';
    key[sizeof(key) - 1] = '\0';
    ck_assert_int_eq(query_from_filter_key(key, &q), -EINVAL);
}
END_TEST

/* --- names --- */

START_TEST(only_safe_ids_may_become_names)
{
    char longest[65];
    memset(longest, 'a', sizeof(longest));
    ck_assert(call_uuid_valid("6c3a8b60-26e0-4842-9387-2350de79f16b", 36));
    ck_assert(call_uuid_valid("A_z-0", 5));
    ck_assert(call_uuid_valid("x", 1));
    ck_assert(call_uuid_valid(longest, 64));
    ck_assert(!call_uuid_valid(longest, 65));
    ck_assert(!call_uuid_valid("", 0));
}
END_TEST

START_TEST(every_other_byte_makes_an_id_unsafe)
{
    for (int c = 0; c < 256; c++) {
        char id[3] = {'a', (char)c, 'b'};
        bool safe = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-' || c == '_';
        ck_assert_msg(call_uuid_valid(id, 3) == safe, "byte %d", c);
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        {every_axis_is_found_by_its_directory_only, AXES},
        EACH(names_differ_by_host_as_the_documents_say, names),
        ONCE(an_unknown_directory_is_no_axis),
        EACH(choices_of_the_api_are_compared_without_case, spellings),
        EACH(a_value_of_a_path_is_a_range, ranges),
        EACH(any_other_value_is_refused_and_the_query_stays, bad_values),
        ONCE(a_moment_has_one_spelling),
        EACH(two_conditions_are_a_conjunction, pairs),
        ONCE(the_longest_number_fits),
        ONCE(what_the_record_does_not_say_matches_no_condition),
        ONCE(a_range_holds_its_lower_end_and_not_its_upper),
        ONCE(a_match_is_what_a_plain_reading_says),
        ONCE(a_meeting_matches_what_both_match),
        ONCE(what_an_implying_query_matches_the_implied_one_matches),
        ONCE(filters_that_imply_each_other_leave_only_the_time_open),
        EACH(narrower_implies_wider, implications),
        ONCE(a_filter_key_leads_back_to_the_filters),
        ONCE(equal_keys_mean_equal_filters),
        ONCE(no_filters_have_the_empty_key_whatever_the_time),
        ONCE(the_longest_key_fits),
        EACH(any_other_text_is_no_key, bad_keys),
        ONCE(a_key_longer_than_any_is_no_key),
        ONCE(only_safe_ids_may_become_names),
        ONCE(every_other_byte_makes_an_id_unsafe),
    };
    return RUN_SUITE("query", tests);
}
