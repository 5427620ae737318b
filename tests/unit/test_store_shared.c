// SPDX-License-Identifier: MIT
/* What the store notes for the shared tier, and what it takes from it. */
#include <errno.h>

#include "tests/unit/store_fixture.h"

#define SEEN_MAX 32
#define TIER 4711

static void open_again(void)
{
    close_store();
    open_store();
}

static void begin(void)
{
    ck_assert_int_eq(store_begin(store), 0);
}

static void commit(void)
{
    ck_assert_int_eq(store_commit(store), 0);
}

static void join(int64_t tier)
{
    begin();
    ck_assert_int_eq(store_join(store, tier), 0);
    commit();
}

static struct call inbound_call(const char *uuid, const char *body)
{
    struct call c = call_of(uuid, NOON, body);
    c.num[AXIS_DIRECTION] = DIRECTION_INBOUND;
    return c;
}

static enum put put(const char *uuid, const char *body, int64_t now)
{
    struct call c = inbound_call(uuid, body);
    enum put ret;
    int64_t id;
    begin();
    ck_assert_int_eq(store_put_call(store, &c, now, &ret, &id), 0);
    commit();
    return ret;
}

static enum put import(const char *uuid, const char *body, int64_t mtime)
{
    struct call c = inbound_call(uuid, body);
    enum put ret;
    int64_t id;
    begin();
    ck_assert_int_eq(store_import_call(store, &c, mtime, NOON + 900, &ret, &id), 0);
    commit();
    return ret;
}

static struct span span_of(int64_t lo, int64_t hi, int64_t fetched_at, bool inbound)
{
    struct span s = {.q = QUERY_ALL, .fetched_at = fetched_at};
    if (inbound)
        query_meet_range(&s.q, AXIS_DIRECTION,
                         (struct range){DIRECTION_INBOUND, DIRECTION_INBOUND + 1});
    query_meet_range(&s.q, AXIS_END_TIME, (struct range){lo, hi});
    return s;
}

static void put_span(struct span s)
{
    begin();
    ck_assert_int_eq(store_put_span(store, &s), 0);
    commit();
}

/* --- what is noted --- */

struct seen {
    int n;
    int64_t notes[SEEN_MAX], mtimes[SEEN_MAX], read_at[SEEN_MAX];
    char uuids[SEEN_MAX][CALL_UUID_MAX], bodies[SEEN_MAX][64];
    struct span spans[SEEN_MAX];
};

static int see_call(void *arg, int64_t note, const struct call *c, int64_t mtime, int64_t read_at)
{
    struct seen *s = arg;
    ck_assert_int_lt(s->n, SEEN_MAX);
    s->notes[s->n] = note;
    s->mtimes[s->n] = mtime;
    s->read_at[s->n] = read_at;
    snprintf(s->uuids[s->n], sizeof(s->uuids[0]), "%s", c->uuid);
    snprintf(s->bodies[s->n], sizeof(s->bodies[0]), "%.*s", (int)c->body.n, c->body.p);
    ck_assert_int_eq(c->num[AXIS_END_TIME], NOON);
    ck_assert_int_eq(c->num[AXIS_BILL_DURATION], INT64_MIN);
    s->n++;
    return 0;
}

static int see_span(void *arg, int64_t note, const struct span *span)
{
    struct seen *s = arg;
    ck_assert_int_lt(s->n, SEEN_MAX);
    s->notes[s->n] = note;
    s->spans[s->n++] = *span;
    return 0;
}

static struct seen noted_calls(void)
{
    struct seen s = {0};
    ck_assert_int_eq(store_unshared_calls(store, 0, SEEN_MAX, see_call, &s), 0);
    return s;
}

static struct seen noted_spans(void)
{
    struct seen s = {0};
    ck_assert_int_eq(store_unshared_spans(store, see_span, &s), 0);
    return s;
}

static int64_t count_noted(void)
{
    int64_t n = -1;
    ck_assert_int_eq(store_unshared_count(store, &n), 0);
    return n;
}

