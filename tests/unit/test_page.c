// SPDX-License-Identifier: MIT
#include "api/page.h"

#include <errno.h>

#include "tests/unit/check_util.h"
#include "tests/unit/records.h"

#define META(total)                                                                                \
    "\"meta\":{\"limit\":20,\"next\":null,\"offset\":0,\"previous\":null,\"total_count\":" total "}"
#define ROW(id) "{\"call_uuid\":\"" id "\",\"end_time\":\"2026-09-18 08:52:26\"}"
#define ROW_FILE(id) "{\n  \"call_uuid\": \"" id "\",\n  \"end_time\": \"2026-09-18 08:52:26\"\n}\n"

typedef int decode_fn(const char *body, size_t n, struct page **ret, struct failure *f);

static int decode_n(decode_fn *fn, const char *p, size_t n, struct page **ret, struct failure *f)
{
    CLEANUP_FREE char *body = exact_copy(p, n);
    *ret = NULL;
    memset(f, 0, sizeof(*f));
    return fn(body, n, ret, f);
}

static struct page *decode_good(decode_fn *fn, const char *body)
{
    struct page *p;
    struct failure f;
    int rc = decode_n(fn, body, strlen(body), &p, &f);
    ck_assert_msg(rc == 0, "%.200s: %d %s", body, rc, f.detail);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(p->rows, p->ncalls + p->nbad);
    return p;
}

static void check_refused(decode_fn *fn, const char *body, size_t n)
{
    struct page *p;
    struct failure f;
    int rc = decode_n(fn, body, n, &p, &f);
    ck_assert_msg(rc == -EBADMSG, "%.100s: %d", body, rc);
    ck_assert_int_eq(f.err, -EBADMSG);
    ck_assert_uint_gt(strlen(f.detail), 0);
    ck_assert_ptr_null(p);
}

static void check_body(const struct call *c, const char *want)
{
    ck_assert_uint_eq(c->body.n, strlen(want));
    ck_assert_mem_eq(c->body.p, want, c->body.n);
}

/* --- lists --- */

START_TEST(a_page_has_its_calls_in_order_with_their_files)
{
    struct page *p =
        decode_good(page_decode, "{\"api_id\":\"8e3b\"," META("407") ",\"objects\":[" REAL26
                                                                     "," ROW("u2") "]}\n");
    ck_assert_int_eq(p->total, 407);
    ck_assert_int_eq(p->rows, 2);
    ck_assert_int_eq(p->ncalls, 2);
    ck_assert_int_eq(p->nbad, 0);
    ck_assert_str_eq(p->calls[0].uuid, REAL26_UUID);
    check_body(&p->calls[0], REAL26_FILE);
    ck_assert_str_eq(p->calls[1].uuid, "u2");
    check_body(&p->calls[1], ROW_FILE("u2"));
    page_free(p);
}
END_TEST

static const struct {
    const char *body;
    int64_t total;
    int rows;
} lists[] = {
    {"{" META("0") ",\"objects\":[]}", 0, 0},
    {"{\"objects\":[ ],\"meta\":{\"total_count\":3}}", 3, 0},
    {" \n{ \"objects\" : [ " ROW("a") " ] , \"meta\" : { \"total_count\" : 1 } } \n", 1, 1},
    {"{\"meta\":{\"limit\":20,\"offset\":0,\"previous\":false,\"next\":true,\"total_count\":4},"
     "\"objects\":[" SEED "]}",
     4, 1},
    {"{\"meta\":{\"next\":\"v1/Account/x/?limit=2\",\"previous\":\"\",\"total_count\":2521},"
     "\"objects\":[" LEG_REAL "]}",
     2521, 1},
    {"{\"new_key\":{\"deep\":[1,{}]},\"meta\":{\"total_count\":1,\"more\":[[]]},\"objects\":[" ROW(
         "a") "],\"error\":null}",
     1, 1},
    {"{" META("5000000") ",\"objects\":[]}", TOTAL_MAX, 0},
};

