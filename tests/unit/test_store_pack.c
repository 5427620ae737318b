// SPDX-License-Identifier: MIT
/* How the store packs bodies, and that nobody can tell from outside. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/pack.h"
#include "tests/unit/store_fixture.h"

#define FEW 300

static void text_of(int i, int version, struct buf *out)
{
    out->len = 0;
    buf_printf(
        out,
        "{\n  \"call_uuid\": \"%08x-26e0-4842-9387-%012x\",\n  \"from_number\": \"+1479%07d\","
        "\n  \"call_direction\": \"%s\",\n  \"hangup_cause_name\": \"normal_hangup\",\n"
        "  \"end_time\": \"2026-05-26 12:00:00\",\n  \"total_rate\": \"0.00650\",\n"
        "  \"version\": %d\n}\n",
        i * 7919, i * 104729, i * 31, i % 2 ? "inbound" : "outbound", version);
}

/* Puts calls [from, to) in one transaction; all must be taken as want. */
static void put_calls(int from, int to, int version, enum put want)
{
    struct buf text = buf_make(4096);
    ck_assert_int_eq(store_begin(store), 0);
    for (int i = from; i < to; i++) {
        struct call c = {.num = {[AXIS_END_TIME] = NOON}};
        enum put put;
        int64_t id;
        text_of(i, version, &text);
        snprintf(c.uuid, sizeof(c.uuid), "call-%d", i);
        c.body = (struct slice){text.p, text.len};
        expect(store_put_call(store, &c, NOON, &put, &id) == 0 && put == want, "call %d", i);
    }
    ck_assert_int_eq(store_commit(store), 0);
    buf_release(&text);
}

/* Every way to read calls [0, n) gives what was put. */
struct seen {
    int i, version;
    struct buf text;
};

static int check_next(void *arg, int64_t id, struct slice body)
{
    struct seen *s = arg;
    text_of(s->i, s->version, &s->text);
    expect(id == s->i + 1, "id %" PRId64, id);
    expect(body.n == s->text.len && memcmp(body.p, s->text.p, body.n) == 0, "call %d", s->i);
    s->i++;
    return 0;
}

static void check_calls(int n, int version)
{
    struct seen s = {.version = version, .text = buf_make(4096)};
    struct query all = QUERY_ALL;
    ck_assert_int_eq(store_bodies_after(store, &all, 0, INT64_MAX, n + 1, check_next, &s), 0);
    ck_assert_int_eq(s.i, n);
    for (int i = 0; i < n; i += 97) {
        char *body;
        size_t size;
        text_of(i, version, &s.text);
        ck_assert_int_eq(store_body(store, i + 1, &body, &size), 0);
        ck_assert_uint_eq(size, s.text.len);
        ck_assert_mem_eq(body, s.text.p, size);
        free(body);
    }
    buf_release(&s.text);
}

