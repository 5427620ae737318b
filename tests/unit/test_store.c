// SPDX-License-Identifier: MIT
#include "cache/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api/utc.h"
#include "tests/unit/gen_query.h"
#include "tests/unit/store_fixture.h"
#include "tests/unit/unseal.h"

#define CALLS_MAX 400

static enum put put_call(const struct call *c, int64_t now)
{
    enum put put = (enum put)99;
    int64_t id = 0;
    int rc = store_put_call(store, c, now, &put, &id);
    ck_assert_int_gt(id, 0);
    ck_assert_msg(rc == 0, "%s: %d", c->uuid, rc);
    return put;
}

static enum put put(const char *uuid, int64_t end_time, const char *body)
{
    struct call c = call_of(uuid, end_time, body);
    return put_call(&c, NOON);
}

static void begin(void)
{
    ck_assert_int_eq(store_begin(store), 0);
}

static void commit(void)
{
    ck_assert_int_eq(store_commit(store), 0);
}

/* Puts one call in a transaction of its own. */
static enum put put_alone(const char *uuid, int64_t end_time, const char *body)
{
    begin();
    enum put p = put(uuid, end_time, body);
    commit();
    return p;
}

static struct entry find(const char *uuid)
{
    struct query all = QUERY_ALL;
    struct entry e;
    bool matches = false;
    ck_assert_int_eq(store_find(store, &all, uuid, &e, &matches), 0);
    ck_assert(matches);
    return e;
}

static void check_body(int64_t id, const char *want)
{
    char *body = NULL;
    size_t n = 0;
    ck_assert_int_eq(store_body(store, id, &body, &n), 0);
    ck_assert_uint_eq(n, strlen(want));
    ck_assert_mem_eq(body, want, n);
    free(body);
}

static void check_totals(int64_t calls, int64_t bytes)
{
    int64_t c = -1, b = -1;
    ck_assert_int_eq(store_totals(store, &c, &b), 0);
    ck_assert_int_eq(c, calls);
    ck_assert_int_eq(b, bytes);
}

/* --- calls --- */

START_TEST(a_new_store_is_empty)
{
    struct query all = QUERY_ALL;
    int64_t t = 42;
    struct entry e;
    bool matches = true;
    char *body;
    size_t n;
    check_totals(0, 0);
    ck_assert_int_eq(store_newest(store, &all, &t), -ENOENT);
    ck_assert_int_eq(store_oldest(store, &t), -ENOENT);
    ck_assert_int_eq(store_entry(store, 1, &e), -ENOENT);
    ck_assert_int_eq(store_body(store, 1, &body, &n), -ENOENT);
    ck_assert_int_eq(store_find(store, &all, "u1", &e, &matches), -ENOENT);
    ck_assert(!matches);
    ck_assert_int_ge(store_created(store), time(NULL) - 60);
    ck_assert_int_le(store_created(store), time(NULL));
}
END_TEST

START_TEST(a_call_is_held_with_its_bytes_and_times)
{
    begin();
    ck_assert_int_eq(put("u1", NOON + 7, "{\n}\n"), PUT_NEW);
    commit();
    struct entry e = find("u1"), same;
    ck_assert_str_eq(e.uuid, "u1");
    ck_assert_int_gt(e.id, 0);
    ck_assert_int_eq(e.end_time, NOON + 7);
    ck_assert_int_eq(e.mtime, NOON + 7);
    ck_assert_int_eq(e.size, 4);
    ck_assert_int_eq(store_entry(store, e.id, &same), 0);
    ck_assert_str_eq(same.uuid, "u1");
    ck_assert_int_eq(same.mtime, e.mtime);
    ck_assert_int_eq(same.size, e.size);
    check_body(e.id, "{\n}\n");
    check_totals(1, 4);
}
END_TEST

START_TEST(the_same_call_again_changes_nothing)
{
    put_alone("u1", NOON, "{}\n");
    struct entry before = find("u1");
    begin();
    struct call c = call_of("u1", NOON, "{}\n");
    ck_assert_int_eq(put_call(&c, NOON + 5000), PUT_SAME);
    commit();
    struct entry e = find("u1");
    ck_assert_int_eq(e.id, before.id);
    ck_assert_int_eq(e.mtime, NOON);
    check_totals(1, 3);
}
END_TEST

START_TEST(an_amended_call_keeps_its_id_and_gets_a_new_mtime)
{
    put_alone("u1", NOON, "{}\n");
    put_alone("u2", NOON, "{}\n");
    struct entry before = find("u1");
    begin();
    struct call c = call_of("u1", NOON, "{longer}\n");
    ck_assert_int_eq(put_call(&c, NOON + 5000), PUT_AMENDED);
    ck_assert_int_eq(put_call(&c, NOON + 6000), PUT_SAME);
    commit();
    struct entry e = find("u1");
    ck_assert_int_eq(e.id, before.id);
    ck_assert_int_eq(e.end_time, NOON);
    ck_assert_int_eq(e.mtime, NOON + 5000);
    ck_assert_int_eq(e.size, 9);
    check_body(e.id, "{longer}\n");
    check_totals(2, 12);
}
END_TEST

START_TEST(an_amended_call_of_the_same_size_is_seen)
{
    put_alone("u1", NOON, "{1}\n");
    ck_assert_int_eq(put_alone("u1", NOON, "{2}\n"), PUT_AMENDED);
    check_body(find("u1").id, "{2}\n");
}
END_TEST

static int64_t count_of(const struct query *q)
{
    int64_t n = -1;
    ck_assert_int_eq(store_count_now(store, q, &n), 0);
    return n;
}

