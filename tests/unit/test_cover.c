// SPDX-License-Identifier: MIT
#include "cache/cover.h"

#include "tests/unit/gen_query.h"

#define SPANS 12

static const struct cover_rule usual = {.ttl = 60, .settle = 172800};

static struct cover_when at(int64_t now)
{
    return (struct cover_when){.now = now, .after_seq = UINT64_MAX};
}

static struct span span_of(int64_t lo, int64_t hi, int64_t fetched_at)
{
    struct span s = {.q = QUERY_ALL, .fetched_at = fetched_at};
    s.q.num[AXIS_END_TIME] = (struct range){lo, hi};
    return s;
}

static struct query window(int64_t lo, int64_t hi)
{
    return span_of(lo, hi, 0).q;
}

static bool has(const struct ivset *s, int64_t t)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].lo <= t && t < s->v[i].hi)
            return true;
    return false;
}

/* --- the oracle: DESIGN.md section 2, one instant at a time --- */

static bool oracle_believed(const struct span *s, struct cover_rule rule, struct cover_when when,
                            int64_t t)
{
    struct range r = s->q.num[AXIS_END_TIME];
    int64_t age = when.now > s->fetched_at ? when.now - s->fetched_at : 0;
    bool young = age < rule.ttl || s->seq > when.after_seq;
    if (t < r.lo)
        return false;
    if (t >= r.hi)
        return young && r.hi > s->fetched_at;
    return young || age < (s->fetched_at - r.hi) / 10 || s->fetched_at - t > rule.settle;
}

static bool oracle_filters(const struct span *v, size_t n, struct cover_rule rule,
                           struct cover_when when, const struct query *q, int64_t t)
{
    for (size_t i = 0; i < n; i++)
        if (query_filters_imply(q, &v[i].q) && oracle_believed(&v[i], rule, when, t))
            return true;
    return false;
}

static bool oracle_covered(const struct span *v, size_t n, struct cover_rule rule,
                           struct cover_when when, const struct query *q, int64_t t)
{
    if (oracle_filters(v, n, rule, when, q, t))
        return true;
    if (!range_is_all(q->num[AXIS_DIRECTION]))
        return false;
    struct query in = *q, out = *q;
    in.num[AXIS_DIRECTION] = (struct range){DIRECTION_INBOUND, DIRECTION_INBOUND + 1};
    out.num[AXIS_DIRECTION] = (struct range){DIRECTION_OUTBOUND, DIRECTION_OUTBOUND + 1};
    return oracle_filters(v, n, rule, when, &in, t) && oracle_filters(v, n, rule, when, &out, t);
}

/* --- random coverage --- */

struct world {
    struct rng rng;
    struct span spans[SPANS]; /* all that were ever added */
    size_t n;
    struct cover cover;
    struct cover_rule rule;
    struct cover_when when;
    struct query q;
};

/* Filters that often hold each other: few conditions, of few values. */
static struct query gen_filters(struct rng *r)
{
    for (;;) {
        struct query q = QUERY_ALL;
        if (rng_one_in(r, 2)) {
            int64_t d = 1 + rng_below(r, 2);
            query_meet_range(&q, AXIS_DIRECTION, (struct range){d, d + 1});
        }
        if (rng_one_in(r, 3))
            gen_narrow(r, &q);
        q.num[AXIS_END_TIME] = RANGE_ALL;
        if (!q.none)
            return q;
    }
}

static struct span gen_span(struct rng *r, uint64_t seq)
{
    struct span s = {.q = gen_filters(r), .seq = rng_one_in(r, 4) ? 0 : seq};
    int64_t lo = rng_below(r, GEN_TIMES), hi = lo + 1 + rng_below(r, GEN_TIMES);
    s.q.num[AXIS_END_TIME] = (struct range){lo, hi};
    /* mostly read after its end, sometimes up to the clock, rarely before its end */
    s.fetched_at = rng_one_in(r, 3) ? hi - 1 : rng_one_in(r, 8) ? lo : hi + rng_below(r, 150);
    return s;
}

