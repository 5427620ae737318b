// SPDX-License-Identifier: MIT
#include "fs/render.h"

#include <errno.h>

#include "tests/unit/check_util.h"
#include "tests/unit/records.h"

/* API.md section 3, in its order. */
#define LATEST_HEADER                                                                              \
    "call_uuid,call_id,from_number,to_number,call_direction,call_duration,bill_duration,"          \
    "billed_duration,initiation_time,answer_time,end_time,hangup_cause_name,hangup_cause_code,"    \
    "hangup_source,total_rate,total_amount,trunk_domain,from_country,to_country,"                  \
    "transport_protocol,srtp,secure_trunking,secure_trunking_rate,stir_verification,"              \
    "attestation_indicator,cnam_lookup,cnam_lookup_rate,other\n"
#define LEGACY_HEADER                                                                              \
    "call_uuid,from_number,to_number,call_direction,duration,bill_duration,initiation_time,"       \
    "answer_time,end_time,hangup_cause,hangup_code,hangup_initiator,rate,total_amount,trunk_id,"   \
    "trunk_domain,region,from_country,to_country,transport_protocol,srtp,secure_trunking,"         \
    "secure_trunking_rate,stir_verification,other\n"

static struct buf out;

static void setup(void)
{
    out = buf_make(1 << 20);
}

static void teardown(void)
{
    buf_release(&out);
}

/* The row of a record; the text stays until the test ends. */
static const char *row_of(enum dialect_id dialect, const char *record)
{
    char *copy = exact_copy(record, strlen(record));
    out.len = 0;
    int rc = render_csv_row(&out, dialect, (struct slice){copy, strlen(record)});
    free(copy);
    ck_assert_msg(rc == 0, "%s: %d", record, rc);
    return buf_text(&out);
}

/* --- a reader of RFC 4180, strict, with LF --- */

struct field {
    char text[512];
    bool quoted;
};

/* Reads one line into fields; returns how many, or -1 when it is not well formed. */
static int read_line(const char **p, struct field *f, int cap)
{
    int n = 0;
    for (;;) {
        size_t len = 0;
        expect(n < cap, "too many fields");
        f[n].quoted = **p == '"';
        if (f[n].quoted) {
            for ((*p)++; **p != '"' || (*p)[1] == '"'; (*p)++) {
                if (!**p)
                    return -1;
                *p += **p == '"';
                f[n].text[len++] = **p;
            }
            (*p)++;
        }
        for (; !f[n].quoted && **p && !strchr(",\n", **p); (*p)++) {
            if (**p == '"' || **p == '\r')
                return -1;
            f[n].text[len++] = **p;
        }
        f[n++].text[len] = '\0';
        char end = *(*p)++;
        if (end == '\n')
            return n;
        if (end != ',')
            return -1;
    }
}

static int columns_of(const char *header)
{
    int n = 1;
    for (; *header; header++)
        n += *header == ',';
    return n;
}

/* The value of a column in the row of a record. */
static const char *column(enum dialect_id dialect, const char *record, const char *name)
{
    static struct field names[40], values[40];
    struct buf header = buf_make(4096);
    render_csv_header(&header, dialect);
    const char *p = buf_text(&header), *q = row_of(dialect, record);
    int n = read_line(&p, names, 40);
    ck_assert_int_eq(read_line(&q, values, 40), n);
    ck_assert_msg(!*q, "more than one line");
    buf_release(&header);
    for (int i = 0; i < n; i++)
        if (strcmp(names[i].text, name) == 0)
            return values[i].text;
    ck_abort_msg("no column %s", name);
}

/* --- the header --- */

START_TEST(the_header_is_the_keys_of_the_dialect_then_other)
{
    render_csv_header(&out, DIALECT_LATEST);
    ck_assert_str_eq(out.p, LATEST_HEADER);
    out.len = 0;
    render_csv_header(&out, DIALECT_LEGACY);
    ck_assert_str_eq(out.p, LEGACY_HEADER);
}
END_TEST

/* --- whole rows --- */

START_TEST(a_real_record_of_the_latest_host)
{
    ck_assert_str_eq(row_of(DIALECT_LATEST, REAL26_FILE), REAL26_UUID
                     ",459580122_124515270@206.146.101.14,+919902443540,+14155550100,inbound,32,60,"
                     "60,2026-09-18 08:51:49,2026-09-18 08:51:54,2026-09-18 08:52:26,normal_hangup,"
                     "3000,carrier,0.00280,0.00280,42741122632602585.zt.plivo.com,IN,US,tcp,false,"
                     "false,0.00000,Not Verified,C,false,0.00000,\n");
}
END_TEST

