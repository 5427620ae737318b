// SPDX-License-Identifier: MIT
#include "cache/memo.h"

#include "tests/unit/check_util.h"

static struct memo memo;

static void setup(void)
{
    memset(&memo, 0, sizeof(memo));
}

static void put_number(int i, int64_t until_ms)
{
    char key[32];
    snprintf(key, sizeof(key), "call %d", i);
    memo_put(&memo, key, until_ms);
}

static bool has_number(int i, int64_t now_ms)
{
    char key[32];
    snprintf(key, sizeof(key), "call %d", i);
    return memo_has(&memo, key, now_ms);
}

START_TEST(an_empty_memory_has_nothing)
{
    ck_assert(!memo_has(&memo, "call 1", 0));
    ck_assert(!memo_has(&memo, "", 0));
}
END_TEST

START_TEST(a_text_is_known_until_its_time_has_come)
{
    memo_put(&memo, "call 1", 1000);
    ck_assert(memo_has(&memo, "call 1", 0));
    ck_assert(memo_has(&memo, "call 1", 999));
    ck_assert(!memo_has(&memo, "call 1", 1000));
    ck_assert(!memo_has(&memo, "call 2", 0));
    ck_assert(!memo_has(&memo, "call", 0));
    ck_assert(!memo_has(&memo, "call 11", 0));
}
END_TEST

START_TEST(a_text_put_again_lives_as_long_as_the_later_time)
{
    memo_put(&memo, "call 1", 1000);
    memo_put(&memo, "call 1", 2000);
    ck_assert(memo_has(&memo, "call 1", 1500));
    ck_assert(!memo_has(&memo, "call 1", 2000));
}
END_TEST

START_TEST(the_oldest_goes_when_it_is_full)
{
    for (int i = 0; i < MEMO_SIZE; i++)
        put_number(i, 1000);
    for (int i = 0; i < MEMO_SIZE; i++)
        ck_assert(has_number(i, 0));
    put_number(MEMO_SIZE, 1000);
    ck_assert(!has_number(0, 0));
    for (int i = 1; i <= MEMO_SIZE; i++)
        ck_assert(has_number(i, 0));
}
END_TEST

START_TEST(the_longest_key_is_told_from_its_neighbour)
{
    char key[QUERY_KEY_MAX];
    memset(key, 'x', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    memo_put(&memo, key, 1000);
    ck_assert(memo_has(&memo, key, 0));
    key[sizeof(key) - 2] = 'y';
    ck_assert(!memo_has(&memo, key, 0));
}
END_TEST

START_TEST(times_are_counted_until_the_text_is_forgotten)
{
    ck_assert_int_eq(memo_count(&memo, "a", 0, 1000), 1);
    ck_assert_int_eq(memo_count(&memo, "a", 500, 1500), 2);
    ck_assert_int_eq(memo_count(&memo, "b", 500, 1500), 1);
    ck_assert_int_eq(memo_count(&memo, "a", 1499, 2000), 3);
    ck_assert_int_eq(memo_count(&memo, "a", 2000, 3000), 1);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(an_empty_memory_has_nothing),
        ONCE(a_text_is_known_until_its_time_has_come),
        ONCE(a_text_put_again_lives_as_long_as_the_later_time),
        ONCE(the_oldest_goes_when_it_is_full),
        ONCE(times_are_counted_until_the_text_is_forgotten),
        ONCE(the_longest_key_is_told_from_its_neighbour),
    };
    return run_suite_with("memo", tests, ARRAY_LEN(tests), setup, NULL);
}