static struct world gen_world(uint64_t seed, int64_t least_ttl)
{
    struct world w = {.rng = {seed}};
    w.n = (size_t)rng_below(&w.rng, SPANS + 1);
    int64_t newest = 0;
    for (size_t i = 0; i < w.n; i++) {
        w.spans[i] = gen_span(&w.rng, i + 1);
        ck_assert_int_eq(cover_add(&w.cover, &w.spans[i]), 0);
        if (w.spans[i].fetched_at > newest)
            newest = w.spans[i].fetched_at;
    }
    w.rule = (struct cover_rule){.ttl = least_ttl + rng_below(&w.rng, 40),
                                 .settle = rng_below(&w.rng, 150)};
    w.when.now = newest + rng_below(&w.rng, 100) - 20;
    w.when.after_seq = rng_one_in(&w.rng, 3) ? (uint64_t)rng_below(&w.rng, SPANS) : UINT64_MAX;
    w.q = gen_filters(&w.rng);
    int64_t lo = rng_below(&w.rng, GEN_TIMES);
    w.q.num[AXIS_END_TIME] = (struct range){lo, lo + 1 + rng_below(&w.rng, GEN_TIMES)};
    return w;
}

static bool in_window(const struct query *q, int64_t t)
{
    return q->num[AXIS_END_TIME].lo <= t && t < q->num[AXIS_END_TIME].hi;
}

START_TEST(the_remainder_is_what_no_instant_of_coverage_holds)
{
    int covered = 0, asked = 0;
    for (uint64_t seed = 0; seed < 10000; seed++) {
        struct world w = gen_world(seed, 1);
        CLEANUP_IVSET struct ivset out = {0};
        cover_remainder(&w.cover, w.rule, w.when, &w.q, &out);
        for (int64_t t = -5; t < 2 * GEN_TIMES + 5; t++) {
            bool want = in_window(&w.q, t) &&
                        !oracle_covered(w.cover.v, w.cover.n, w.rule, w.when, &w.q, t);
            expect(has(&out, t) == want, "seed %d, instant %d: want %d", (int)seed, (int)t, want);
            asked += want;
            covered += in_window(&w.q, t) && !want;
        }
        cover_release(&w.cover);
    }
    ck_assert_int_gt(covered, 100000);
    ck_assert_int_gt(asked, 100000);
}
END_TEST

/* Whether some believed span was asked for calls like this one, and so brought it. */
static bool brought(const struct world *w, const struct call *c)
{
    for (size_t i = 0; i < w->n; i++) {
        struct query q = w->spans[i].q;
        q.num[AXIS_END_TIME] = RANGE_ALL;
        if (gen_matches(&q, c) &&
            oracle_believed(&w->spans[i], w->rule, w->when, c->num[AXIS_END_TIME]))
            return true;
    }
    return false;
}

/* Independent of query_implies(): any call that q matches, at an instant that is not asked for,
 * must have been brought by a span that may be believed there. */
START_TEST(no_call_is_missed_where_nothing_is_asked)
{
    int tried = 0;
    for (uint64_t seed = 0; seed < 10000; seed++) {
        struct world w = gen_world(seed + 100000, 0);
        CLEANUP_IVSET struct ivset out = {0};
        cover_remainder(&w.cover, w.rule, w.when, &w.q, &out);
        for (int i = 0; i < 100; i++) {
            struct call c = gen_call(&w.rng);
            if (c.num[AXIS_DIRECTION] == INT64_MIN) /* both directions together are everything */
                continue;
            if (!gen_matches(&w.q, &c) || has(&out, c.num[AXIS_END_TIME]))
                continue;
            tried++;
            expect(brought(&w, &c), "seed %d, instant %d", (int)seed, (int)c.num[AXIS_END_TIME]);
        }
        cover_release(&w.cover);
    }
    ck_assert_int_gt(tried, 10000);
}
END_TEST