START_TEST(a_record_of_the_legacy_host_keeps_its_numbers)
{
    ck_assert_str_eq(row_of(DIALECT_LEGACY, SEED),
                     SEED_UUID ",552135006716,12604109832,outbound,28,7200,2022-05-26 13:32:06,"
                               "2022-05-26 13:32:09,2022-05-26 13:32:37,normal_hangup,3010,"
                               "customer,0.318,0.318,2969858100306124,,us-east-1,BR,US,udp,false,"
                               "true,0,Not Verified,\n");
}
END_TEST

START_TEST(null_and_missing_are_empty)
{
    ck_assert_str_eq(column(DIALECT_LEGACY, LEG_REAL, "answer_time"), "");
    ck_assert_str_eq(column(DIALECT_LEGACY, LEG_REAL, "trunk_id"), "");
    ck_assert_str_eq(column(DIALECT_LEGACY, LEG_REAL, "other"), "");
    ck_assert_str_eq(row_of(DIALECT_LATEST, "{}"), ",,,,,,,,,,,,,,,,,,,,,,,,,,,\n");
}
END_TEST

START_TEST(keys_of_the_other_dialect_go_to_other)
{
    ck_assert_str_eq(
        column(DIALECT_LATEST, "{\"hangup_code\": 4160, \"rate\": \"0.00650\"}", "other"),
        "{\"hangup_code\":4160,\"rate\":\"0.00650\"}");
}
END_TEST

START_TEST(every_row_has_as_many_fields_as_the_header)
{
    static const char *const records[] = {REAL26_FILE, SEED, LEG_REAL, "{}", "{\"a\":[1,2,3]}"};
    static struct field f[40];
    for (size_t i = 0; i < ARRAY_LEN(records); i++)
        for (int d = 0; d < DIALECTS; d++) {
            const char *p = row_of((enum dialect_id)d, records[i]);
            ck_assert_int_eq(read_line(&p, f, 40),
                             columns_of(d == DIALECT_LATEST ? LATEST_HEADER : LEGACY_HEADER));
        }
}
END_TEST

/* --- one field --- */

static const struct {
    const char *value, *field; /* of call_id, as it stands in the line */
} fields[] = {
    {"\"plain\"", "plain"},
    {"\"\"", ""},
    {"\"a,b\"", "\"a,b\""},
    {"\"say \\\"hi\\\"\"", "\"say \"\"hi\"\"\""},
    {"\"a\\nb\"", "\"a\nb\""},
    {"\"a\\rb\"", "\"a\rb\""},
    {"\"a\\r\\nb\"", "\"a\r\nb\""},
    {"\"\\\"\"", "\"\"\"\""},
    {"\"a;b\"", "a;b"},
    {"\"  x  \"", "  x  "},
    {"\"a\\tb\"", "a\tb"},
    {"\"a\\/b\"", "a/b"},
    {"\"a\\\\b\"", "a\\b"},
    {"\"\\u00e4\"", "ä"},
    {"\"ä\"", "ä"},
    {"\"\\ud83d\\ude00\"", "😀"},
    {"\"a\\u0000b\"", "a\\u0000b"},
    {"\"\\ud83d\"", "\\ud83d"},
    {"\"\\ude00x\"", "\\ude00x"},
    {"\"\\u002c\"", "\",\""},
    {"\"null\"", "null"},
    {"null", ""},
    {"true", "true"},
    {"false", "false"},
    {"0", "0"},
    {"-0", "-0"},
    {"0.1", "0.1"},
    {"0.00650", "0.00650"},
    {"1e5", "1e5"},
    {"1.50E+02", "1.50E+02"},
    {"296985810030612412345", "296985810030612412345"},
    {"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"},
    {"[]", "[]"},
    {"{}", "{}"},
    {"[1, 2]", "\"[1,2]\""},
    {"{\"a\": null}", "\"{\"\"a\"\":null}\""},
    {"{ \"a\": [ 1 , { } ] }", "\"{\"\"a\"\":[1,{}]}\""},
};