START_TEST(an_amended_call_answers_for_what_it_says_now)
{
    struct query day = QUERY_ALL, next = QUERY_ALL;
    query_meet_range(&day, AXIS_END_TIME,
                     (struct range){utc_midnight(NOON), utc_midnight(NOON) + UTC_DAY});
    query_meet_range(
        &next, AXIS_END_TIME,
        (struct range){utc_midnight(NOON) + UTC_DAY, utc_midnight(NOON) + 2 * UTC_DAY});
    query_meet_text(&next, AXIS_FROM, "14");
    put_alone("u1", NOON, "{1}\n");
    struct call c = call_of("u1", NOON + UTC_DAY, "{2}\n");
    snprintf(c.text[AXIS_FROM], CALL_TEXT_MAX, "1415");
    ck_assert_int_eq(count_of(&day), 1);
    begin();
    ck_assert_int_eq(put_call(&c, NOON), PUT_AMENDED);
    commit();
    ck_assert_int_eq(count_of(&day), 0);
    ck_assert_int_eq(count_of(&next), 1);
}
END_TEST

START_TEST(a_body_may_hold_any_byte)
{
    static const char bytes[] = "{\"a\":\"\0\xff\r\n'--\"}\n";
    struct call c = call_of("u1", NOON, "");
    c.body = (struct slice){bytes, sizeof(bytes) - 1};
    begin();
    put_call(&c, NOON);
    commit();
    char *body;
    size_t n;
    ck_assert_int_eq(store_body(store, find("u1").id, &body, &n), 0);
    ck_assert_uint_eq(n, sizeof(bytes) - 1);
    ck_assert_mem_eq(body, bytes, n);
    free(body);
}
END_TEST

START_TEST(names_differ_by_case)
{
    put_alone("abc", NOON, "{1}\n");
    ck_assert_int_eq(put_alone("ABC", NOON, "{2}\n"), PUT_NEW);
    check_body(find("abc").id, "{1}\n");
    check_body(find("ABC").id, "{2}\n");
}
END_TEST

/* --- listing --- */

struct listing {
    struct entry v[CALLS_MAX];
    size_t n, most;
};

static bool take_entry(void *arg, const struct entry *e)
{
    struct listing *l = arg;
    expect(l->n < CALLS_MAX, "too many entries");
    l->v[l->n++] = *e;
    return l->n != l->most;
}

static struct listing list(const struct query *q, int64_t after, size_t most)
{
    struct listing l = {.most = most};
    ck_assert_int_eq(store_list(store, q, after, take_entry, &l), 0);
    for (size_t i = 0; i < l.n; i++)
        expect(l.v[i].id > (i ? l.v[i - 1].id : after), "not in the order of ids");
    return l;
}

static void put_run(int first, int n)
{
    char uuid[16];
    begin();
    for (int i = first; i < first + n; i++) {
        snprintf(uuid, sizeof(uuid), "u%d", i);
        put(uuid, NOON - i, "{}\n"); /* newest first, as the API sends them */
    }
    commit();
}

START_TEST(a_listing_goes_on_after_any_id)
{
    struct query all = QUERY_ALL;
    put_run(0, 10);
    struct listing whole = list(&all, 0, 0);
    ck_assert_uint_eq(whole.n, 10);
    for (size_t i = 0; i < 10; i++) {
        struct listing rest = list(&all, whole.v[i].id, 0);
        ck_assert_uint_eq(rest.n, 9 - i);
        if (rest.n)
            ck_assert_str_eq(rest.v[0].uuid, whole.v[i + 1].uuid);
    }
}
END_TEST

START_TEST(a_listing_stops_when_told)
{
    struct query all = QUERY_ALL;
    put_run(0, 10);
    struct listing l = list(&all, 0, 3);
    ck_assert_uint_eq(l.n, 3);
    l = list(&all, l.v[2].id, 3);
    ck_assert_uint_eq(l.n, 3);
    ck_assert_str_eq(l.v[0].uuid, "u3");
}
END_TEST

/* What is listed first stays first: readdir's offsets are ids. */
START_TEST(a_listing_that_grows_repeats_and_skips_nothing)
{
    struct query all = QUERY_ALL;
    put_run(0, 10);
    struct listing first = list(&all, 0, 5);
    put_run(100, 10);
    begin();
    struct call c = call_of("u2", NOON - 999, "{amended}\n");
    put_call(&c, NOON);
    commit();
    struct listing rest = list(&all, first.v[4].id, 0);
    ck_assert_uint_eq(rest.n, 15);
    for (size_t i = 0; i < rest.n; i++)
        for (size_t k = 0; k < first.n; k++)
            ck_assert_str_ne(rest.v[i].uuid, first.v[k].uuid);
}
END_TEST

START_TEST(a_listing_says_what_an_entry_says)
{
    struct query all = QUERY_ALL;
    put_alone("u1", NOON, "{1234}\n");
    struct listing l = list(&all, 0, 0);
    struct entry e = find("u1");
    ck_assert_uint_eq(l.n, 1);
    ck_assert_str_eq(l.v[0].uuid, "u1");
    ck_assert_int_eq(l.v[0].id, e.id);
    ck_assert_int_eq(l.v[0].size, 7);
    ck_assert_int_eq(l.v[0].mtime, NOON);
    ck_assert_int_eq(l.v[0].end_time, NOON);
}
END_TEST

/* --- queries: SQL against query_match() --- */

static struct call calls[CALLS_MAX];

/* The small world of gen_query.h, its times stretched over several days and their midnights. */
static int64_t stretch(int64_t t)
{
    return t == INT64_MIN || t == INT64_MAX ? t : utc_midnight(NOON) + (t - 100) * 3600;
}

