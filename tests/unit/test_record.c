// SPDX-License-Identifier: MIT
#include "api/record.h"

#include <errno.h>
#include <jansson.h>

#include "tests/unit/check_util.h"
#include "tests/unit/records.h"

#define TEXT_MAX (1 << 22)
#define NONE INT64_MIN
#define ID "\"call_uuid\":\"u1\",\"end_time\":\"2026-09-18 08:52:26\""

struct decoded {
    int rc;
    struct call call;
    struct buf out;
    char reason[96];
};

/* Decodes n bytes that end where their memory ends. */
static struct decoded decode_n(const char *p, size_t n)
{
    struct decoded d = {.out = buf_make(TEXT_MAX)};
    CLEANUP_FREE char *text = exact_copy(p, n);
    d.rc = record_decode((struct slice){text, n}, &d.call, &d.out, d.reason, sizeof(d.reason));
    return d;
}

static struct decoded decode(const char *text)
{
    return decode_n(text, strlen(text));
}

static struct decoded decode_good(const char *text)
{
    struct decoded d = decode(text);
    ck_assert_msg(d.rc == 0, "%.200s: %d %s", text, d.rc, d.reason);
    ck_assert_int_eq(d.out.p[d.out.len - 1], '\n');
    return d;
}

/* --- the samples --- */

static const struct {
    const char *text, *uuid;
    int64_t num[NUM_AXES];
    const char *words[TEXT_AXES];
} samples[] = {
    {REAL26,
     REAL26_UUID,
     {1789721546, 1789721509, 60, DIRECTION_INBOUND, 3000, 2, 2},
     {"919902443540", "14155550100", "42741122632602585"}},
    {SEED,
     SEED_UUID,
     {1653571957, 1653571926, 7200, DIRECTION_OUTBOUND, 3010, 1, 2},
     {"552135006716", "12604109832", "2969858100306124"}},
    {LEG_REAL,
     "11111111-2222-4333-8444-555555555555",
     {1656445155, 1656445125, 0, DIRECTION_OUTBOUND, 4160, 2, NONE},
     {"14792020179", "18326802467", "25737385224693277"}},
};

START_TEST(a_record_of_each_host_says_what_can_be_asked)
{
    struct decoded d = decode_good(samples[_i].text);
    ck_assert_str_eq(d.call.uuid, samples[_i].uuid);
    for (int i = 0; i < NUM_AXES; i++)
        ck_assert_msg(d.call.num[i] == samples[_i].num[i], "%s: %lld", axes[i].column,
                      (long long)d.call.num[i]);
    for (int i = 0; i < TEXT_AXES; i++)
        ck_assert_str_eq(d.call.text[i], samples[_i].words[i]);
    buf_release(&d.out);
}
END_TEST

START_TEST(a_file_is_the_record_indented)
{
    struct decoded d = decode_good(REAL26);
    ck_assert_str_eq(d.out.p, REAL26_FILE);
    ck_assert_uint_eq(d.out.len, strlen(REAL26_FILE));
    buf_release(&d.out);
}
END_TEST

START_TEST(a_file_decodes_to_itself)
{
    struct decoded d = decode_good(samples[_i].text);
    struct decoded again = decode_good(d.out.p);
    ck_assert_str_eq(again.out.p, d.out.p);
    ck_assert(memcmp(again.call.num, d.call.num, sizeof(d.call.num)) == 0);
    buf_release(&d.out);
    buf_release(&again.out);
}
END_TEST

START_TEST(a_file_has_the_values_of_the_record)
{
    struct decoded d = decode_good(samples[_i].text);
    json_t *file = json_loads(d.out.p, 0, NULL), *sent = json_loads(samples[_i].text, 0, NULL);
    ck_assert_ptr_nonnull(file);
    ck_assert(json_equal(file, sent));
    json_decref(file);
    json_decref(sent);
    buf_release(&d.out);
}
END_TEST

/* --- literals --- */