static int64_t number(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    int64_t n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

#define RAW "SELECT count(*) FROM body WHERE dict IS NULL"

static void pack_all(int most)
{
    bool more = true;
    for (int i = 0; more; i++) {
        expect(i < 1000, "it never ends");
        ck_assert_int_eq(store_pack(store, most, &more), 0);
    }
}

START_TEST(a_few_calls_stay_as_they_came)
{
    put_calls(0, FEW, 1, PUT_NEW);
    ck_assert(!store_wants_pack(store, true));
    pack_all(100);
    ck_assert_int_eq(number(RAW), FEW);
    check_calls(FEW, 1);
}
END_TEST

START_TEST(many_calls_make_a_dictionary_and_later_ones_are_packed_at_once)
{
    bool more;
    put_calls(0, PACK_SAMPLES, 1, PUT_NEW);
    ck_assert(store_wants_pack(store, false));
    ck_assert_int_eq(store_pack(store, 100, &more), 0);
    ck_assert(more && !store_wants_pack(store, false) && store_wants_pack(store, true));
    put_calls(PACK_SAMPLES, PACK_SAMPLES + FEW, 1, PUT_NEW);
    ck_assert_int_eq(number(RAW), PACK_SAMPLES);
    check_calls(PACK_SAMPLES + FEW, 1);
    ck_assert_int_lt(number("SELECT avg(length(bytes)) FROM body WHERE dict IS NOT NULL"), 120);
}
END_TEST

START_TEST(what_was_kept_before_is_packed_a_few_at_a_time)
{
    bool more;
    put_calls(0, PACK_SAMPLES, 1, PUT_NEW);
    ck_assert_int_eq(store_pack(store, 100, &more), 0);
    ck_assert_int_eq(store_pack(store, 100, &more), 0);
    ck_assert(more);
    ck_assert_int_eq(number(RAW), PACK_SAMPLES - 100);
    check_calls(PACK_SAMPLES, 1);
    store_close(store); /* and goes on after a remount */
    open_store();
    check_calls(PACK_SAMPLES, 1);
    pack_all(700);
    ck_assert_int_eq(number(RAW), 0);
    ck_assert(!store_wants_pack(store, true));
    check_calls(PACK_SAMPLES, 1);
}
END_TEST

START_TEST(packed_calls_are_the_same_or_amended_as_ever)
{
    put_calls(0, PACK_SAMPLES, 1, PUT_NEW);
    pack_all(1000);
    put_calls(0, PACK_SAMPLES, 1, PUT_SAME);
    put_calls(0, PACK_SAMPLES, 2, PUT_AMENDED);
    put_calls(0, PACK_SAMPLES, 2, PUT_SAME);
    check_calls(PACK_SAMPLES, 2);
    ck_assert_int_eq(number(RAW), 0);
}
END_TEST

START_TEST(a_body_that_is_damaged_is_an_error_and_no_other_text)
{
    struct query all = QUERY_ALL;
    struct seen s = {.version = 1, .text = buf_make(4096)};
    char *body = NULL;
    size_t size;
    put_calls(0, PACK_SAMPLES, 1, PUT_NEW);
    pack_all(1000);
    number("UPDATE body SET bytes = substr(bytes, 1, length(bytes) - 5) || x'0102030405' WHERE id "
           "= 8");
    number("UPDATE body SET dict = 9 WHERE id = 9");
    ck_assert_int_eq(store_body(store, 8, &body, &size), -EIO);
    ck_assert_int_eq(store_body(store, 9, &body, &size), -EIO);
    ck_assert_int_eq(store_bodies_after(store, &all, 0, INT64_MAX, 100, check_next, &s), -EIO);
    ck_assert_int_eq(s.i, 7);
    put_calls(7, 9, 1, PUT_AMENDED); /* what the API sends again mends it */
    check_calls(PACK_SAMPLES, 1);
    buf_release(&s.text);
}
END_TEST

START_TEST(a_dictionary_that_is_damaged_is_told_when_the_store_is_opened)
{
    char error[256] = "";
    put_calls(0, PACK_SAMPLES, 1, PUT_NEW);
    pack_all(1000);
    store_close(store);
    store = NULL;
    number("UPDATE dict SET bytes = x'00'");
    ck_assert_int_eq(store_open(path, &store, error, sizeof(error)), -EIO);
    ck_assert(strstr(error, path) && strstr(error, "move it away"));
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(a_few_calls_stay_as_they_came),
        ONCE(many_calls_make_a_dictionary_and_later_ones_are_packed_at_once),
        ONCE(what_was_kept_before_is_packed_a_few_at_a_time),
        ONCE(packed_calls_are_the_same_or_amended_as_ever),
        ONCE(a_body_that_is_damaged_is_an_error_and_no_other_text),
        ONCE(a_dictionary_that_is_damaged_is_told_when_the_store_is_opened),
    };
    return run_suite_with("store_pack", tests, ARRAY_LEN(tests), setup, teardown);
}