static struct query stretched_query(struct rng *r)
{
    struct query q = gen_query(r, 4);
    q.num[AXIS_END_TIME].lo = stretch(q.num[AXIS_END_TIME].lo);
    q.num[AXIS_END_TIME].hi = stretch(q.num[AXIS_END_TIME].hi);
    return q;
}

static void put_world(struct rng *r)
{
    begin();
    for (int i = 0; i < CALLS_MAX; i++) {
        calls[i] = gen_call(r);
        calls[i].num[AXIS_END_TIME] = stretch(calls[i].num[AXIS_END_TIME]) - rng_below(r, 2);
        calls[i].body = slice_of("{}\n");
        put_call(&calls[i], NOON);
    }
    commit();
}

static const struct call *world_call(const char *uuid)
{
    for (int i = 0; i < CALLS_MAX; i++)
        if (strcmp(calls[i].uuid, uuid) == 0)
            return &calls[i];
    return NULL;
}

/* Counts the calls q matches, and their newest end. */
static size_t plain_count(const struct query *q, int64_t *newest)
{
    size_t n = 0;
    *newest = INT64_MIN;
    for (int i = 0; i < CALLS_MAX; i++) {
        if (!gen_matches(q, &calls[i]))
            continue;
        n++;
        if (calls[i].num[AXIS_END_TIME] > *newest)
            *newest = calls[i].num[AXIS_END_TIME];
    }
    return n;
}

static void check_query(const struct query *q, int i)
{
    int64_t newest, got = INT64_MIN, count = -1;
    size_t want = plain_count(q, &newest);
    struct listing l = {0};
    expect(store_list(store, q, 0, take_entry, &l) == 0, "query %d fails", i);
    expect(l.n == want, "query %d lists %zu of %zu calls", i, l.n, want);
    for (size_t k = 0; k < l.n; k++)
        expect(gen_matches(q, world_call(l.v[k].uuid)), "query %d lists another call", i);
    expect(store_newest(store, q, &got) == (want ? 0 : -ENOENT), "query %d", i);
    expect(!want || got == newest, "query %d: newest", i);
    expect(store_count_now(store, q, &count) == 0 && count == (int64_t)want, "query %d: count", i);
}

START_TEST(what_sql_finds_is_what_matches)
{
    struct rng r = {71};
    int found = 0;
    put_world(&r);
    for (int i = 0; i < 3000; i++) {
        struct query q = stretched_query(&r);
        int64_t newest;
        check_query(&q, i);
        found += plain_count(&q, &newest) > 0;
    }
    ck_assert_int_gt(found, 500);
}
END_TEST

START_TEST(a_name_is_found_and_judged_by_the_query)
{
    struct rng r = {72};
    put_world(&r);
    for (int i = 0; i < 3000; i++) {
        struct query q = stretched_query(&r);
        const struct call *c = &calls[rng_below(&r, CALLS_MAX)];
        struct entry e;
        bool matches = rng_one_in(&r, 2);
        expect(store_find(store, &q, c->uuid, &e, &matches) == 0, "query %d", i);
        expect(strcmp(e.uuid, c->uuid) == 0, "query %d: another call", i);
        expect(e.end_time == c->num[AXIS_END_TIME], "query %d: another time", i);
        expect(matches == gen_matches(&q, c), "query %d: matches", i);
        matches = true;
        expect(store_find(store, &q, "nobody", &e, &matches) == -ENOENT && !matches, "query %d", i);
    }
}
END_TEST

START_TEST(bounds_at_midnight_and_beside_it_are_exact)
{
    int64_t midnight = utc_midnight(NOON);
    static const int off[] = {-86401, -86400, -1, 0, 1, 86399, 86400};
    char uuid[16];
    begin();
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        snprintf(uuid, sizeof(uuid), "u%zu", i);
        put(uuid, midnight + off[i], "{}\n");
    }
    commit();
    for (size_t a = 0; a < ARRAY_LEN(off); a++)
        for (size_t b = a; b < ARRAY_LEN(off); b++) {
            struct query q = QUERY_ALL;
            query_meet_range(&q, AXIS_END_TIME,
                             (struct range){midnight + off[a], midnight + off[b]});
            ck_assert_int_eq(count_of(&q), (int64_t)(b - a));
        }
}
END_TEST

START_TEST(the_oldest_and_newest_ends_are_known)
{
    struct query all = QUERY_ALL;
    int64_t t = 0;
    put_run(0, 10);
    ck_assert_int_eq(store_oldest(store, &t), 0);
    ck_assert_int_eq(t, NOON - 9);
    ck_assert_int_eq(store_newest(store, &all, &t), 0);
    ck_assert_int_eq(t, NOON);
}
END_TEST

START_TEST(the_next_day_that_holds_a_call_is_found)
{
    int64_t t = 0, midnight = utc_midnight(NOON);
    put_alone("u1", midnight, "{}\n");
    put_alone("u2", midnight + 3 * UTC_DAY + 5, "{}\n");
    ck_assert_int_eq(store_next_day(store, 0, &t), 0);
    ck_assert_int_eq(t, midnight);
    ck_assert_int_eq(store_next_day(store, midnight - 1, &t), 0);
    ck_assert_int_eq(t, midnight);
    ck_assert_int_eq(store_next_day(store, midnight, &t), 0);
    ck_assert_int_eq(t, midnight + 3 * UTC_DAY);
    ck_assert_int_eq(store_next_day(store, midnight + UTC_DAY + 77, &t), 0);
    ck_assert_int_eq(t, midnight + 3 * UTC_DAY);
    ck_assert_int_eq(store_next_day(store, midnight + 3 * UTC_DAY, &t), -ENOENT);
}
END_TEST

/* --- values seen, bytes in order, marks --- */

struct texts {
    char text[200];
    int rc;
};