START_TEST(a_list_is_read_whatever_else_it_says)
{
    struct page *p = decode_good(page_decode, lists[_i].body);
    ck_assert_int_eq(p->total, lists[_i].total);
    ck_assert_int_eq(p->rows, lists[_i].rows);
    ck_assert_int_eq(p->nbad, 0);
    page_free(p);
}
END_TEST

static const char *const no_lists[] = {
    "",
    " ",
    "null",
    "[]",
    "1",
    "\"{}\"",
    "<html>502 Bad Gateway</html>",
    "{}",
    "{" META("1") "}",
    "{\"objects\":[]}",
    "{\"meta\":{},\"objects\":[]}",
    "{\"meta\":null,\"objects\":[]}",
    "{\"meta\":[],\"objects\":[]}",
    "{\"meta\":1,\"objects\":[]}",
    "{" META("\"4\"") ",\"objects\":[]}",
    "{" META("null") ",\"objects\":[]}",
    "{" META("-1") ",\"objects\":[]}",
    "{" META("4.5") ",\"objects\":[]}",
    "{" META("5000001") ",\"objects\":[]}",
    "{" META("9223372036854775807") ",\"objects\":[]}",
    "{" META("99999999999999999999") ",\"objects\":[]}",
    "{" META("true") ",\"objects\":[]}",
    "{\"meta\":{\"total_count\":1,},\"objects\":[]}",
    "{" META("1") ",\"objects\":null}",
    "{" META("1") ",\"objects\":{}}",
    "{" META("1") ",\"objects\":\"[]\"}",
    "{" META("1") ",\"objects\":[" ROW("a") ",]}",
    "{" META("1") ",\"objects\":[" ROW("a"),
    "{" META("1") ",\"objects\":[" ROW("a") "]",
    "{" META("1") ",\"objects\":[" ROW("a") "]}}",
    "{" META("1") ",\"objects\":[" ROW("a") "]} trailing",
    "{" META("1") ",\"objects\":[" ROW("a") " " ROW("b") "]}",
    "{" META("1") ",\"objects\":[]]}",
    "{\"total_count\":1,\"objects\":[]}",
};

START_TEST(what_is_no_list_is_refused)
{
    check_refused(page_decode, no_lists[_i], strlen(no_lists[_i]));
}
END_TEST

START_TEST(a_list_cut_short_anywhere_is_refused)
{
    static const char body[] = "{" META("2") ",\"objects\":[" SEED "," LEG_REAL "]}";
    for (size_t n = 0; n < sizeof(body) - 1; n++)
        check_refused(page_decode, body, n);
}
END_TEST

static const char *const bad_rows[] = {
    "null",
    "1",
    "\"text\"",
    "[]",
    "{}",
    "{\"call_uuid\":\"..\",\"end_time\":\"2026-09-18 08:52:26\"}",
    "{\"call_uuid\":\"a/b\",\"end_time\":\"2026-09-18 08:52:26\"}",
    "{\"call_uuid\":\"a\\u0000\",\"end_time\":\"2026-09-18 08:52:26\"}",
    "{\"call_uuid\":\"x\",\"end_time\":null}",
    "{\"call_uuid\":\"x\",\"end_time\":\"2026-09-18 08:52:26\",\"a\":\"\xff\"}",
    "{\"call_uuid\":\"x\",\"end_time\":\"2026-09-18 08:52:26\",\"a\":\"\x01\"}",
    "{\"call_uuid\":\"x\",\"end_time\":\"2026-09-18 08:52:26\",\"a\":nul}",
    "{\"call_uuid\":\"x\",\"end_time\":\"2026-09-18 08:52:26\",\"a\":[1,]}",
};