/* For spans that were read after their end; an open end is not inherited. */
START_TEST(a_span_that_is_dropped_is_not_missed)
{
    int dropped = 0;
    for (uint64_t seed = 0; seed < 10000; seed++) {
        struct world w = gen_world(seed + 200000, 1);
        struct cover kept = {0};
        CLEANUP_IVSET struct ivset out = {0};
        for (size_t i = 0; i < w.n; i++) {
            struct span *s = &w.spans[i];
            s->seq = i + 1;
            if (s->q.num[AXIS_END_TIME].hi > s->fetched_at)
                s->fetched_at = s->q.num[AXIS_END_TIME].hi;
            ck_assert_int_eq(cover_add(&kept, s), 0);
        }
        dropped += (int)(w.n - kept.n);
        cover_remainder(&kept, w.rule, w.when, &w.q, &out);
        for (int64_t t = 0; t < 2 * GEN_TIMES; t++)
            expect(has(&out, t) == (in_window(&w.q, t) &&
                                    !oracle_covered(w.spans, w.n, w.rule, w.when, &w.q, t)),
                   "seed %d, instant %d", (int)seed, (int)t);
        cover_release(&kept);
        cover_release(&w.cover);
    }
    ck_assert_int_gt(dropped, 1000);
}
END_TEST

/* --- by hand --- */

static const struct {
    const char *what;
    int64_t lo, hi, fetched_at, now, want_hi; /* believed: [lo, want_hi) */
} beliefs[] = {
    {"just read", 0, 1000, 2000, 2000, 1000},
    {"within the ttl", 0, 1000, 2000, 2059, 1000},
    {"read long after its end", 0, 1000, 10000, 10899, 1000},
    {"the same, a second older", 0, 1000, 10000, 10900, 0},
    {"stale but for what is final", 0, 200000, 200000, 200060, 27200},
    {"all stale", 500, 1000, 1000, 1060, 500},
    {"final", 0, 1000, 173801, 999999999, 1000},
    {"final but for its last second", 0, 1000, 173799, 999999999, 999},
    {"a clock that went back", 0, 1000, 2000, 1000, 1000},
};

START_TEST(a_span_is_believed_as_far_as_it_is_fresh_or_final)
{
    struct span s = span_of(beliefs[_i].lo, beliefs[_i].hi, beliefs[_i].fetched_at);
    struct range r = cover_believed(&s, usual, at(beliefs[_i].now));
    int64_t hi = r.hi < r.lo ? r.lo : r.hi;
    ck_assert_int_eq(r.lo, beliefs[_i].lo);
    ck_assert_msg(hi == beliefs[_i].want_hi, "%s: %lld", beliefs[_i].what, (long long)hi);
}
END_TEST

START_TEST(an_open_end_answers_for_the_seconds_since_while_it_is_young)
{
    struct span s = span_of(0, 1001, 1000);
    ck_assert_int_eq(cover_believed(&s, usual, at(1000)).hi, INT64_MAX);
    ck_assert_int_eq(cover_believed(&s, usual, at(1059)).hi, INT64_MAX);
    ck_assert_int_le(cover_believed(&s, usual, at(1060)).hi, 1000);
    s = span_of(0, 900, 1000);
    ck_assert_int_eq(cover_believed(&s, usual, at(1000)).hi, 900);
}
END_TEST

START_TEST(a_later_walk_counts_whole_however_old)
{
    struct span s = span_of(0, 1001, 1000);
    struct cover_when when = {.now = 999999, .after_seq = 6};
    s.seq = 7;
    ck_assert_int_eq(cover_believed(&s, usual, when).hi, INT64_MAX);
    when.after_seq = 7;
    ck_assert_int_lt(cover_believed(&s, usual, when).hi, 1001);
    when.after_seq = UINT64_MAX;
    s.seq = UINT64_MAX;
    ck_assert_int_lt(cover_believed(&s, usual, when).hi, 1001);
}
END_TEST

START_TEST(final_coverage_is_never_asked_again)
{
    struct cover c = {0};
    struct query q = window(0, 86400);
    struct span s = span_of(0, 86400, 86400 + 172801);
    ck_assert_int_eq(cover_add(&c, &s), 0);
    for (int64_t now = s.fetched_at; now < (int64_t)1 << 40; now *= 3) {
        CLEANUP_IVSET struct ivset out = {0};
        cover_remainder(&c, usual, at(now), &q, &out);
        ck_assert_uint_eq(out.n, 0);
    }
    cover_release(&c);
}
END_TEST

