// SPDX-License-Identifier: MIT
#include "cache/sum.h"

#include <sqlite3.h>

#include "cache/db.h"
#include "tests/unit/check_util.h"

static int64_t sum_of_text(const char *s)
{
    struct sum sum = {0};
    sum_add_text(&sum, slice_of(s));
    return sum_end(&sum);
}

/* They stand in stores, so they are what they are. */
START_TEST(sums_do_not_change_with_the_program)
{
    struct sum s = {0};
    sum_add_null(&s);
    sum_add_number(&s, -1);
    sum_add_text(&s, slice_of("14155550100"));
    sum_add_bytes(&s, (struct slice){"{\n  \"a\": \"\0\xff\"\n}\n", 16});
    ck_assert_int_eq(sum_end(&s), 1334150025);
    ck_assert_int_eq(sum_of_bytes(slice_of("")), 2724477380);
}
END_TEST

START_TEST(a_sum_is_below_two_to_the_32)
{
    struct rng r = {1};
    for (int i = 0; i < 10000; i++) {
        struct sum s = {0};
        sum_add_number(&s, (int64_t)rng_next(&r));
        expect(sum_end(&s) >= 0 && sum_end(&s) < (INT64_C(1) << 32), "%d", i);
    }
}
END_TEST

START_TEST(any_bit_of_any_length_counts)
{
    char bytes[80];
    struct rng r = {2};
    for (size_t n = 1; n <= sizeof(bytes); n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)rng_next(&r);
        int64_t before = sum_of_bytes((struct slice){bytes, n});
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] ^= (char)(1 << bit % 8);
            expect(sum_of_bytes((struct slice){bytes, n}) != before, "bit %zu of %zu bytes", bit,
                   n);
            bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
        expect(sum_of_bytes((struct slice){bytes, n - 1}) != before, "a byte less than %zu", n);
    }
}
END_TEST

START_TEST(zeros_and_neighbours_count)
{
    ck_assert_int_ne(sum_of_bytes((struct slice){"\0\0\0\0\0\0\0\0", 7}),
                     sum_of_bytes((struct slice){"\0\0\0\0\0\0\0\0", 8}));
    ck_assert_int_ne(sum_of_text("ab"), sum_of_text("ba"));
    struct sum a = {0}, b = {0}, c = {0}, d = {0};
    sum_add_text(&a, slice_of("a"));
    sum_add_text(&a, slice_of("bc"));
    sum_add_text(&b, slice_of("ab"));
    sum_add_text(&b, slice_of("c"));
    ck_assert_int_ne(sum_end(&a), sum_end(&b));
    sum_add_number(&c, 0);
    sum_add_null(&d);
    ck_assert_int_ne(sum_end(&c), sum_end(&d));
    ck_assert_int_ne(sum_of_text("x"), sum_of_bytes(slice_of("x")));
}
END_TEST

/* What is written by C must be found again by SQL. */
START_TEST(sql_reckons_the_same)
{
    sqlite3 *sql;
    sqlite3_stmt *st;
    struct sum s = {0};
    sum_add_text(&s, slice_of("name"));
    sum_add_number(&s, INT64_MIN);
    sum_add_null(&s);
    sum_add_bytes(&s, slice_of("bytes"));
    ck_assert_int_eq(sqlite3_open(":memory:", &sql), SQLITE_OK);
    ck_assert_int_eq(db_add_checksum(sql), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_prepare_v2(sql, "SELECT checksum('name', ?, NULL, x'6279746573'), checksum()", -1,
                           &st, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(st, 1, INT64_MIN);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int64(st, 0), sum_end(&s));
    ck_assert_int_eq(sqlite3_column_int64(st, 1), sum_end(&(struct sum){0}));
    sqlite3_finalize(st);
    sqlite3_close(sql);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(sums_do_not_change_with_the_program),
        ONCE(a_sum_is_below_two_to_the_32),
        ONCE(any_bit_of_any_length_counts),
        ONCE(zeros_and_neighbours_count),
        ONCE(sql_reckons_the_same),
    };
    return RUN_SUITE("sum", tests);
}