START_TEST(a_page_with_one_bad_record_keeps_the_others)
{
    char body[2000];
    snprintf(body, sizeof(body), "{" META("3") ",\"objects\":[" ROW("a") ",%s," ROW("b") "]}",
             bad_rows[_i]);
    struct page *p = decode_good(page_decode, body);
    ck_assert_int_eq(p->rows, 3);
    ck_assert_int_eq(p->ncalls, 2);
    ck_assert_int_eq(p->nbad, 1);
    ck_assert_int_eq(p->bad[0].index, 1);
    ck_assert_uint_gt(strlen(p->bad[0].reason), 0);
    ck_assert_str_eq(p->calls[0].uuid, "a");
    check_body(&p->calls[0], ROW_FILE("a"));
    ck_assert_str_eq(p->calls[1].uuid, "b");
    check_body(&p->calls[1], ROW_FILE("b"));
    page_free(p);
}
END_TEST

START_TEST(a_call_that_is_there_twice_is_one_call_and_a_row_set_aside)
{
    struct page *p = decode_good(
        page_decode, "{" META("4") ",\"objects\":[" ROW("a") "," ROW(
                         "b") ",{\"call_uuid\":\"a\","
                              "\"end_time\":\"2026-09-18 08:52:26\",\"note\":1}," ROW("c") "]}");
    ck_assert_int_eq(p->rows, 4);
    ck_assert_int_eq(p->ncalls, 3);
    ck_assert_int_eq(p->nbad, 1);
    ck_assert_int_eq(p->bad[0].index, 2);
    ck_assert_str_eq(p->bad[0].reason, "call a is there twice");
    check_body(&p->calls[0], ROW_FILE("a"));
    check_body(&p->calls[1], ROW_FILE("b"));
    check_body(&p->calls[2], ROW_FILE("c"));
    page_free(p);
}
END_TEST

