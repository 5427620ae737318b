// SPDX-License-Identifier: MIT
#include "cache/ivset.h"

#include "tests/unit/check_util.h"

#define SPAN 64 /* the bitmap's instants are 0 to 63 */

static struct range gen_interval(struct rng *r)
{
    int lo = rng_below(r, SPAN + 1), n = rng_below(r, rng_one_in(r, 4) ? SPAN : 8);
    int hi = lo + n > SPAN ? SPAN : lo + n;
    return rng_one_in(r, 20) ? (struct range){hi, lo} : (struct range){lo, hi};
}

static uint64_t bits_of(struct range r)
{
    uint64_t bits = 0;
    for (int64_t t = r.lo; t < r.hi; t++)
        bits |= (uint64_t)1 << t;
    return bits;
}

/* Sorted, disjoint, and two neighbours never touch: one set has one form. */
static void check_form(const struct ivset *s)
{
    expect(!s->failed && s->n <= s->cap, "not sound");
    for (size_t i = 0; i < s->n; i++) {
        expect(s->v[i].lo < s->v[i].hi, "an empty interval");
        expect(!i || s->v[i - 1].hi < s->v[i].lo, "intervals that touch");
    }
}

static void check_bits(const struct ivset *s, uint64_t want)
{
    uint64_t got = 0;
    check_form(s);
    for (size_t i = 0; i < s->n; i++)
        got |= bits_of(s->v[i]);
    expect(got == want, "got %016llx, want %016llx", (unsigned long long)got,
           (unsigned long long)want);
}

START_TEST(a_set_holds_the_instants_that_a_bitmap_holds)
{
    struct rng r = {51};
    for (int i = 0; i < 5000; i++) {
        CLEANUP_IVSET struct ivset s = {0};
        uint64_t bits = 0;
        for (int k = rng_below(&r, 60); k > 0; k--) {
            struct range x = gen_interval(&r);
            if (rng_one_in(&r, 3)) {
                ivset_cut(&s, x);
                bits &= ~bits_of(x);
            } else {
                ivset_add(&s, x);
                bits |= bits_of(x);
            }
            check_bits(&s, bits);
        }
    }
}
END_TEST

static uint64_t gen_set(struct rng *r, struct ivset *s)
{
    uint64_t bits = 0;
    for (int k = rng_below(r, 12); k > 0; k--) {
        struct range x = gen_interval(r);
        ivset_add(s, x);
        bits |= bits_of(x);
    }
    return bits;
}

START_TEST(common_instants_are_added_to_what_is_there)
{
    struct rng r = {52};
    for (int i = 0; i < 20000; i++) {
        CLEANUP_IVSET struct ivset a = {0}, b = {0}, out = {0};
        uint64_t bits_a = gen_set(&r, &a), bits_b = gen_set(&r, &b), bits = gen_set(&r, &out);
        ivset_add_common(&out, &a, &b);
        check_bits(&out, bits | (bits_a & bits_b));
        check_bits(&a, bits_a);
        check_bits(&b, bits_b);
    }
}
END_TEST

static void check_set(const struct ivset *s, const struct range *want, size_t n)
{
    check_form(s);
    ck_assert_uint_eq(s->n, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(s->v[i].lo, want[i].lo);
        ck_assert_int_eq(s->v[i].hi, want[i].hi);
    }
}

START_TEST(touching_intervals_become_one)
{
    CLEANUP_IVSET struct ivset s = {0};
    ivset_add(&s, (struct range){0, 10});
    ivset_add(&s, (struct range){20, 30});
    check_set(&s, (struct range[]){{0, 10}, {20, 30}}, 2);
    ivset_add(&s, (struct range){10, 20});
    check_set(&s, (struct range[]){{0, 30}}, 1);
}
END_TEST

START_TEST(a_cut_in_the_middle_leaves_two)
{
    CLEANUP_IVSET struct ivset s = {0};
    ivset_add(&s, (struct range){0, 30});
    ivset_cut(&s, (struct range){10, 20});
    check_set(&s, (struct range[]){{0, 10}, {20, 30}}, 2);
    ivset_cut(&s, (struct range){5, 25});
    check_set(&s, (struct range[]){{0, 5}, {25, 30}}, 2);
    ivset_cut(&s, (struct range){-100, 100});
    check_set(&s, NULL, 0);
}
END_TEST