static void forget(const struct seen *s)
{
    begin();
    ck_assert_int_eq(store_shared(store, s->notes, (size_t)s->n), 0);
    commit();
}

START_TEST(a_store_that_shares_with_nobody_notes_nothing)
{
    put("a", "1", NOON);
    put_span(span_of(NOON, NOON + 9, NOON + 9, false));
    ck_assert_int_eq(noted_calls().n, 0);
    ck_assert_int_eq(noted_spans().n, 0);
}
END_TEST

START_TEST(what_comes_is_noted_with_its_time_until_it_is_shared)
{
    join(TIER);
    put("a", "1", NOON + 5);
    put("b", "2", NOON + 6);
    ck_assert_int_eq(put("a", "1", NOON + 7), PUT_SAME);
    struct seen s = noted_calls();
    ck_assert_int_eq(s.n, 2);
    ck_assert_str_eq(s.uuids[0], "a");
    ck_assert_str_eq(s.bodies[1], "2");
    ck_assert_int_eq(s.read_at[0], NOON + 5);
    ck_assert_int_eq(s.mtimes[0], NOON);
    ck_assert_int_lt(s.notes[0], s.notes[1]);
    forget(&s);
    ck_assert_int_eq(noted_calls().n, 0);
    ck_assert_int_eq(put("a", "1", NOON + 8), PUT_SAME);
    ck_assert_int_eq(count_noted(), 0);
}
END_TEST

START_TEST(notes_come_in_order_and_by_pieces)
{
    join(TIER);
    const char *const uuids[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < ARRAY_LEN(uuids); i++)
        put(uuids[i], "x", NOON);
    struct seen s = {0};
    ck_assert_int_eq(store_unshared_calls(store, 0, 2, see_call, &s), 0);
    ck_assert_int_eq(s.n, 2);
    ck_assert_int_eq(store_unshared_calls(store, s.notes[1], 2, see_call, &s), 0);
    ck_assert_int_eq(store_unshared_calls(store, s.notes[3], 2, see_call, &s), 0);
    ck_assert_int_eq(s.n, 5);
    for (size_t i = 0; i < ARRAY_LEN(uuids); i++)
        ck_assert_str_eq(s.uuids[i], uuids[i]);
}
END_TEST

START_TEST(what_is_amended_while_it_is_shared_stays_noted)
{
    join(TIER);
    put("a", "1", NOON);
    struct seen before = noted_calls();
    ck_assert_int_eq(put("a", "2", NOON + 60), PUT_AMENDED);
    forget(&before);
    struct seen after = noted_calls();
    ck_assert_int_eq(after.n, 1);
    ck_assert_int_gt(after.notes[0], before.notes[0]);
    ck_assert_str_eq(after.bodies[0], "2");
    ck_assert_int_eq(after.mtimes[0], NOON + 60);
    forget(&after);
    ck_assert_int_eq(count_noted(), 0);
}
END_TEST

START_TEST(notes_outlive_the_mount_and_go_on_without_the_tier)
{
    join(TIER);
    put("a", "1", NOON);
    open_again();
    put("b", "2", NOON); /* the tier is not known to this mount */
    put_span(span_of(NOON, NOON + 9, NOON + 9, false));
    ck_assert_int_eq(noted_calls().n, 2);
    ck_assert_int_eq(noted_spans().n, 1);
    join(TIER); /* and changes nothing when it is */
    ck_assert_int_eq(noted_calls().n, 2);
}
END_TEST

START_TEST(what_was_undone_is_not_noted)
{
    struct call c = inbound_call("a", "1");
    enum put ret;
    int64_t id;
    join(TIER);
    begin();
    ck_assert_int_eq(store_put_call(store, &c, NOON, &ret, &id), 0);
    store_rollback(store);
    ck_assert_int_eq(count_noted(), 0);
}
END_TEST

/* --- joining --- */

