// SPDX-License-Identifier: MIT
/* What is pure of /.cdrfs: errors, JSON, estimates. */
#include <errno.h>
#include <jansson.h>
#include <math.h>

#include "fs/control_texts.h"
#include "fs/errors.h"
#include "fs/json.h"
#include "tests/unit/check_util.h"

static struct mask mask;
static struct errors *errors;

static void setup(void)
{
    ck_assert_int_eq(mask_init(&mask, "a-token-nobody-sees"), 0);
    errors = errors_create(&mask);
    ck_assert_ptr_nonnull(errors);
}

static void teardown(void)
{
    errors_destroy(errors);
    errors_destroy(NULL);
    mask_release(&mask);
}

static void add(int64_t now, const char *path, const char *detail, const char *api_id)
{
    struct failure f;
    failure_set(&f, -EIO, 500, "%s", detail);
    snprintf(f.api_id, sizeof(f.api_id), "%s", api_id);
    errors_add(errors, now, path, &f);
}

/* The lines, each of which must be an object. */
static int lines(json_t *ret[ERRORS_MAX])
{
    struct buf out = buf_make(1 << 20);
    int n = 0;
    errors_put(errors, &out);
    ck_assert_int_eq(buf_error(&out), 0);
    for (const char *p = buf_text(&out); *p;) {
        size_t len = strcspn(p, "\n");
        ck_assert_int_lt(n, ERRORS_MAX);
        ret[n] = json_loadb(p, len, 0, NULL);
        ck_assert_msg(ret[n] != NULL, "%.*s", (int)len, p);
        n++;
        p += len + 1;
    }
    buf_release(&out);
    return n;
}

static const char *text_of(json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

START_TEST(the_last_hundred_are_kept)
{
    json_t *v[ERRORS_MAX];
    char path[32];
    ck_assert_int_eq(lines(v), 0);
    for (int i = 0; i < ERRORS_MAX + 30; i++) {
        snprintf(path, sizeof(path), "by-date/%d", i);
        add(1779796800 + i, path, "out of order", "");
    }
    ck_assert_int_eq(lines(v), ERRORS_MAX);
    ck_assert_str_eq(text_of(v[0], "path"), "by-date/30");
    ck_assert_str_eq(text_of(v[ERRORS_MAX - 1], "path"), "by-date/129");
    ck_assert_uint_eq(errors_count(errors), ERRORS_MAX + 30);
    for (int i = 0; i < ERRORS_MAX; i++)
        json_decref(v[i]);
}
END_TEST

START_TEST(the_same_again_is_counted_and_becomes_the_newest)
{
    json_t *v[ERRORS_MAX];
    add(1779796800, "by-date/1", "out of order", "first");
    add(1779796801, "by-date/2", "out of order", "");
    add(1779796803, "by-date/1", "out of order", "second");
    add(1779796804, "by-date/2", "something else", "");
    ck_assert_int_eq(lines(v), 3);
    ck_assert_str_eq(text_of(v[0], "path"), "by-date/2");
    ck_assert_str_eq(text_of(v[1], "path"), "by-date/1");
    ck_assert_str_eq(text_of(v[1], "api_id"), "second");
    ck_assert_str_eq(text_of(v[1], "first"), "2026-05-26T12:00:00Z");
    ck_assert_str_eq(text_of(v[1], "time"), "2026-05-26T12:00:03Z");
    ck_assert_int_eq(json_integer_value(json_object_get(v[1], "times")), 2);
    ck_assert_str_eq(text_of(v[1], "errno"), "EIO");
    ck_assert_str_eq(text_of(v[1], "remedy"), "try again");
    ck_assert(json_is_null(json_object_get(v[0], "api_id")));
    for (int i = 0; i < 3; i++)
        json_decref(v[i]);
}
END_TEST

START_TEST(the_token_is_masked_before_quotes_are_escaped)
{
    json_t *v[ERRORS_MAX];
    mask_release(&mask);
    ck_assert_int_eq(mask_init(&mask, "a\"token\\with\"quotes"), 0);
    add(1779796800, "by-date", "no a\"token\\with\"quotes here \\\"", "a\"token\\with\"quotes");
    ck_assert_int_eq(lines(v), 1);
    ck_assert_str_eq(text_of(v[0], "cause"), "no *** here \\\"");
    ck_assert_str_eq(text_of(v[0], "api_id"), "***");
    json_decref(v[0]);
}
END_TEST

START_TEST(json_text_is_printable_ascii)
{
    struct buf out = buf_make(256);
    json_put_text(&out, "a\"\\\n\x7f\xc3\xa9z");
    json_put_text_or_null(&out, "");
    json_put_time(&out, 0);
    json_put_time(&out, INT64_MAX);
    json_put_time(&out, 1779796800);
    ck_assert_str_eq(buf_text(&out), "\"a\\\"\\\\????z\"nullnullnull\"2026-05-26T12:00:00Z\"");
    buf_release(&out);
}
END_TEST

static const struct {
    int64_t requests;
    double rate;
    int connections;
    double latency, expected;
} costs[] = {
    {0, 30, 8, 0.2, 0},     /* nothing takes no time */
    {1, 30, 8, 0.2, 0.2},   /* one answer */
    {2, 30, 8, 0.2, 0.4},   /* the first page says how many more there are */
    {9, 30, 8, 0.2, 0.4},   /* which come together */
    {10, 30, 8, 0.2, 0.6},  /* as many as there are connections */
    {315, 30, 8, 0.01, 10}, /* the rate holds back what is more than its burst */
    {11, 0.5, 8, 0.01, 20}, /* a slow one has a burst of one */
};

START_TEST(a_cost_in_seconds)
{
    double s = explain_seconds(costs[_i].requests, costs[_i].rate, costs[_i].connections,
                               costs[_i].latency);
    expect(fabs(s - costs[_i].expected) < 1e-9, "%d: %f", _i, s);
}
END_TEST

static const struct {
    struct prefetch p;
    int64_t expected;
} wishes[] = {
    {{.all = {0, 100}, .piece = {0, 0}, .piece_total = -1}, -1},
    {{.all = {0, 100}, .piece = {0, 10}, .piece_total = -1}, -1},
    {{.all = {0, 100}, .piece = {0, 10}, .piece_total = 40, .piece_calls = 20, .calls = 20}, 400},
    {{.all = {0, 100}, .piece = {10, 30}, .piece_total = -1, .calls = 40}, 400},
    {{.all = {0, 100}, .piece = {10, 30}, .piece_total = 80, .piece_calls = 20, .calls = 60}, 400},
    {{.all = {0, 100}, .piece = {10, 30}, .piece_total = 8, .piece_calls = 20, .calls = 60}, 200},
    {{.state = PREFETCH_DONE, .calls = 7, .all = {0, 100}, .piece = {50, 100}}, 7},
    {{.all = {100, 0}, .piece = {100, 100}, .piece_total = -1}, -1}, /* a contradiction */
};

START_TEST(what_all_of_it_should_have)
{
    ck_assert_int_eq(progress_expected(&wishes[_i].p), wishes[_i].expected);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(the_last_hundred_are_kept),
        ONCE(the_same_again_is_counted_and_becomes_the_newest),
        ONCE(the_token_is_masked_before_quotes_are_escaped),
        ONCE(json_text_is_printable_ascii),
        EACH(a_cost_in_seconds, costs),
        EACH(what_all_of_it_should_have, wishes),
    };
    return run_suite_with("control", tests, ARRAY_LEN(tests), setup, teardown);
}