static int take_text(void *arg, const char *value)
{
    struct texts *t = arg;
    snprintf(t->text + strlen(t->text), sizeof(t->text) - strlen(t->text), "%s ", value);
    return t->rc;
}

static void check_seen(int axis, const char *want)
{
    struct texts t = {.text = ""};
    ck_assert_int_eq(store_seen(store, axis, take_text, &t), 0);
    ck_assert_str_eq(t.text, want);
}

START_TEST(values_seen_are_listed_once_in_order)
{
    struct call c = call_of("u1", NOON, "{}\n");
    begin();
    for (int i = 0; i < 6; i++) {
        snprintf(c.uuid, sizeof(c.uuid), "u%d", i);
        snprintf(c.text[AXIS_TRUNK], CALL_TEXT_MAX, "%d", 30 - i / 2 * 10);
        c.num[AXIS_HANGUP_CAUSE] = i % 2 ? 4160 : 3000;
        put_call(&c, NOON);
    }
    put("none", NOON, "{}\n");
    commit();
    check_seen(NUM_AXES + AXIS_TRUNK, "10 20 30 ");
    check_seen(AXIS_HANGUP_CAUSE, "3000 4160 ");
    close_store();
    open_store();
    check_seen(NUM_AXES + AXIS_TRUNK, "10 20 30 ");
}
END_TEST

START_TEST(an_error_of_the_function_ends_the_values)
{
    struct texts t = {.text = "", .rc = -ENOMEM};
    struct call c = call_of("u1", NOON, "{}\n");
    snprintf(c.text[AXIS_TRUNK], CALL_TEXT_MAX, "1");
    begin();
    put_call(&c, NOON);
    commit();
    ck_assert_int_eq(store_seen(store, NUM_AXES + AXIS_TRUNK, take_text, &t), -ENOMEM);
}
END_TEST

static int take_bytes(void *arg, struct slice body)
{
    struct texts *t = arg;
    snprintf(t->text + strlen(t->text), sizeof(t->text) - strlen(t->text), "%.*s", (int)body.n,
             body.p);
    return t->rc;
}

START_TEST(bytes_come_in_order_of_end_then_name)
{
    struct query q = QUERY_ALL;
    struct texts t = {.text = ""};
    begin();
    put("c", NOON, "c ");
    put("b", NOON + 1, "b ");
    put("a", NOON, "a ");
    put("z", NOON - 1, "z ");
    put("late", NOON + 2, "late ");
    commit();
    query_meet_range(&q, AXIS_END_TIME, (struct range){NOON - 1, NOON + 2});
    ck_assert_int_eq(store_bodies(store, &q, take_bytes, &t), 0);
    ck_assert_str_eq(t.text, "z a c b ");
    t = (struct texts){.text = "", .rc = -EINTR};
    ck_assert_int_eq(store_bodies(store, &q, take_bytes, &t), -EINTR);
    ck_assert_str_eq(t.text, "z ");
}
END_TEST

static struct mark mark_of(const struct query *q)
{
    struct mark m;
    memset(&m, 0xff, sizeof(m));
    ck_assert_int_eq(store_mark(store, q, &m), 0);
    return m;
}

static bool same_mark(struct mark a, struct mark b)
{
    return a.calls == b.calls && a.last_id == b.last_id && a.bytes == b.bytes && a.mtime == b.mtime;
}

START_TEST(a_mark_changes_with_its_calls_only)
{
    struct query q = QUERY_ALL;
    query_meet_range(&q, AXIS_END_TIME, (struct range){NOON, NOON + 100});
    struct mark empty = mark_of(&q);
    ck_assert_int_eq(empty.calls, 0);
    put_alone("u1", NOON, "{1}\n");
    struct mark one = mark_of(&q);
    ck_assert(!same_mark(empty, one));
    put_alone("other", NOON + 100, "{2}\n");
    put_alone("u1", NOON, "{1}\n");
    ck_assert(same_mark(one, mark_of(&q)));
    struct call c = call_of("u1", NOON, "{3}\n");
    begin();
    put_call(&c, NOON + 9999);
    commit();
    ck_assert(!same_mark(one, mark_of(&q)));
}
END_TEST

/* --- transactions --- */

START_TEST(a_rollback_leaves_nothing)
{
    struct span span = {.q = QUERY_ALL, .fetched_at = NOON};
    put_alone("u1", NOON, "{1}\n");
    begin();
    put("u1", NOON, "{amended}\n");
    put("u2", NOON, "{2}\n");
    query_meet_range(&span.q, AXIS_END_TIME, (struct range){0, NOON});
    ck_assert_int_eq(store_put_span(store, &span), 0);
    store_rollback(store);
    check_totals(1, 4);
    check_body(find("u1").id, "{1}\n");
    ck_assert_int_eq(find("u1").mtime, NOON);
    put_alone("u3", NOON, "{3}\n");
    check_totals(2, 8);
}
END_TEST

START_TEST(a_rollback_without_a_transaction_does_nothing)
{
    put_alone("u1", NOON, "{1}\n");
    store_rollback(store);
    check_totals(1, 4);
}
END_TEST

START_TEST(readers_see_what_was_committed_and_the_writer_what_it_wrote)
{
    struct query all = QUERY_ALL;
    struct entry e;
    bool matches;
    begin();
    put("u1", NOON, "{1}\n");
    ck_assert_int_eq(count_of(&all), 1);
    check_totals(0, 0);
    ck_assert_int_eq(store_find(store, &all, "u1", &e, &matches), -ENOENT);
    commit();
    check_totals(1, 4);
}
END_TEST