START_TEST(who_joins_has_everything_to_give)
{
    put("a", "1", NOON);
    put("b", "2", NOON);
    put_span(span_of(NOON - 9, NOON + 9, NOON + 20, false));
    join(TIER);
    struct seen s = noted_calls(), spans = noted_spans();
    ck_assert_int_eq(s.n, 2);
    ck_assert_int_eq(spans.n, 1);
    ck_assert_int_eq(s.read_at[0], NOON + 20); /* it is in what was read then */
    ck_assert_int_eq(spans.spans[0].fetched_at, NOON + 20);
}
END_TEST

START_TEST(another_tier_is_given_everything_again)
{
    join(TIER);
    put("a", "1", NOON);
    struct seen s = noted_calls();
    forget(&s);
    join(TIER);
    ck_assert_int_eq(count_noted(), 0);
    join(TIER + 1);
    struct seen again = noted_calls();
    ck_assert_int_eq(again.n, 1);
    ck_assert_int_gt(again.notes[0], s.notes[0]); /* what has sent up to that one sends it too */
    forget(&s);
    ck_assert_int_eq(count_noted(), 1);
}
END_TEST

/* Readings of some filters may hold a call or not, so they tell of none of them when it was read.
 */
START_TEST(it_is_not_known_when_a_call_was_read_that_a_newer_narrow_reading_may_hold)
{
    put("a", "1", NOON);
    put_span(span_of(NOON, NOON + 9, NOON + 20, true));
    join(TIER);
    ck_assert_int_eq(noted_calls().read_at[0], 0);
    put_span(span_of(NOON, NOON + 9, NOON + 19, false));
    ck_assert_int_eq(noted_calls().read_at[0], 0);
    put_span(span_of(NOON, NOON + 9, NOON + 21, false));
    ck_assert_int_eq(noted_calls().read_at[0], NOON + 21);
    put_span(span_of(NOON + 1, NOON + 9, NOON + 99, true)); /* it did not end in that one */
    ck_assert_int_eq(noted_calls().read_at[0], NOON + 21);
}
END_TEST

/* --- what the tier gives --- */

START_TEST(what_is_imported_is_not_given_back)
{
    struct span span = span_of(NOON, NOON + 9, NOON + 20, false);
    join(TIER);
    ck_assert_int_eq(import("a", "1", NOON), PUT_NEW);
    begin();
    ck_assert_int_eq(store_import_span(store, &span), 0);
    commit();
    ck_assert_int_eq(count_noted(), 0);
    ck_assert_int_eq(noted_spans().n, 0);
    ck_assert_int_eq(import("a", "1", NOON), PUT_SAME);
}
END_TEST

static int64_t mtime_of(const char *uuid)
{
    struct query all = QUERY_ALL;
    struct entry e;
    bool matches;
    ck_assert_int_eq(store_find(store, &all, uuid, &e, &matches), 0);
    return e.mtime;
}

START_TEST(an_imported_call_has_the_time_it_has_there)
{
    join(TIER);
    import("a", "1", NOON);
    ck_assert_int_eq(mtime_of("a"), NOON);
    import("b", "2", NOON + 60); /* it was amended before it came here */
    ck_assert_int_eq(mtime_of("b"), NOON + 60);
    ck_assert_int_eq(import("a", "3", NOON + 70), PUT_AMENDED);
    ck_assert_int_eq(mtime_of("a"), NOON + 70);
    ck_assert_int_eq(import("a", "4", NOON), PUT_AMENDED); /* of which it is not known there */
    ck_assert_int_eq(mtime_of("a"), NOON + 900);
}
END_TEST

START_TEST(what_has_still_to_be_given_is_newer_than_what_comes)
{
    join(TIER);
    put("a", "new", NOON + 60);
    ck_assert_int_eq(import("a", "old", NOON), PUT_SAME);
    struct seen s = noted_calls();
    ck_assert_str_eq(s.bodies[0], "new");
    forget(&s);
    ck_assert_int_eq(import("a", "newest", NOON + 90), PUT_AMENDED);
}
END_TEST