START_TEST(a_value_is_written_as_what_it_means)
{
    char record[256], want[256];
    snprintf(record, sizeof(record), "{\"call_uuid\": \"u\", \"call_id\": %s, \"from_number\": 1}",
             fields[_i].value);
    snprintf(want, sizeof(want), "u,%s,1,,,,,,,,,,,,,,,,,,,,,,,,,\n", fields[_i].field);
    ck_assert_str_eq(row_of(DIALECT_LATEST, record), want);
}
END_TEST

START_TEST(other_is_one_json_object_with_what_the_header_has_not)
{
    ck_assert_str_eq(
        column(DIALECT_LATEST,
               "{\"x\": 0.10, \"call_uuid\": \"u\", \"y\": \"a\\\"b,c\\n\", \"z\": null,"
               " \"w\": {\"k\": [ ]}}",
               "other"),
        "{\"x\":0.10,\"y\":\"a\\\"b,c\\n\",\"z\":null,\"w\":{\"k\":[]}}");
}
END_TEST

static const char *const no_objects[] = {"",       "[]",       "1",    "\"x\"",     "{",
                                         "{\"a\"", "{\"a\":1", "null", "{\"a\":1}x"};

START_TEST(what_is_no_object_is_refused)
{
    struct slice s = slice_of(no_objects[_i]);
    char *copy = exact_copy(s.p, s.n);
    ck_assert_int_eq(render_csv_row(&out, DIALECT_LATEST, (struct slice){copy, s.n}), -EBADMSG);
    free(copy);
}
END_TEST

START_TEST(a_buffer_that_is_too_small_is_an_error)
{
    struct buf small = buf_make(40);
    ck_assert_int_eq(render_csv_row(&small, DIALECT_LATEST, slice_of(REAL26_FILE)), -EMSGSIZE);
    buf_release(&small);
}
END_TEST

START_TEST(rows_are_appended)
{
    render_csv_header(&out, DIALECT_LEGACY);
    ck_assert_int_eq(render_csv_row(&out, DIALECT_LEGACY, slice_of(SEED)), 0);
    ck_assert_int_eq(render_csv_row(&out, DIALECT_LEGACY, slice_of(LEG_REAL)), 0);
    static struct field f[40];
    const char *p = out.p;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(read_line(&p, f, 40), columns_of(LEGACY_HEADER));
    ck_assert_str_eq(p, "");
    ck_assert_str_eq(f[0].text, "11111111-2222-4333-8444-555555555555");
}
END_TEST

/* --- NDJSON --- */

static const struct {
    const char *body, *line;
} lines[] = {
    {"{\n  \"a\": 1,\n  \"b\": \"x y\"\n}\n", "{\"a\":1,\"b\":\"x y\"}\n"},
    {"{}\n", "{}\n"},
    {"{\n  \"a\": 0.10,\n  \"b\": 296985810030612412345\n}\n",
     "{\"a\":0.10,\"b\":296985810030612412345}\n"},
    {"{\n  \"a\": \"\\u0000\\ud800 \\\" \\\\ \\n\"\n}\n",
     "{\"a\":\"\\u0000\\ud800 \\\" \\\\ \\n\"}\n"},
    {"{\n  \"a\": [\n    1,\n    {}\n  ]\n}\n", "{\"a\":[1,{}]}\n"},
    {"{\n  \"a\": null\n}\n", "{\"a\":null}\n"},
};

START_TEST(ndjson_is_one_compact_object_a_line)
{
    render_ndjson_row(&out, slice_of(lines[_i].body));
    ck_assert_str_eq(out.p, lines[_i].line);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(the_header_is_the_keys_of_the_dialect_then_other),
        ONCE(a_real_record_of_the_latest_host),
        ONCE(a_record_of_the_legacy_host_keeps_its_numbers),
        ONCE(null_and_missing_are_empty),
        ONCE(keys_of_the_other_dialect_go_to_other),
        ONCE(every_row_has_as_many_fields_as_the_header),
        EACH(a_value_is_written_as_what_it_means, fields),
        ONCE(other_is_one_json_object_with_what_the_header_has_not),
        EACH(what_is_no_object_is_refused, no_objects),
        ONCE(a_buffer_that_is_too_small_is_an_error),
        ONCE(rows_are_appended),
        EACH(ndjson_is_one_compact_object_a_line, lines),
    };
    return run_suite_with("render", tests, ARRAY_LEN(tests), setup, teardown);
}