static struct span day_of(const char *from, int64_t direction)
{
    struct span s = span_of(0, 86400, 999999);
    query_meet_text(&s.q, AXIS_FROM, from);
    if (direction)
        query_meet_range(&s.q, AXIS_DIRECTION, (struct range){direction, direction + 1});
    return s;
}

static const struct {
    const char *spans_from[2];
    int64_t spans_direction[2];
    const char *from;
    int64_t direction;
    bool covered;
} sides[] = {
    {{"", NULL}, {0, 0}, "", 0, true},       {{"", NULL}, {0, 0}, "1415", 2, true},
    {{"14", NULL}, {0, 0}, "1415", 0, true}, {{"1415", NULL}, {0, 0}, "14", 0, false},
    {{"", NULL}, {1, 0}, "", 0, false},      {{"", NULL}, {1, 0}, "", 1, true},
    {{"", NULL}, {1, 0}, "", 2, false},      {{"", ""}, {1, 2}, "", 0, true},
    {{"", ""}, {1, 2}, "14", 0, true},       {{"", "14"}, {1, 2}, "14", 0, true},
    {{"", "14"}, {1, 2}, "", 0, false},      {{"14", "15"}, {1, 2}, "14", 0, false},
    {{"", ""}, {1, 1}, "", 0, false},
};

START_TEST(a_query_is_covered_by_wider_filters_or_by_both_directions)
{
    struct cover c = {0};
    CLEANUP_IVSET struct ivset out = {0};
    struct query q = day_of(sides[_i].from, sides[_i].direction).q;
    for (int i = 0; i < 2 && sides[_i].spans_from[i]; i++) {
        struct span s = day_of(sides[_i].spans_from[i], sides[_i].spans_direction[i]);
        ck_assert_int_eq(cover_add(&c, &s), 0);
    }
    cover_remainder(&c, usual, at(999999), &q, &out);
    ck_assert_int_eq(out.n == 0, sides[_i].covered);
    if (!sides[_i].covered) {
        ck_assert_int_eq(out.v[0].lo, 0);
        ck_assert_int_eq(out.v[0].hi, 86400);
    }
    cover_release(&c);
}
END_TEST

START_TEST(only_the_uncovered_part_of_an_interval_is_asked)
{
    struct cover c = {0};
    CLEANUP_IVSET struct ivset out = {0};
    struct span a = span_of(100, 200, 999999), b = span_of(300, 400, 999999);
    struct query q = window(150, 500);
    ck_assert_int_eq(cover_add(&c, &a), 0);
    ck_assert_int_eq(cover_add(&c, &b), 0);
    cover_remainder(&c, usual, at(999999), &q, &out);
    ck_assert_uint_eq(out.n, 2);
    ck_assert_int_eq(out.v[0].lo, 200);
    ck_assert_int_eq(out.v[0].hi, 300);
    ck_assert_int_eq(out.v[1].lo, 400);
    ck_assert_int_eq(out.v[1].hi, 500);
    cover_release(&c);
}
END_TEST

START_TEST(a_remainder_is_added_to_what_is_there)
{
    struct cover c = {0};
    CLEANUP_IVSET struct ivset out = {0};
    struct span a = span_of(0, 100, 999999);
    struct query first = window(500, 600), second = window(50, 150);
    ck_assert_int_eq(cover_add(&c, &a), 0);
    cover_remainder(&c, usual, at(999999), &first, &out);
    cover_remainder(&c, usual, at(999999), &second, &out);
    ck_assert_uint_eq(out.n, 2);
    ck_assert_int_eq(out.v[0].lo, 100);
    ck_assert_int_eq(out.v[1].hi, 600);
    cover_release(&c);
}
END_TEST