START_TEST(an_empty_interval_changes_nothing)
{
    CLEANUP_IVSET struct ivset s = {0};
    ivset_add(&s, (struct range){5, 5});
    ivset_add(&s, (struct range){7, 3});
    check_set(&s, NULL, 0);
    ivset_add(&s, (struct range){0, 10});
    ivset_cut(&s, (struct range){5, 5});
    ivset_cut(&s, (struct range){7, 3});
    check_set(&s, (struct range[]){{0, 10}}, 1);
}
END_TEST

START_TEST(all_of_time_is_an_interval_like_others)
{
    CLEANUP_IVSET struct ivset s = {0}, t = {0}, out = {0};
    ivset_add(&s, RANGE_ALL);
    ivset_add(&s, (struct range){0, INT64_MAX});
    ivset_add(&s, (struct range){INT64_MIN, 0});
    check_set(&s, (struct range[]){RANGE_ALL}, 1);
    ivset_cut(&s, (struct range){0, 10});
    check_set(&s, (struct range[]){{INT64_MIN, 0}, {10, INT64_MAX}}, 2);
    ivset_add(&t, (struct range){-5, INT64_MAX});
    ivset_add_common(&out, &s, &t);
    check_set(&out, (struct range[]){{-5, 0}, {10, INT64_MAX}}, 2);
    ivset_cut(&s, RANGE_ALL);
    check_set(&s, NULL, 0);
}
END_TEST

START_TEST(many_intervals_are_kept_in_order)
{
    CLEANUP_IVSET struct ivset s = {0};
    for (int64_t i = 0; i < 1000; i++)
        ivset_add(&s, (struct range){i * 7919 % 1000 * 10, i * 7919 % 1000 * 10 + 5});
    check_form(&s);
    ck_assert_uint_eq(s.n, 1000);
    for (int64_t i = 0; i < 1000; i++)
        ck_assert_int_eq(s.v[i].lo, i * 10);
    ivset_add(&s, (struct range){3, 9998});
    check_set(&s, (struct range[]){{0, 9998}}, 1);
}
END_TEST

START_TEST(short_gaps_are_bridged_and_long_ones_stay)
{
    CLEANUP_IVSET struct ivset s = {0};
    ivset_bridge(&s, 60);
    check_set(&s, NULL, 0);
    ivset_add(&s, (struct range){INT64_MIN, 10});
    ivset_add(&s, (struct range){70, 80});
    ivset_add(&s, (struct range){141, 150});
    ivset_add(&s, (struct range){151, 160});
    ivset_add(&s, (struct range){300, INT64_MAX});
    ivset_bridge(&s, 60);
    check_set(&s, (struct range[]){{INT64_MIN, 80}, {141, 160}, {300, INT64_MAX}}, 3);
    ivset_bridge(&s, 1000);
    check_set(&s, (struct range[]){{INT64_MIN, INT64_MAX}}, 1);
}
END_TEST

START_TEST(a_set_that_ran_out_of_memory_stays_empty)
{
    CLEANUP_IVSET struct ivset s = {.failed = true}, other = {0}, out = {0};
    ivset_add(&s, (struct range){0, 10});
    ck_assert_uint_eq(s.n, 0);
    ivset_add(&other, (struct range){0, 10});
    ivset_add_common(&out, &s, &other);
    ck_assert_uint_eq(out.n, 0);
}
END_TEST

START_TEST(a_released_set_is_empty_and_usable)
{
    CLEANUP_IVSET struct ivset s = {0};
    ivset_add(&s, (struct range){0, 10});
    ivset_release(&s);
    check_set(&s, NULL, 0);
    ivset_add(&s, (struct range){1, 2});
    check_set(&s, (struct range[]){{1, 2}}, 1);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(a_set_holds_the_instants_that_a_bitmap_holds),
        ONCE(common_instants_are_added_to_what_is_there),
        ONCE(touching_intervals_become_one),
        ONCE(a_cut_in_the_middle_leaves_two),
        ONCE(an_empty_interval_changes_nothing),
        ONCE(all_of_time_is_an_interval_like_others),
        ONCE(many_intervals_are_kept_in_order),
        ONCE(short_gaps_are_bridged_and_long_ones_stay),
        ONCE(a_set_that_ran_out_of_memory_stays_empty),
        ONCE(a_released_set_is_empty_and_usable),
    };
    return RUN_SUITE("ivset", tests);
}