START_TEST(a_page_of_bad_records_only_says_where_each_stood)
{
    struct page *p = decode_good(page_decode, "{" META("3") ",\"objects\":[null,{},[]]}");
    ck_assert_int_eq(p->ncalls, 0);
    ck_assert_int_eq(p->nbad, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(p->bad[i].index, i);
    page_free(p);
}
END_TEST

/* head, then n times '[' and n times ']', then tail. */
static char *nested(const char *head, size_t n, const char *tail)
{
    size_t h = strlen(head), t = strlen(tail);
    char *s = malloc(h + 2 * n + t + 1);
    memcpy(s, head, h);
    memset(s + h, '[', n);
    memset(s + h + n, ']', n);
    memcpy(s + h + 2 * n, tail, t + 1);
    return s;
}

START_TEST(a_body_of_brackets_is_refused)
{
    CLEANUP_FREE char *both = nested("", 200000, "");
    check_refused(page_decode, both, 400000);
    check_refused(page_decode, both, 200000);
    check_refused(page_decode_call, both, 400000);
    CLEANUP_FREE char *objects = malloc(5 * 200000);
    for (int i = 0; i < 200000; i++)
        memcpy(objects + (size_t)i * 5, "{\"a\":", 5);
    check_refused(page_decode, objects, 5 * 200000);
    check_refused(page_decode_call, objects, 5 * 200000);
}
END_TEST

START_TEST(brackets_in_the_place_of_the_count_are_refused)
{
    CLEANUP_FREE char *body = nested("{\"meta\":", 200000, ",\"objects\":[]}");
    check_refused(page_decode, body, strlen(body));
}
END_TEST

START_TEST(brackets_within_one_record_spoil_only_that)
{
    CLEANUP_FREE char *body =
        nested("{" META("3") ",\"objects\":[" ROW(
                   "a") ",{\"call_uuid\":\"x\",\"end_time\":\"2026-09-18 08:52:26\",\"v\":",
               200000, "}," ROW("b") "]}");
    struct page *p = decode_good(page_decode, body);
    ck_assert_int_eq(p->ncalls, 2);
    ck_assert_int_eq(p->nbad, 1);
    ck_assert_int_eq(p->bad[0].index, 1);
    check_body(&p->calls[1], ROW_FILE("b"));
    page_free(p);
}
END_TEST

START_TEST(brackets_as_a_row_spoil_only_that)
{
    CLEANUP_FREE char *body = nested("{" META("2") ",\"objects\":[", 200000, "," ROW("b") "]}");
    struct page *p = decode_good(page_decode, body);
    ck_assert_int_eq(p->ncalls, 1);
    ck_assert_int_eq(p->nbad, 1);
    check_body(&p->calls[0], ROW_FILE("b"));
    page_free(p);
}
END_TEST

/* Deep, but valid: blanks of the indent fill the page's text, and a plain record still fits. */
START_TEST(records_that_swell_leave_room_for_plain_ones)
{
    struct buf body = buf_make(1 << 20);
    buf_puts(&body, "{" META("21") ",\"objects\":[");
    for (int i = 0; i < 20; i++) {
        char head[100];
        snprintf(head, sizeof(head),
                 "{\"call_uuid\":\"d%d\",\"end_time\":\"2026-09-18 08:52:26\","
                 "\"v\":",
                 i);
        CLEANUP_FREE char *row = nested(head, 1900, "},");
        buf_puts(&body, row);
    }
    buf_puts(&body, ROW("plain") "]}");
    struct page *p = decode_good(page_decode, body.p);
    ck_assert_int_eq(p->rows, 21);
    ck_assert_str_eq(p->calls[p->ncalls - 1].uuid, "plain");
    check_body(&p->calls[p->ncalls - 1], ROW_FILE("plain"));
    buf_release(&body);
    page_free(p);
}
END_TEST

START_TEST(many_rows_keep_their_own_bytes)
{
    struct buf body = buf_make(1 << 20);
    char want[200];
    buf_puts(&body, "{" META("500") ",\"objects\":[");
    for (int i = 0; i < 500; i++)
        buf_printf(&body, "%s{\"call_uuid\":\"u%d\",\"end_time\":\"2026-09-18 08:52:26\"}",
                   i ? "," : "", i);
    buf_puts(&body, "]}");
    struct page *p = decode_good(page_decode, body.p);
    ck_assert_int_eq(p->ncalls, 500);
    for (int i = 0; i < 500; i++) {
        snprintf(want, sizeof(want),
                 "{\n  \"call_uuid\": \"u%d\",\n"
                 "  \"end_time\": \"2026-09-18 08:52:26\"\n}\n",
                 i);
        check_body(&p->calls[i], want);
    }
    buf_release(&body);
    page_free(p);
}
END_TEST

START_TEST(a_body_of_tiny_rows_costs_time_in_proportion)
{
    size_t n = 200000;
    struct buf body = buf_make(BODY_MAX_BYTES);
    buf_puts(&body, "{" META("1") ",\"objects\":[0");
    for (size_t i = 1; i < n; i++)
        buf_puts(&body, ",0");
    buf_puts(&body, "]}");
    struct page *p;
    struct failure f;
    int rc = decode_n(page_decode, body.p, body.len, &p, &f);
    if (rc == 0)
        ck_assert_int_eq(p->rows, (int)n);
    else
        ck_assert_int_eq(rc, -EBADMSG);
    page_free(p);
    buf_release(&body);
}
END_TEST

START_TEST(random_damage_never_does_harm)
{
    static const char sent[] = "{" META("2") ",\"objects\":[" LEG_REAL "," ROW("b") "]}";
    static const char letters[] = "{}[]\",:\\u0 \x01\xff"
                                  "9.-e";
    struct rng r = {41};
    for (int i = 0; i < 20000; i++) {
        struct page *p;
        struct failure f;
        size_t n = sizeof(sent) - 1;
        CLEANUP_FREE char *body = exact_copy(sent, n);
        for (int k = rng_below(&r, 3); k >= 0; k--)
            body[rng_below(&r, (int)n)] = letters[rng_below(&r, (int)sizeof(letters) - 1)];
        int rc = decode_n(i % 2 ? page_decode : page_decode_call, body, n, &p, &f);
        ck_assert(rc == -EBADMSG || (rc == 0 && p->rows == p->ncalls + p->nbad));
        for (int k = 0; p && k < p->ncalls; k++)
            ck_assert_int_eq(p->calls[k].body.p[p->calls[k].body.n - 1], '\n');
        page_free(p);
    }
}
END_TEST

START_TEST(no_page_can_be_freed)
{
    page_free(NULL);
}
END_TEST

/* --- one call --- */

static const char *const single_calls[] = {
    REAL26,
    " " REAL26 "\n",
    "{\"object\":" REAL26 "}",
    "{\"api_id\":\"8e3b\",\"object\": " REAL26 " }",
    "{\"object\":" REAL26 ",\"api_id\":\"8e3b\",\"meta\":{}}",
};

START_TEST(one_call_comes_flat_or_wrapped)
{
    struct page *p = decode_good(page_decode_call, single_calls[_i]);
    ck_assert_int_eq(p->total, 1);
    ck_assert_int_eq(p->ncalls, 1);
    ck_assert_str_eq(p->calls[0].uuid, REAL26_UUID);
    check_body(&p->calls[0], REAL26_FILE);
    page_free(p);
}
END_TEST

START_TEST(the_id_of_the_request_is_dropped_from_one_call)
{
    struct page *p = decode_good(page_decode_call, "{\"api_id\":\"8e3b\",\"call_uuid\":\"u\","
                                                   "\"end_time\":\"2026-09-18 08:52:26\"}");
    check_body(&p->calls[0], ROW_FILE("u"));
    page_free(p);
}
END_TEST

START_TEST(a_member_named_object_that_is_none_is_a_member)
{
    struct page *p = decode_good(page_decode_call, "{\"call_uuid\":\"u\",\"end_time\":"
                                                   "\"2026-09-18 08:52:26\",\"object\":\"x\"}");
    check_body(&p->calls[0], "{\n  \"call_uuid\": \"u\",\n"
                             "  \"end_time\": \"2026-09-18 08:52:26\",\n  \"object\": \"x\"\n}\n");
    page_free(p);
}
END_TEST

static const char *const no_calls[] = {
    "",
    "{}",
    "[]",
    "null",
    "\"x\"",
    "not found",
    "{\"error\":\"not found\"}",
    "{\"object\":{}}",
    "{\"object\":null}",
    "{\"object\":[" ROW("u") "]}",
    "{\"call_uuid\":\"../u\",\"end_time\":\"2026-09-18 08:52:26\"}",
    "{\"call_uuid\":\"u\",\"end_time\":null}",
    ROW("u") "x",
    "{\"object\":" ROW("u"),
};

START_TEST(what_is_no_call_is_refused)
{
    check_refused(page_decode_call, no_calls[_i], strlen(no_calls[_i]));
}
END_TEST

/* --- error bodies, API.md section 6 and trap 34 --- */

static const struct {
    const char *body, *message, *api_id;
} errors[] = {
    {"", "", ""},
    {"{}", "", ""},
    {"null", "null", ""},
    {"{\"api_id\":\"a1\",\"error\":\"not found\"}", "not found", "a1"},
    {"{\"app_id\":\"a2\",\"status\":\"error\",\"error\":\"filtering not allowed on srtp\"}",
     "filtering not allowed on srtp", "a2"},
    {"{\"error\":\"authentication credentials were not provided\"}",
     "authentication credentials were not provided", ""},
    {"{\"error\":{\"limit\":[\"too large\"]}}", "{\"limit\":[\"too large\"]}", ""},
    {"{\"error\":[1,2]}", "[1,2]", ""},
    {"{\"error\":429}", "429", ""},
    {"{\"message\":\"slow down\"}", "slow down", ""},
    {"{\"global_error\":\"broken\",\"message\":\"m\"}", "broken", ""},
    {"{\"data\":{\"error\":\"inner\"}}", "inner", ""},
    {"{\"errors\":{\"global_error\":\"inner\"}}", "inner", ""},
    {"{\"message\":\"m\",\"error\":\"e\"}", "e", ""},
    {"{\"api_id\":5,\"error\":\"e\"}", "e", ""},
    {"[1]", "", ""},
    {"Service Unavailable", "Service Unavailable", ""},
    {"{\"error\":\"cut", "{\"error\":\"cut", ""},
};

START_TEST(the_message_of_an_error_is_found_in_any_shape)
{
    char message[100], api_id[64];
    size_t n = strlen(errors[_i].body);
    CLEANUP_FREE char *body = exact_copy(errors[_i].body, n);
    page_error_text(body, n, message, sizeof(message), api_id, sizeof(api_id));
    ck_assert_str_eq(message, errors[_i].message);
    ck_assert_str_eq(api_id, errors[_i].api_id);
}
END_TEST

START_TEST(messages_are_cut_to_their_room)
{
    char body[1000] = "{\"api_id\":\"", message[10], api_id[5];
    memset(body + 11, 'x', 300);
    strcpy(body + 311, "\",\"error\":\"");
    memset(body + strlen(body), 'y', 300);
    strcpy(body + 311 + 11 + 300, "\"}");
    page_error_text(body, strlen(body), message, sizeof(message), api_id, sizeof(api_id));
    ck_assert_str_eq(message, "yyyyyyyyy");
    ck_assert_str_eq(api_id, "xxxx");
    memset(body, 'z', sizeof(body));
    page_error_text(body, sizeof(body), message, sizeof(message), api_id, sizeof(api_id));
    ck_assert_str_eq(message, "zzzzzzzzz");
    ck_assert_str_eq(api_id, "");
}
END_TEST

START_TEST(no_body_has_no_message)
{
    char message[10] = "x", api_id[10] = "x";
    page_error_text(NULL, 0, message, sizeof(message), api_id, sizeof(api_id));
    ck_assert_str_eq(message, "");
    ck_assert_str_eq(api_id, "");
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(a_page_has_its_calls_in_order_with_their_files),
        EACH(a_list_is_read_whatever_else_it_says, lists),
        EACH(what_is_no_list_is_refused, no_lists),
        ONCE(a_list_cut_short_anywhere_is_refused),
        EACH(a_page_with_one_bad_record_keeps_the_others, bad_rows),
        ONCE(a_call_that_is_there_twice_is_one_call_and_a_row_set_aside),
        ONCE(a_page_of_bad_records_only_says_where_each_stood),
        ONCE(a_body_of_brackets_is_refused),
        ONCE(brackets_in_the_place_of_the_count_are_refused),
        ONCE(brackets_within_one_record_spoil_only_that),
        ONCE(brackets_as_a_row_spoil_only_that),
        ONCE(records_that_swell_leave_room_for_plain_ones),
        ONCE(many_rows_keep_their_own_bytes),
        ONCE(a_body_of_tiny_rows_costs_time_in_proportion),
        ONCE(random_damage_never_does_harm),
        ONCE(no_page_can_be_freed),
        EACH(one_call_comes_flat_or_wrapped, single_calls),
        ONCE(the_id_of_the_request_is_dropped_from_one_call),
        ONCE(a_member_named_object_that_is_none_is_a_member),
        EACH(what_is_no_call_is_refused, no_calls),
        EACH(the_message_of_an_error_is_found_in_any_shape, errors),
        ONCE(messages_are_cut_to_their_room),
        ONCE(no_body_has_no_message),
    };
    return RUN_SUITE("page", tests);
}