START_TEST(what_another_remainder_asked_for_is_still_asked)
{
    struct cover c = {0};
    CLEANUP_IVSET struct ivset out = {0};
    struct span a = day_of("14", 0);
    struct query narrow = a.q, wide = window(0, 86400);
    ck_assert_int_eq(cover_add(&c, &a), 0);
    cover_remainder(&c, usual, at(999999), &wide, &out);
    cover_remainder(&c, usual, at(999999), &narrow, &out);
    ck_assert_uint_eq(out.n, 1);
    ck_assert_int_eq(out.v[0].lo, 0);
    ck_assert_int_eq(out.v[0].hi, 86400);
    cover_release(&c);
}
END_TEST

START_TEST(a_newer_wider_span_takes_the_place_of_an_older)
{
    struct cover c = {0};
    struct span day = span_of(0, 100, 1000), other = span_of(50, 150, 1000),
                wide = span_of(0, 100, 1001);
    struct span narrow = span_of(10, 20, 1002), late = span_of(0, 1000, 999);
    ck_assert_int_eq(cover_add(&c, &day), 0);
    ck_assert_int_eq(cover_add(&c, &other), 0);
    ck_assert_int_eq(cover_add(&c, &wide), 0);
    ck_assert_uint_eq(c.n, 2);
    ck_assert_int_eq(c.v[0].q.num[AXIS_END_TIME].lo, 50);
    ck_assert_int_eq(c.v[1].fetched_at, 1001);
    ck_assert_int_eq(cover_add(&c, &narrow), 0);
    ck_assert_int_eq(cover_add(&c, &late), 0);
    ck_assert_uint_eq(c.n, 4); /* read earlier: it supersedes nothing */
    cover_release(&c);
}
END_TEST

START_TEST(many_spans_are_kept)
{
    struct cover c = {0};
    CLEANUP_IVSET struct ivset out = {0};
    struct query q = window(0, 20000);
    for (int64_t i = 0; i < 2000; i++) {
        struct span s = span_of(i * 10, i * 10 + 9, 999999);
        s.id = i;
        ck_assert_int_eq(cover_add(&c, &s), 0);
    }
    ck_assert_uint_eq(c.n, 2000);
    cover_remainder(&c, usual, at(999999), &q, &out);
    ck_assert_uint_eq(out.n, 2000);
    cover_release(&c);
    ck_assert_uint_eq(c.n, 0);
}
END_TEST

/* --- for who asks the shared tier --- */

static const struct {
    struct range spans[3];
    int64_t fetched_at[3];
    struct range asked;
    int64_t since, to;
} holdings[] = {
    {{{0, 100}}, {150}, {0, 100}, 150, 100},
    {{{0, 100}}, {150}, {20, 30}, 150, 30},
    {{{0, 60}}, {150}, {0, 100}, 150, 60}, /* the rest is not held at all */
    {{{0, 60}, {60, 100}}, {150, 170}, {0, 100}, 150, 100},
    {{{0, 60}, {60, 100}}, {150, 170}, {70, 90}, 170, 90},
    {{{0, 100}, {20, 40}}, {150, 170}, {0, 100}, 150, 100},
    {{{0, 100}, {20, 40}}, {150, 170}, {20, 40}, 170, 40},
    {{{0, 100}, {0, 100}}, {150, 170}, {0, 100}, 170, 100},
    {{{0, 20}, {40, 100}}, {150, 170}, {0, 100}, 0, 100}, /* a gap */
    {{{40, 100}}, {150}, {0, 100}, 0, 100},
    {{{200, 300}}, {350}, {0, 100}, 0, 100},
    {{{0, 1}}, {0}, {200, 300}, 0, 200},
};

START_TEST(what_is_held_is_as_new_as_its_oldest_needed_reading)
{
    struct cover c = {0};
    struct query q = window(holdings[_i].asked.lo, holdings[_i].asked.hi);
    int64_t to = -1;
    for (int i = 0; i < 3 && holdings[_i].spans[i].hi; i++) {
        struct span s =
            span_of(holdings[_i].spans[i].lo, holdings[_i].spans[i].hi, holdings[_i].fetched_at[i]);
        ck_assert_int_eq(cover_add(&c, &s), 0);
    }
    ck_assert_int_eq(cover_held_since(&c, &q, &to), holdings[_i].since);
    if (holdings[_i].since)
        ck_assert_int_eq(to, holdings[_i].to);
    cover_release(&c);
}
END_TEST