START_TEST(an_id_is_never_given_twice)
{
    struct query all = QUERY_ALL;
    int64_t last = 0;
    for (int round = 0; round < 5; round++) {
        put_run(round * 10, 10);
        struct listing l = list(&all, last, 0);
        ck_assert_uint_eq(l.n, 10);
        last = l.v[9].id;
        close_store();
        open_store();
    }
    ck_assert_uint_eq(list(&all, 0, 0).n, 50);
}
END_TEST

/* --- spans --- */

struct span_list {
    struct span v[CALLS_MAX];
    size_t n;
    int rc; /* what the function answers */
};

static int take_span(void *arg, const struct span *s)
{
    struct span_list *l = arg;
    expect(l->n < CALLS_MAX, "too many spans");
    l->v[l->n++] = *s;
    return l->rc;
}

static struct span_list *spans(void)
{
    static struct span_list l;
    l = (struct span_list){.n = 0};
    ck_assert_int_eq(store_spans(store, take_span, &l), 0);
    return &l;
}

static struct span random_span(struct rng *r)
{
    struct span s = {.q = gen_query(r, 5), .seq = 99};
    while (s.q.none)
        s.q = gen_query(r, 5);
    int64_t lo = (int64_t)(rng_next(r) % 2000000000);
    s.q.num[AXIS_END_TIME] = (struct range){lo, lo + 1 + rng_below(r, 90 * UTC_DAY)};
    s.fetched_at = lo + rng_below(r, 100 * UTC_DAY);
    return s;
}

static void check_span(const struct span *got, const struct span *want)
{
    expect(got->id == want->id && got->fetched_at == want->fetched_at, "span %d", (int)want->id);
    expect(got->seq == 0, "span %d: a walk of this process", (int)want->id);
    for (int i = 0; i < NUM_AXES; i++)
        expect(got->q.num[i].lo == want->q.num[i].lo && got->q.num[i].hi == want->q.num[i].hi,
               "span %d: %s", (int)want->id, axes[i].column);
    for (int i = 0; i < TEXT_AXES; i++)
        expect(strcmp(got->q.text[i], want->q.text[i]) == 0, "span %d: text", (int)want->id);
}

START_TEST(spans_come_back_after_the_store_was_closed)
{
    struct rng r = {73};
    static struct span put_spans[300];
    begin();
    for (size_t i = 0; i < ARRAY_LEN(put_spans); i++) {
        put_spans[i] = random_span(&r);
        ck_assert_int_eq(store_put_span(store, &put_spans[i]), 0);
        ck_assert_int_gt(put_spans[i].id, 0);
    }
    commit();
    close_store();
    open_store();
    struct span_list *l = spans();
    ck_assert_uint_eq(l->n, ARRAY_LEN(put_spans));
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < ARRAY_LEN(put_spans); k++)
            if (put_spans[k].id == l->v[i].id)
                check_span(&l->v[i], &put_spans[k]);
}
END_TEST

START_TEST(a_span_without_ends_comes_back_without)
{
    struct span s = {.q = QUERY_ALL, .fetched_at = NOON};
    begin();
    ck_assert_int_eq(store_put_span(store, &s), 0);
    commit();
    ck_assert_uint_eq(spans()->n, 1);
    check_span(&spans()->v[0], &s);
}
END_TEST

START_TEST(a_dropped_span_is_forgotten)
{
    struct rng r = {74};
    struct span a = random_span(&r), b = random_span(&r);
    begin();
    ck_assert_int_eq(store_put_span(store, &a), 0);
    ck_assert_int_eq(store_put_span(store, &b), 0);
    commit();
    ck_assert_int_ne(a.id, b.id);
    begin();
    ck_assert_int_eq(store_drop_span(store, a.id), 0);
    ck_assert_int_eq(store_drop_span(store, 999999), 0);
    commit();
    ck_assert_uint_eq(spans()->n, 1);
    check_span(&spans()->v[0], &b);
}
END_TEST

START_TEST(an_error_of_the_function_ends_the_spans)
{
    struct rng r = {75};
    static struct span_list l;
    struct span a = random_span(&r), b = random_span(&r);
    begin();
    ck_assert_int_eq(store_put_span(store, &a), 0);
    ck_assert_int_eq(store_put_span(store, &b), 0);
    commit();
    l = (struct span_list){.rc = -ENOMEM};
    ck_assert_int_eq(store_spans(store, take_span, &l), -ENOMEM);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_uint_eq(spans()->n, 2);
}
END_TEST

START_TEST(a_span_that_cannot_be_read_is_left_out)
{
    struct rng r = {76};
    struct span a = random_span(&r);
    begin();
    ck_assert_int_eq(store_put_span(store, &a), 0);
    commit();
    close_store();
    sql(path,
        UNSEAL "INSERT INTO span(filters, lo, hi, fetched_at) VALUES('new_axis=5..6;', 0, 100, 1),"
               " ('rubbish', 0, 100, 1), ('direction=1..;', 0, 100, 1),"
               " ('', 0, -9223372036854775807, 1), ('', 0, 100, 9223372036854775807),"
               " ('', 0, 9223372036854775807, -9223372036854775807)");
    open_store();
    ck_assert_uint_eq(spans()->n, 1);
    check_span(&spans()->v[0], &a);
}
END_TEST

/* An id serves as a node id of the kernel: it must never come to mean another call. */
START_TEST(the_id_of_a_call_that_is_gone_is_not_given_to_another)
{
    put_run(0, 3);
    int64_t last = find("u2").id;
    close_store();
    sql(path, UNSEAL "DELETE FROM call; DELETE FROM body");
    open_store();
    put_run(10, 1);
    ck_assert_int_gt(find("u10").id, last);
}
END_TEST

/* --- opening --- */

static struct query ending_at(int64_t hi)
{
    struct query q = QUERY_ALL;
    q.num[AXIS_END_TIME] = (struct range){NOON - UTC_DAY, hi};
    return q;
}