static const struct {
    const char *literal, *file; /* file NULL: as sent */
} literals[] = {
    {"0.1", NULL},
    {"0.318", NULL},
    {"\"0.00650\"", NULL},
    {"0.10000", NULL},
    {"1E+2", NULL},
    {"-0", NULL},
    {"123456789012345678", NULL},
    {"9223372036854775807", NULL},
    {"9223372036854775808", NULL},
    {"-9223372036854775809", NULL},
    {"99999999999999999999", NULL},
    {"\"\\ud800\"", NULL},
    {"\"\\udc00\\ud800\"", NULL},
    {"\"\\u0000\"", NULL},
    {"\"a\\u001b[2J\"", NULL},
    {"\"\\/\\u00e9\"", NULL},
    {"\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"", NULL},
    {"\"\\\\\\\"}{][,:\"", NULL},
    {"null", NULL},
    {"\"null\"", NULL},
    {"true", NULL},
    {"{}", NULL},
    {"[]", NULL},
    {"{ }", "{}"},
    {"[ \n]", "[]"},
    {"[1,2]", "[\n    1,\n    2\n  ]"},
    {"{\"a\":{\"b\":[]}}", "{\n    \"a\": {\n      \"b\": []\n    }\n  }"},
    {"{\"api_id\":1}", "{\n    \"api_id\": 1\n  }"},
};

START_TEST(a_literal_of_an_unknown_key_is_kept)
{
    const char *file = literals[_i].file ? literals[_i].file : literals[_i].literal;
    char text[300], want[300];
    snprintf(text, sizeof(text), "{" ID ", \"new_key\" :%s, \"z\":0}", literals[_i].literal);
    snprintf(want, sizeof(want),
             "{\n  \"call_uuid\": \"u1\",\n  \"end_time\": \"2026-09-18 08:52:26\",\n"
             "  \"new_key\": %s,\n  \"z\": 0\n}\n",
             file);
    struct decoded d = decode_good(text);
    ck_assert_str_eq(d.out.p, want);
    buf_release(&d.out);
}
END_TEST

START_TEST(an_integer_of_any_length_is_kept)
{
    char text[1000], digits[401];
    memset(digits, '7', 400);
    digits[400] = '\0';
    snprintf(text, sizeof(text), "{" ID ",\"n\":%s}", digits);
    struct decoded d = decode_good(text);
    ck_assert_ptr_nonnull(strstr(d.out.p, digits));
    buf_release(&d.out);
}
END_TEST

START_TEST(a_huge_integer_does_not_hide_its_neighbours)
{
    struct decoded d = decode_good("{" ID ",\"n\":99999999999999999999,\"bill_duration\":60,"
                                   "\"hangup_cause_code\":3000,\"from_number\":552135006716}");
    ck_assert_int_eq(d.call.num[AXIS_BILL_DURATION], 60);
    ck_assert_int_eq(d.call.num[AXIS_HANGUP_CAUSE], 3000);
    ck_assert_str_eq(d.call.text[AXIS_FROM], "552135006716");
    buf_release(&d.out);
}
END_TEST

static const struct {
    const char *text, *file;
} api_ids[] = {
    {"{\"api_id\":\"x\"," ID "}",
     "{\n  \"call_uuid\": \"u1\",\n  \"end_time\": \"2026-09-18 08:52:26\"\n}\n"},
    {"{" ID ",\"api_id\":\"x\"}",
     "{\n  \"call_uuid\": \"u1\",\n  \"end_time\": \"2026-09-18 08:52:26\"\n}\n"},
    {"{\"call_uuid\":\"u1\",\"api_id\":{\"a\":[1,2]},\"end_time\":\"2026-09-18 08:52:26\"}",
     "{\n  \"call_uuid\": \"u1\",\n  \"end_time\": \"2026-09-18 08:52:26\"\n}\n"},
};

START_TEST(the_id_of_a_request_is_no_part_of_a_file)
{
    struct decoded d = decode_good(api_ids[_i].text);
    ck_assert_str_eq(d.out.p, api_ids[_i].file);
    buf_release(&d.out);
}
END_TEST

/* --- fields --- */

static const struct {
    const char *member;
    int axis;
    int64_t want;
} numbers[] = {
    {"\"bill_duration\":60", AXIS_BILL_DURATION, 60},
    {"\"bill_duration\":\"60\"", AXIS_BILL_DURATION, 60},
    {"\"bill_duration\":0", AXIS_BILL_DURATION, 0},
    {"\"bill_duration\":null", AXIS_BILL_DURATION, NONE},
    {"\"bill_duration\":\"\"", AXIS_BILL_DURATION, NONE},
    {"\"bill_duration\":\"60s\"", AXIS_BILL_DURATION, NONE},
    {"\"bill_duration\":\"60\\u0000\"", AXIS_BILL_DURATION, NONE},
    {"\"bill_duration\":[60]", AXIS_BILL_DURATION, NONE},
    {"\"bill_duration\":true", AXIS_BILL_DURATION, NONE},
    {"\"bill_duration\":\"99999999999999999999\"", AXIS_BILL_DURATION, NONE},
    {"\"duration\":60", AXIS_BILL_DURATION, NONE},
    {"\"call_duration\":60", AXIS_BILL_DURATION, NONE},
    {"\"billed_duration\":60", AXIS_BILL_DURATION, NONE},
    {"\"hangup_cause_code\":4160", AXIS_HANGUP_CAUSE, 4160},
    {"\"hangup_cause_code\":\"4160\"", AXIS_HANGUP_CAUSE, 4160},
    {"\"hangup_code\":4160", AXIS_HANGUP_CAUSE, 4160},
    {"\"hangup_cause_code\":null,\"hangup_code\":4160", AXIS_HANGUP_CAUSE, 4160},
    {"\"hangup_cause_name\":\"normal_hangup\"", AXIS_HANGUP_CAUSE, NONE},
    {"\"hangup_source\":\"Customer\"", AXIS_HANGUP_SOURCE, 1},
    {"\"hangup_initiator\":\"zentrunk\"", AXIS_HANGUP_SOURCE, 3},
    {"\"hangup_source\":\"somebody\"", AXIS_HANGUP_SOURCE, NONE},
    {"\"hangup_source\":1", AXIS_HANGUP_SOURCE, NONE},
    {"\"stir_verification\":\"Verified\"", AXIS_STIR, 1},
    {"\"stir_verification\":\"not applicable\"", AXIS_STIR, 3},
    {"\"stir_verification\":\"\"", AXIS_STIR, NONE},
    {"\"stir_verification\":\"Verified\\u0000\"", AXIS_STIR, NONE},
    {"\"call_direction\":\"inbound\"", AXIS_DIRECTION, DIRECTION_INBOUND},
    {"\"call_direction\":\"OUTBOUND\"", AXIS_DIRECTION, DIRECTION_OUTBOUND},
    {"\"call_direction\":\"internal\"", AXIS_DIRECTION, NONE},
    {"\"initiation_time\":\"2026-09-18 08:51:49\"", AXIS_INITIATION_TIME, 1789721509},
    {"\"initiation_time\":\"2026-09-18 14:21:49+05:30\"", AXIS_INITIATION_TIME, 1789721509},
    {"\"initiation_time\":null", AXIS_INITIATION_TIME, NONE},
    {"\"initiation_time\":1789721509", AXIS_INITIATION_TIME, NONE},
    {"\"initiation_time\":\"soon\"", AXIS_INITIATION_TIME, NONE},
    {"\"answer_time\":null", AXIS_INITIATION_TIME, NONE},
};

START_TEST(a_number_is_read_from_either_form_or_not_at_all)
{
    char text[300];
    snprintf(text, sizeof(text), "{" ID ",%s}", numbers[_i].member);
    struct decoded d = decode_good(text);
    for (int i = 0; i < NUM_AXES; i++)
        if (i != AXIS_END_TIME)
            ck_assert_msg(d.call.num[i] == (i == numbers[_i].axis ? numbers[_i].want : NONE),
                          "%s: %s is %lld", text, axes[i].column, (long long)d.call.num[i]);
    buf_release(&d.out);
}
END_TEST

static const struct {
    const char *member;
    int axis;
    const char *want;
} words[] = {
    {"\"from_number\":\"+14155550100\"", AXIS_FROM, "14155550100"},
    {"\"from_number\":\"14155550100\"", AXIS_FROM, "14155550100"},
    {"\"from_number\":552135006716", AXIS_FROM, "552135006716"},
    {"\"to_number\":9007199254740993", AXIS_TO, "9007199254740993"},
    {"\"from_number\":null", AXIS_FROM, ""},
    {"\"from_number\":\"\"", AXIS_FROM, ""},
    {"\"from_number\":\"anonymous\"", AXIS_FROM, ""},
    {"\"from_number\":\"../../etc\"", AXIS_FROM, ""},
    {"\"to_number\":\"sip:bob@example.com\"", AXIS_TO, ""},
    {"\"to_number\":\"0123456789012345678901234567890123456789\"", AXIS_TO,
     "012345678901234567890123456789"},
    {"\"from_number\":\"1415abc\"", AXIS_FROM, ""},
    {"\"from_number\":\"0123456789012345678901234567890123456789x\"", AXIS_FROM, ""},
    {"\"from_number\":\"1415\\u0000666\"", AXIS_FROM, ""},
    {"\"from_number\":\"1415\\u0000\"", AXIS_FROM, ""},
    {"\"from_number\":\"+\"", AXIS_FROM, ""},
    {"\"from_number\":\"++1415\"", AXIS_FROM, ""},
    {"\"to_number\":[1]", AXIS_TO, ""},
    {"\"trunk_id\":\"986908123123411213\"", AXIS_TRUNK, "986908123123411213"},
    {"\"trunk_id\":986908123123411213", AXIS_TRUNK, "986908123123411213"},
    {"\"trunk_id\":\"126041xxxx\"", AXIS_TRUNK, ""},
    {"\"trunk_domain\":\"42741122632602585.zt.plivo.com\"", AXIS_TRUNK, "42741122632602585"},
    {"\"trunk_domain\":\"25737385224693277.us-east-1.zt.plivo.com\"", AXIS_TRUNK,
     "25737385224693277"},
    {"\"trunk_domain\":\"77\\u0000.zt.plivo.com\"", AXIS_TRUNK, ""},
    {"\"trunk_domain\":\"\"", AXIS_TRUNK, ""},
    {"\"trunk_domain\":null", AXIS_TRUNK, ""},
    {"\"trunk_domain\":\"sip.example.com\"", AXIS_TRUNK, ""},
    {"\"trunk_domain\":\"12ab.zt.plivo.com\"", AXIS_TRUNK, ""},
    {"\"trunk_id\":\"\",\"trunk_domain\":\"77.zt.plivo.com\"", AXIS_TRUNK, "77"},
    {"\"trunk_id\":null,\"trunk_domain\":\"77.zt.plivo.com\"", AXIS_TRUNK, "77"},
    {"\"trunk_id\":\"5\",\"trunk_domain\":\"77.zt.plivo.com\"", AXIS_TRUNK, "5"},
};

START_TEST(a_text_is_read_from_either_form)
{
    char text[300];
    snprintf(text, sizeof(text), "{" ID ",%s}", words[_i].member);
    struct decoded d = decode_good(text);
    for (int i = 0; i < TEXT_AXES; i++) {
        const char *want = i == words[_i].axis ? words[_i].want : "";
        if (strlen(want) == 30) /* cut, wherever exactly */
            ck_assert_msg(strncmp(d.call.text[i], want, 30) == 0, "%s", d.call.text[i]);
        else
            ck_assert_str_eq(d.call.text[i], want);
    }
    buf_release(&d.out);
}
END_TEST

START_TEST(the_shortest_record_has_an_id_and_an_end)
{
    struct decoded d = decode_good("{" ID "}");
    ck_assert_str_eq(d.call.uuid, "u1");
    ck_assert_int_eq(d.call.num[AXIS_END_TIME], 1789721546);
    ck_assert_int_eq(d.call.num[AXIS_DIRECTION], NONE);
    ck_assert_str_eq(d.call.text[AXIS_TRUNK], "");
    buf_release(&d.out);
}
END_TEST

/* --- records that cannot be files --- */

static const char *const bad_records[] = {
    "",
    "   ",
    "null",
    "1",
    "true",
    "\"text\"",
    "[]",
    "{}",
    "{",
    "{\"call_uuid\":\"u1\"}",
    "{\"end_time\":\"2026-09-18 08:52:26\"}",
    "{\"call_uuid\":\"u1\",\"end_time\":null}",
    "{\"call_uuid\":\"u1\",\"end_time\":\"\"}",
    "{\"call_uuid\":\"u1\",\"end_time\":\"yesterday\"}",
    "{\"call_uuid\":\"u1\",\"end_time\":\"2026-02-30 00:00:00\"}",
    "{\"call_uuid\":\"u1\",\"end_time\":1789721546}",
    "{" ID "} x",
    "{" ID ",}",
    "{" ID ",\"a\":tru}",
    "{" ID ",\"a\":01}",
    "{" ID ",\"a\":.5}",
    "{" ID ",\"a\":\"\n\"}",
    "{" ID ",\"a\":\"\x01\"}",
    "{" ID ",\"a\":\"\\x\"}",
    "{" ID ",\"a\":\"\\u12\"}",
    "{" ID ",\"a\":\"\xff\"}",
    "{" ID ",\"a\":\"\xc3\"}",
    "{" ID ",\"a\":\"\xed\xa0\x80\"}",
    "{" ID ",\"a\":\"\xc0\xaf\"}",
    "{" ID ",\"a\":\"\xf8\x88\x80\x80\x80\"}",
    "{" ID ",\"a\":[1,2}",
    "{" ID ",'a':1}",
    "{" ID "",
    "{" ID ",\"a\":\x7f}",
    "{" ID ",\"a\":\xc3\xa9}",
};

/* The reason goes to logs and terminals. */
static void check_refused(const struct decoded *d, const char *what)
{
    ck_assert_msg(d->rc == -EBADMSG, "%.100s: %d", what, d->rc);
    ck_assert_uint_eq(d->out.len, 0);
    ck_assert_uint_gt(strlen(d->reason), 0);
    for (const char *p = d->reason; *p; p++)
        ck_assert_msg(*p >= 0x20 && *p <= 0x7e, "%.100s: byte %d in the reason", what, *p);
}

START_TEST(what_cannot_be_a_file_is_refused_with_a_reason)
{
    struct decoded d = decode(bad_records[_i]);
    check_refused(&d, bad_records[_i]);
    buf_release(&d.out);
}
END_TEST

/* API.md trap 31: as JSON text. */
static const char *const hostile_ids[] = {
    "\"\"",
    "\".\"",
    "\"..\"",
    "\"../../etc/passwd\"",
    "\"a/b\"",
    "\"a\\/b\"",
    "\"a\\\\b\"",
    "\"a\\u0000b\"",
    "\"\\u0000\"",
    "\"a\\nb\"",
    "\"a\\u001b[2Jb\"",
    "\"a b\"",
    "\"a.json\"",
    "\"caf\xc3\xa9\"",
    "\"\\u202e\"",
    "\"\\ud800\"",
    "\"123456789_123456789_123456789_123456789_123456789_123456789_12345\"",
    "null",
    "12345",
    "1.5",
    "true",
    "[\"u1\"]",
    "{\"a\":\"u1\"}",
};

START_TEST(a_hostile_id_is_never_a_name)
{
    char text[300];
    snprintf(text, sizeof(text), "{\"call_uuid\":%s,\"end_time\":\"2026-09-18 08:52:26\"}",
             hostile_ids[_i]);
    struct decoded d = decode(text);
    check_refused(&d, text);
    buf_release(&d.out);
}
END_TEST

START_TEST(a_key_given_twice_still_makes_one_safe_call)
{
    struct decoded d = decode("{" ID ",\"call_uuid\":\"u2\",\"bill_duration\":1,"
                              "\"bill_duration\":2}");
    if (d.rc == 0) {
        ck_assert(strcmp(d.call.uuid, "u1") == 0 || strcmp(d.call.uuid, "u2") == 0);
        ck_assert_int_ge(d.call.num[AXIS_BILL_DURATION], 1);
        ck_assert_int_le(d.call.num[AXIS_BILL_DURATION], 2);
    } else {
        check_refused(&d, "duplicate keys");
    }
    buf_release(&d.out);
    d = decode("{" ID ",\"call_uuid\":\"../x\"}");
    if (d.rc == 0)
        ck_assert_str_eq(d.call.uuid, "u1");
    buf_release(&d.out);
}
END_TEST

START_TEST(a_raw_nul_byte_is_not_json)
{
    static const char text[] = "{" ID ",\"a\":\"x\0y\"}";
    struct decoded d = decode_n(text, sizeof(text) - 1);
    check_refused(&d, "a NUL in a string");
    buf_release(&d.out);
    d = decode_n("{" ID "}\0", sizeof("{" ID "}"));
    check_refused(&d, "a NUL behind");
    buf_release(&d.out);
}
END_TEST

/* jansson takes that byte for the end of the word, and goes on. */
START_TEST(a_nul_byte_behind_a_word_or_a_number_is_not_json)
{
    static const char *const values[] = {"null", "true", "12", "1.5", "0.50e3"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char text[200];
        int n = snprintf(text, sizeof(text), "{" ID ",\"a\":%s%c,\"b\":1}", values[i], '\0');
        struct decoded d = decode_n(text, (size_t)n);
        check_refused(&d, values[i]);
        ck_assert_ptr_nonnull(strstr(d.reason, "a NUL byte"));
        buf_release(&d.out);
    }
}
END_TEST

START_TEST(no_beginning_of_a_record_is_a_record)
{
    for (size_t n = 0; n < sizeof(REAL26) - 1; n++) {
        struct decoded d = decode_n(REAL26, n);
        ck_assert_int_eq(d.rc, -EBADMSG);
        buf_release(&d.out);
    }
}
END_TEST

static char *nested(const char *head, size_t depth, const char *tail)
{
    size_t h = strlen(head), t = strlen(tail);
    char *s = malloc(h + 2 * depth + t + 1);
    memcpy(s, head, h);
    memset(s + h, '[', depth);
    memset(s + h + depth, ']', depth);
    memcpy(s + h + 2 * depth, tail, t + 1);
    return s;
}

START_TEST(a_record_nested_too_deep_is_refused)
{
    CLEANUP_FREE char *text = nested("{" ID ",\"a\":", 200000, "}");
    struct decoded d = decode(text);
    check_refused(&d, "200,000 brackets");
    buf_release(&d.out);
}
END_TEST

START_TEST(a_moderately_nested_record_is_kept)
{
    CLEANUP_FREE char *text = nested("{" ID ",\"a\":", 100, "}");
    struct decoded d = decode_good(text);
    json_t *file = json_loads(d.out.p, 0, NULL), *sent = json_loads(text, 0, NULL);
    ck_assert(json_equal(file, sent));
    json_decref(file);
    json_decref(sent);
    buf_release(&d.out);
}
END_TEST

START_TEST(random_damage_never_does_harm)
{
    struct rng r = {31};
    static const char letters[] = "{}[]\",:\\u0 \x01\xff\x7f"
                                  "9.-e";
    int good = 0;
    for (int i = 0; i < 20000; i++) {
        size_t n = sizeof(SEED) - 1;
        CLEANUP_FREE char *text = exact_copy(SEED, n);
        for (int k = rng_below(&r, 3); k >= 0; k--)
            text[rng_below(&r, (int)n)] = letters[rng_below(&r, (int)sizeof(letters) - 1)];
        struct decoded d = decode_n(text, n);
        if (d.rc == 0) {
            good++;
            ck_assert(call_uuid_valid(d.call.uuid, strlen(d.call.uuid)));
        } else {
            check_refused(&d, "damaged");
        }
        buf_release(&d.out);
    }
    ck_assert_int_gt(good, 100);
}
END_TEST

/* --- the buffer --- */

START_TEST(a_file_is_appended_behind_others)
{
    struct buf out = buf_make(TEXT_MAX);
    struct call c;
    char reason[96];
    buf_puts(&out, "before");
    ck_assert_int_eq(record_decode(slice_of("{" ID "}"), &c, &out, reason, sizeof(reason)), 0);
    ck_assert_str_eq(out.p, "before{\n  \"call_uuid\": \"u1\",\n"
                            "  \"end_time\": \"2026-09-18 08:52:26\"\n}\n");
    buf_release(&out);
}
END_TEST

START_TEST(a_refused_record_leaves_the_buffer_as_it_was)
{
    for (size_t max = 6; max < 67; max++) {
        struct buf out = buf_make(max);
        struct call c;
        char reason[96] = "";
        buf_puts(&out, "before");
        ck_assert_int_eq(record_decode(slice_of("{" ID "}"), &c, &out, reason, sizeof(reason)),
                         -EMSGSIZE);
        ck_assert_uint_gt(strlen(reason), 0);
        ck_assert_int_eq(buf_error(&out), 0);
        ck_assert_uint_eq(out.len, 6);
        ck_assert_str_eq(out.p, "before");
        buf_release(&out);
    }
}
END_TEST

START_TEST(a_reason_is_cut_to_its_room)
{
    for (size_t cap = 1; cap < 40; cap++) {
        struct buf out = buf_make(TEXT_MAX);
        struct call c;
        CLEANUP_FREE char *reason = malloc(cap);
        ck_assert_int_eq(record_decode(slice_of("{}"), &c, &out, reason, cap), -EBADMSG);
        ck_assert_uint_lt(strlen(reason), cap);
        buf_release(&out);
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(a_record_of_each_host_says_what_can_be_asked, samples),
        ONCE(a_file_is_the_record_indented),
        EACH(a_file_decodes_to_itself, samples),
        EACH(a_file_has_the_values_of_the_record, samples),
        EACH(a_literal_of_an_unknown_key_is_kept, literals),
        ONCE(an_integer_of_any_length_is_kept),
        ONCE(a_huge_integer_does_not_hide_its_neighbours),
        EACH(the_id_of_a_request_is_no_part_of_a_file, api_ids),
        EACH(a_number_is_read_from_either_form_or_not_at_all, numbers),
        EACH(a_text_is_read_from_either_form, words),
        ONCE(the_shortest_record_has_an_id_and_an_end),
        EACH(what_cannot_be_a_file_is_refused_with_a_reason, bad_records),
        EACH(a_hostile_id_is_never_a_name, hostile_ids),
        ONCE(a_key_given_twice_still_makes_one_safe_call),
        ONCE(a_raw_nul_byte_is_not_json),
        ONCE(a_nul_byte_behind_a_word_or_a_number_is_not_json),
        ONCE(no_beginning_of_a_record_is_a_record),
        ONCE(a_record_nested_too_deep_is_refused),
        ONCE(a_moderately_nested_record_is_kept),
        ONCE(random_damage_never_does_harm),
        ONCE(a_file_is_appended_behind_others),
        ONCE(a_refused_record_leaves_the_buffer_as_it_was),
        ONCE(a_reason_is_cut_to_its_room),
    };
    return RUN_SUITE("record", tests);
}