START_TEST(wider_filters_hold_a_narrower_question_and_not_the_other_way_round)
{
    struct cover c = {0};
    struct span wide = span_of(0, 100, 150), narrow = span_of(0, 100, 170);
    struct query q = window(0, 100);
    int64_t to;
    narrow.q.num[AXIS_DIRECTION] = (struct range){DIRECTION_INBOUND, DIRECTION_INBOUND + 1};
    ck_assert_int_eq(cover_add(&c, &narrow), 0);
    ck_assert_int_eq(cover_held_since(&c, &q, &to), 0);
    ck_assert_int_eq(cover_add(&c, &wide), 0);
    ck_assert_int_eq(cover_held_since(&c, &q, &to), 150);
    ck_assert_int_eq(cover_held_since(&c, &narrow.q, &to), 170);
    cover_release(&c);
}
END_TEST

START_TEST(a_window_was_doubted_when_something_of_it_was)
{
    struct cover c = {0};
    struct query q = window(0, 100), other = window(100, 200), inbound = window(0, 100);
    inbound.num[AXIS_DIRECTION] = (struct range){DIRECTION_INBOUND, DIRECTION_INBOUND + 1};
    ck_assert_int_eq(cover_doubted_at(&c, &q), INT64_MIN);
    cover_doubt(&c, &(struct doubt){.q = window(50, 60), .seq = 1, .at = 1000});
    ck_assert_int_eq(cover_doubted_at(&c, &q), 1000);
    ck_assert_int_eq(cover_doubted_at(&c, &inbound), 1000);
    ck_assert_int_eq(cover_doubted_at(&c, &other), INT64_MIN);
    cover_doubt(&c, &(struct doubt){.q = QUERY_ALL, .seq = 2, .at = 2000});
    ck_assert_int_eq(cover_doubted_at(&c, &q), 2000);
    ck_assert_int_eq(cover_doubted_at(&c, &other), 2000);
    cover_release(&c);
}
END_TEST

START_TEST(too_many_doubts_are_one_of_everything_with_the_newest_time)
{
    struct cover c = {0};
    struct query q = window(0, 1);
    for (int64_t i = 1; i <= DOUBTS_MAX + 1; i++)
        cover_doubt(&c, &(struct doubt){
                            .q = window(i * 100, i * 100 + 9), .seq = (uint64_t)i, .at = 1000 + i});
    ck_assert_int_eq(cover_doubted_at(&c, &q), 1000 + DOUBTS_MAX + 1);
    cover_release(&c);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(the_remainder_is_what_no_instant_of_coverage_holds),
        ONCE(no_call_is_missed_where_nothing_is_asked),
        ONCE(a_span_that_is_dropped_is_not_missed),
        EACH(a_span_is_believed_as_far_as_it_is_fresh_or_final, beliefs),
        ONCE(an_open_end_answers_for_the_seconds_since_while_it_is_young),
        ONCE(a_later_walk_counts_whole_however_old),
        ONCE(final_coverage_is_never_asked_again),
        EACH(a_query_is_covered_by_wider_filters_or_by_both_directions, sides),
        ONCE(only_the_uncovered_part_of_an_interval_is_asked),
        ONCE(a_remainder_is_added_to_what_is_there),
        ONCE(what_another_remainder_asked_for_is_still_asked),
        ONCE(a_newer_wider_span_takes_the_place_of_an_older),
        ONCE(many_spans_are_kept),
        EACH(what_is_held_is_as_new_as_its_oldest_needed_reading, holdings),
        ONCE(wider_filters_hold_a_narrower_question_and_not_the_other_way_round),
        ONCE(a_window_was_doubted_when_something_of_it_was),
        ONCE(too_many_doubts_are_one_of_everything_with_the_newest_time),
    };
    return RUN_SUITE("cover", tests);
}