static bool remembers_walk(int64_t hi)
{
    struct query q = ending_at(hi);
    struct slice pages = {0};
    int64_t total;
    int rc = store_walked(store, &q, &total, &pages);
    ck_assert(rc == -ENOENT || (rc == 0 && total == 100 && pages.n == 1));
    free((char *)pages.p);
    return rc == 0;
}

START_TEST(of_walks_that_were_cut_off_the_newest_are_remembered)
{
    const int past = 10;
    ck_assert_int_eq(store_begin(store), 0);
    for (int i = 0; i < WALKED_MAX + past; i++) {
        struct query q = ending_at(NOON + i);
        ck_assert_int_eq(store_put_walked(store, &q, 100, (struct slice){"\x05", 1}), 0);
    }
    ck_assert_int_eq(store_commit(store), 0);
    for (int i = 0; i < WALKED_MAX + past; i++)
        ck_assert_int_eq(remembers_walk(NOON + i), i >= past);
}
END_TEST

START_TEST(calls_are_there_after_the_store_was_closed)
{
    put_run(0, 10);
    int64_t id = find("u3").id, created = store_created(store);
    close_store();
    open_store();
    check_totals(10, 30);
    ck_assert_int_eq(find("u3").id, id);
    check_body(id, "{}\n");
    ck_assert_int_eq(store_created(store), created);
}
END_TEST

START_TEST(nobody_else_can_read_a_store)
{
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    char name[160];
    struct stat st;
    put_run(0, 10);
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        snprintf(name, sizeof(name), "%s%s", path, tails[i]);
        if (stat(name, &st) == 0)
            ck_assert_msg((st.st_mode & 07777) == 0600, "%s: %o", name, (unsigned)st.st_mode);
        else
            ck_assert_msg(*tails[i], "no %s", name);
    }
}
END_TEST

START_TEST(opening_leaves_the_umask_alone)
{
    umask(0022);
    close_store();
    open_store();
    ck_assert_int_eq(umask(0022), 0022);
}
END_TEST

START_TEST(a_second_opening_names_the_process_that_has_the_store)
{
    struct store *second = NULL;
    char error[256] = "", pid[32];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    ck_assert_int_eq(store_open(path, &second, error, sizeof(error)), -EBUSY);
    ck_assert_ptr_null(second);
    ck_assert_msg(strstr(error, pid) != NULL, "%s", error);
    put_alone("u1", NOON, "{}\n"); /* the first one still works, and still holds its lock */
    ck_assert_int_eq(store_open(path, &second, error, sizeof(error)), -EBUSY);
    close_store();
    open_store();
    check_totals(1, 3);
}
END_TEST

