// SPDX-License-Identifier: MIT
#include "cache/clock.h"

#include <time.h>
#include <unistd.h>

#include "tests/unit/check_util.h"

START_TEST(the_local_clock_stands_in_until_the_first_answer)
{
    struct clock c;
    clock_init(&c);
    int64_t local = (int64_t)time(NULL), now = clock_now(&c);
    ck_assert_int_ge(now, local - 1);
    ck_assert_int_le(now, local + 2);
}
END_TEST

static const int64_t dates[] = {0, 1, 1779796800, 4102444800, -86400};

START_TEST(the_servers_clock_is_believed_and_goes_on)
{
    struct clock c;
    clock_init(&c);
    clock_learn(&c, dates[_i]);
    int64_t now = clock_now(&c);
    ck_assert_int_ge(now, dates[_i]);
    ck_assert_int_le(now, dates[_i] + 2);
    usleep(1100000);
    ck_assert_int_ge(clock_now(&c), dates[_i] + 1);
    ck_assert_int_le(clock_now(&c), dates[_i] + 10);
}
END_TEST

START_TEST(two_clocks_know_nothing_of_each_other)
{
    struct clock a, b;
    clock_init(&a);
    clock_init(&b);
    clock_learn(&a, 1000);
    clock_learn(&b, 2000000);
    ck_assert_int_le(clock_now(&a), 1010);
    ck_assert_int_ge(clock_now(&b), 2000000);
}
END_TEST

START_TEST(milliseconds_never_go_back)
{
    int64_t last = clock_ms();
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_ms();
        expect(now >= last, "back by %d ms", (int)(last - now));
        last = now;
    }
    usleep(20000);
    ck_assert_int_ge(clock_ms(), last + 19);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(the_local_clock_stands_in_until_the_first_answer),
        EACH(the_servers_clock_is_believed_and_goes_on, dates),
        ONCE(two_clocks_know_nothing_of_each_other),
        ONCE(milliseconds_never_go_back),
    };
    return RUN_SUITE("clock", tests);
}