/* --- the rest --- */

START_TEST(what_is_dropped_is_not_noted_any_more)
{
    int dropped = 0;
    struct span span = span_of(NOON, NOON + 9, NOON + 9, false);
    join(TIER);
    put("a", "1", NOON);
    begin();
    ck_assert_int_eq(store_put_span(store, &span), 0);
    ck_assert_int_eq(store_drop_span(store, span.id), 0);
    ck_assert_int_eq(store_purge(store, NOON + 86400, 10, &dropped), 0);
    commit();
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(count_noted(), 0);
    ck_assert_int_eq(noted_spans().n, 0);
}
END_TEST

START_TEST(all_calls_of_a_window_can_be_had_noted_or_not)
{
    struct query q = span_of(NOON, NOON + 1, 0, true).q, other = span_of(0, NOON, 0, false).q;
    struct seen s = {0};
    int64_t n = -1;
    join(TIER);
    import("a", "1", NOON);
    put("b", "2", NOON);
    ck_assert_int_eq(store_calls_of(store, &q, 0, SEEN_MAX, see_call, &s), 0);
    ck_assert_int_eq(s.n, 2);
    ck_assert_int_eq(store_count(store, &q, &n), 0);
    ck_assert_int_eq(n, 2);
    ck_assert_int_eq(store_count(store, &other, &n), 0);
    ck_assert_int_eq(n, 0);
}
END_TEST

START_TEST(bytes_that_are_not_as_they_were_written_are_given_to_nobody)
{
    struct query q = span_of(NOON, NOON + 1, 0, false).q;
    struct seen s = {0};
    join(TIER);
    put("a", "1", NOON);
    close_store();
    sql(path, "UPDATE body SET bytes = '2', dict = NULL");
    open_store();
    ck_assert_int_eq(store_unshared_calls(store, 0, SEEN_MAX, see_call, &s), -EIO);
    ck_assert_int_eq(store_calls_of(store, &q, 0, SEEN_MAX, see_call, &s), -EIO);
    ck_assert_int_eq(s.n, 0);
}
END_TEST

static int refuse(void *arg, int64_t note UNUSED, const struct call *c UNUSED, int64_t mtime UNUSED,
                  int64_t read_at UNUSED)
{
    ++*(int *)arg;
    return -ECANCELED;
}

START_TEST(who_takes_calls_may_end_it)
{
    int times = 0;
    join(TIER);
    put("a", "1", NOON);
    put("b", "2", NOON);
    ck_assert_int_eq(store_unshared_calls(store, 0, SEEN_MAX, refuse, &times), -ECANCELED);
    ck_assert_int_eq(times, 1);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(a_store_that_shares_with_nobody_notes_nothing),
        ONCE(what_comes_is_noted_with_its_time_until_it_is_shared),
        ONCE(notes_come_in_order_and_by_pieces),
        ONCE(what_is_amended_while_it_is_shared_stays_noted),
        ONCE(notes_outlive_the_mount_and_go_on_without_the_tier),
        ONCE(what_was_undone_is_not_noted),
        ONCE(who_joins_has_everything_to_give),
        ONCE(another_tier_is_given_everything_again),
        ONCE(it_is_not_known_when_a_call_was_read_that_a_newer_narrow_reading_may_hold),
        ONCE(what_is_imported_is_not_given_back),
        ONCE(an_imported_call_has_the_time_it_has_there),
        ONCE(what_has_still_to_be_given_is_newer_than_what_comes),
        ONCE(what_is_dropped_is_not_noted_any_more),
        ONCE(all_calls_of_a_window_can_be_had_noted_or_not),
        ONCE(bytes_that_are_not_as_they_were_written_are_given_to_nobody),
        ONCE(who_takes_calls_may_end_it),
    };
    return run_suite_with("store_shared", tests, ARRAY_LEN(tests), setup, teardown);
}