START_TEST(an_opening_from_another_process_names_this_one)
{
    char pid[32];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    pid_t child = fork();
    if (child == 0) {
        struct store *second = NULL;
        char error[256] = "";
        int rc = store_open(path, &second, error, sizeof(error));
        _exit(rc == -EBUSY && strstr(error, pid) ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(the_lock_of_a_dead_process_is_no_lock)
{
    close_store();
    char lock[160];
    snprintf(lock, sizeof(lock), "%s.lock", path);
    FILE *f = fopen(lock, "w");
    fputs("4194303999", f);
    fclose(f);
    open_store();
    struct store *second = NULL;
    char error[256] = "", pid[32];
    snprintf(pid, sizeof(pid), "process %d", (int)getpid());
    ck_assert_int_eq(store_open(path, &second, error, sizeof(error)), -EBUSY);
    const char *at = strstr(error, pid);
    ck_assert_msg(at && !(at[strlen(pid)] >= '0' && at[strlen(pid)] <= '9'), "%s", error);
}
END_TEST

START_TEST(a_lock_that_cannot_be_opened_says_what_to_do)
{
    close_store();
    char lock[160], error[256] = "";
    struct store *s = NULL;
    snprintf(lock, sizeof(lock), "%s.lock", path);
    unlink(lock);
    ck_assert_int_eq(mkdir(lock, 0700), 0);
    ck_assert_int_eq(store_open(path, &s, error, sizeof(error)), -EISDIR);
    ck_assert_msg(strstr(error, lock) && strstr(error, "; see cache_dir="), "%s", error);
    rmdir(lock);
    open_store();
}
END_TEST

/* Reads a whole file. */
static char *slurp(const char *name, size_t *n)
{
    struct stat st;
    ck_assert_int_eq(stat(name, &st), 0);
    char *p = malloc((size_t)st.st_size + 1);
    FILE *f = fopen(name, "r");
    *n = fread(p, 1, (size_t)st.st_size, f);
    fclose(f);
    return p;
}

/* The file is refused with this error and a reason, and stays as it was. */
static void check_refused(int want, const char *word)
{
    struct store *s = NULL;
    char error[512] = "";
    size_t before_n, after_n;
    CLEANUP_FREE char *before = slurp(path, &before_n);
    int rc = store_open(path, &s, error, sizeof(error));
    CLEANUP_FREE char *after = slurp(path, &after_n);
    ck_assert_msg(rc < 0, "not refused");
    ck_assert_ptr_null(s);
    ck_assert_msg(after_n == before_n && memcmp(after, before, before_n) == 0,
                  "a refused file was changed (%zu bytes, then %zu)", before_n, after_n);
    ck_assert_msg(strstr(error, word) && strstr(error, path), "%s", error);
    ck_assert_msg(rc == want, "%d: %s", rc, error);
}

START_TEST(a_store_of_a_newer_cdrfs_is_refused)
{
    put_alone("u1", NOON, "{}\n");
    close_store();
    sql(path, "PRAGMA user_version = 1000");
    check_refused(-EPROTO, "newer");
    sql(path, "PRAGMA user_version = 4");
    open_store();
    check_totals(1, 3);
}
END_TEST

START_TEST(another_programs_database_is_refused_and_left_alone)
{
    close_store();
    remove(path);
    sql(path, "CREATE TABLE bookmarks(url TEXT); INSERT INTO bookmarks VALUES('x')");
    check_refused(-EIO, "not a store");
}
END_TEST

START_TEST(another_programs_database_of_a_high_version_is_not_taken_for_a_newer_store)
{
    close_store();
    remove(path);
    sql(path, "CREATE TABLE bookmarks(url TEXT); PRAGMA user_version = 1000");
    check_refused(-EIO, "not a store");
}
END_TEST

static const int noise_sizes[] = {2, 15, 100, 511, 512, 4096, 50000};

START_TEST(a_file_of_noise_is_refused_and_left_alone)
{
    struct rng r = {77};
    close_store();
    remove(path);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < noise_sizes[_i]; i++)
        fputc((int)(rng_next(&r) & 0xff) | 1, f);
    fclose(f);
    check_refused(-EIO, "cannot be used");
}
END_TEST

START_TEST(a_store_cut_short_is_refused_or_fails_but_never_crashes)
{
    struct store *s = NULL;
    char error[256] = "";
    put_run(0, 200);
    close_store();
    ck_assert_int_eq(truncate(path, 5000), 0);
    int rc = store_open(path, &s, error, sizeof(error));
    if (rc == 0) {
        struct query all = QUERY_ALL;
        struct listing l = {0};
        rc = store_list(s, &all, 0, take_entry, &l);
        ck_assert_int_eq(rc, -EIO);
        store_close(s);
    } else {
        ck_assert_int_eq(rc, -EIO);
        ck_assert_uint_gt(strlen(error), 0);
    }
}
END_TEST

START_TEST(an_empty_file_becomes_a_store)
{
    close_store();
    remove(path);
    FILE *f = fopen(path, "w");
    fclose(f);
    open_store();
    put_alone("u1", NOON, "{}\n");
    check_totals(1, 3);
}
END_TEST

START_TEST(a_directory_in_its_place_is_refused_with_a_reason)
{
    struct store *s = NULL;
    char error[256] = "";
    close_store();
    remove(path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    int rc = store_open(path, &s, error, sizeof(error));
    ck_assert_msg(rc == -EACCES || rc == -EIO, "%d", rc);
    ck_assert_uint_gt(strlen(error), 0);
    remove(path);
}
END_TEST

START_TEST(a_long_reason_is_cut)
{
    struct store *s = NULL;
    char error[8];
    memset(error, 'x', sizeof(error));
    ck_assert_int_eq(store_open(path, &s, error, sizeof(error)), -EBUSY);
    ck_assert_uint_lt(strlen(error), sizeof(error));
}
END_TEST

START_TEST(no_store_can_be_closed)
{
    store_close(NULL);
}
END_TEST

/* --- many at once --- */

struct reader {
    pthread_t thread;
    _Atomic bool *stop;
    int rounds, wrong;
};

static bool count_entry(void *arg, const struct entry *e UNUSED)
{
    ++*(int64_t *)arg;
    return true;
}

/* Writers commit ten calls at a time: any other count is half a transaction. */
static void *read_on(void *arg)
{
    struct reader *r = arg;
    struct query all = QUERY_ALL;
    int64_t before = 0;
    while (!*r->stop) {
        int64_t n = 0;
        if (store_list(store, &all, 0, count_entry, &n) != 0 || n % 10 || n < before)
            r->wrong++;
        before = n;
        r->rounds++;
    }
    return NULL;
}

START_TEST(readers_and_the_writer_do_not_disturb_each_other)
{
    static _Atomic bool stop;
    struct reader readers[4] = {0};
    stop = false;
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        readers[i].stop = &stop;
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (int i = 0; i < 100; i++)
        put_run(i * 10, 10);
    stop = true;
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        pthread_join(readers[i].thread, NULL);
        ck_assert_int_eq(readers[i].wrong, 0);
        ck_assert_int_gt(readers[i].rounds, 0);
    }
    check_totals(1000, 3000);
}
END_TEST

/* --- a writer that is killed --- */

#define BATCH 7

/* Batch k: BATCH calls that ended in [10 k, 10 k + 10), and the span that says so. */
static void write_batch(int k)
{
    char uuid[32], body[64];
    struct span span = {.q = QUERY_ALL, .fetched_at = NOON};
    if (store_begin(store) < 0)
        _exit(2);
    for (int i = 0; i < BATCH; i++) {
        enum put p;
        int64_t id;
        snprintf(uuid, sizeof(uuid), "k%d-%d", k, i);
        snprintf(body, sizeof(body), "{%d}\n", k * BATCH + i);
        struct call c = call_of(uuid, 10 * k + i, body);
        if (store_put_call(store, &c, NOON, &p, &id) < 0)
            _exit(3);
    }
    query_meet_range(&span.q, AXIS_END_TIME, (struct range){10 * k, 10 * k + 10});
    if (store_put_span(store, &span) < 0 || store_commit(store) < 0)
        _exit(4);
}

static void write_for_ever(int first)
{
    char error[256];
    if (store_open(path, &store, error, sizeof(error)) < 0)
        _exit(1);
    for (int k = first; k < CALLS_MAX; k++) /* as many as the test can look at */
        write_batch(k);
    for (;;)
        pause(); /* until the kill */
}

static int check_spans_are_whole(void)
{
    struct query all = QUERY_ALL;
    struct span_list *l = spans();
    for (size_t i = 0; i < l->n; i++)
        expect(count_of(&l->v[i].q) == BATCH, "a span without all of its calls");
    ck_assert_int_eq(count_of(&all), BATCH * (int64_t)l->n);
    return (int)l->n;
}

static void check_bodies_are_right(int batches)
{
    char uuid[32], body[64];
    for (int k = 0; k < batches; k++)
        for (int i = 0; i < BATCH; i++) {
            snprintf(uuid, sizeof(uuid), "k%d-%d", k, i);
            snprintf(body, sizeof(body), "{%d}\n", k * BATCH + i);
            check_body(find(uuid).id, body);
        }
}

START_TEST(a_writer_killed_at_any_moment_leaves_whole_spans)
{
    struct rng r = {78};
    int batches = 0;
    close_store();
    for (int round = 0; round < 25 && batches < 300; round++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0)
            write_for_ever(batches);
        usleep((useconds_t)(1000 + rng_below(&r, 25000)));
        int status;
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status), "the writer ended by itself: %d", WEXITSTATUS(status));
        open_store();
        int n = check_spans_are_whole();
        ck_assert_int_ge(n, batches);
        batches = n;
        if (round == 24 || batches >= 300)
            check_bodies_are_right(batches > 20 ? 20 : batches);
        close_store();
    }
    ck_assert_int_gt(batches, 0);
}
END_TEST

#define COMING 1500

/* Looks for each call until it is there. */
static void *look_for_each(void *arg)
{
    int *elsewhere = arg;
    struct query q = QUERY_ALL;
    query_meet_range(&q, AXIS_END_TIME, (struct range){NOON, NOON + 1});
    for (int i = 0; i < COMING; i++) {
        char uuid[16];
        struct entry e;
        bool matches = false;
        snprintf(uuid, sizeof(uuid), "u%d", i);
        while (store_find(store, &q, uuid, &e, &matches) == -ENOENT)
            ;
        *elsewhere += !matches;
    }
    return NULL;
}

START_TEST(a_call_that_comes_while_it_is_looked_for_is_where_it_belongs)
{
    pthread_t thread;
    int elsewhere = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, look_for_each, &elsewhere), 0);
    for (int i = 0; i < COMING; i++) {
        char uuid[16];
        snprintf(uuid, sizeof(uuid), "u%d", i);
        put_alone(uuid, NOON, "{}\n");
    }
    pthread_join(thread, NULL);
    ck_assert_int_eq(elsewhere, 0);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(a_new_store_is_empty),
        ONCE(a_call_is_held_with_its_bytes_and_times),
        ONCE(the_same_call_again_changes_nothing),
        ONCE(an_amended_call_keeps_its_id_and_gets_a_new_mtime),
        ONCE(an_amended_call_of_the_same_size_is_seen),
        ONCE(an_amended_call_answers_for_what_it_says_now),
        ONCE(a_body_may_hold_any_byte),
        ONCE(names_differ_by_case),
        ONCE(a_listing_goes_on_after_any_id),
        ONCE(a_listing_stops_when_told),
        ONCE(a_listing_that_grows_repeats_and_skips_nothing),
        ONCE(a_listing_says_what_an_entry_says),
        ONCE(what_sql_finds_is_what_matches),
        ONCE(a_name_is_found_and_judged_by_the_query),
        ONCE(bounds_at_midnight_and_beside_it_are_exact),
        ONCE(the_oldest_and_newest_ends_are_known),
        ONCE(the_next_day_that_holds_a_call_is_found),
        ONCE(values_seen_are_listed_once_in_order),
        ONCE(an_error_of_the_function_ends_the_values),
        ONCE(bytes_come_in_order_of_end_then_name),
        ONCE(a_mark_changes_with_its_calls_only),
        ONCE(a_rollback_leaves_nothing),
        ONCE(a_rollback_without_a_transaction_does_nothing),
        ONCE(readers_see_what_was_committed_and_the_writer_what_it_wrote),
        ONCE(an_id_is_never_given_twice),
        ONCE(spans_come_back_after_the_store_was_closed),
        ONCE(a_span_without_ends_comes_back_without),
        ONCE(a_dropped_span_is_forgotten),
        ONCE(an_error_of_the_function_ends_the_spans),
        ONCE(a_span_that_cannot_be_read_is_left_out),
        ONCE(the_id_of_a_call_that_is_gone_is_not_given_to_another),
        ONCE(of_walks_that_were_cut_off_the_newest_are_remembered),
        ONCE(calls_are_there_after_the_store_was_closed),
        ONCE(nobody_else_can_read_a_store),
        ONCE(opening_leaves_the_umask_alone),
        ONCE(a_second_opening_names_the_process_that_has_the_store),
        ONCE(an_opening_from_another_process_names_this_one),
        ONCE(the_lock_of_a_dead_process_is_no_lock),
        ONCE(a_lock_that_cannot_be_opened_says_what_to_do),
        ONCE(a_store_of_a_newer_cdrfs_is_refused),
        ONCE(another_programs_database_is_refused_and_left_alone),
        ONCE(another_programs_database_of_a_high_version_is_not_taken_for_a_newer_store),
        ONCE(a_call_that_comes_while_it_is_looked_for_is_where_it_belongs),
        EACH(a_file_of_noise_is_refused_and_left_alone, noise_sizes),
        ONCE(a_store_cut_short_is_refused_or_fails_but_never_crashes),
        ONCE(an_empty_file_becomes_a_store),
        ONCE(a_directory_in_its_place_is_refused_with_a_reason),
        ONCE(a_long_reason_is_cut),
        ONCE(no_store_can_be_closed),
        ONCE(readers_and_the_writer_do_not_disturb_each_other),
        ONCE(a_writer_killed_at_any_moment_leaves_whole_spans),
    };
    return run_suite_with("store", tests, ARRAY_LEN(tests), setup, teardown);
}
