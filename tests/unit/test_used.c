// SPDX-License-Identifier: MIT
#include "fs/used.h"

#include <errno.h>
#include <pthread.h>

#include "tests/unit/check_util.h"

static struct used *used;

static void setup(void)
{
    used = used_create();
    ck_assert_ptr_nonnull(used);
}

static void teardown(void)
{
    used_destroy(used);
}

struct names {
    char v[USED_MAX + 8][USED_NAME_MAX];
    int n, stop_at;
};

static int take(void *arg, const char *value)
{
    struct names *l = arg;
    snprintf(l->v[l->n++], USED_NAME_MAX, "%s", value);
    return l->n == l->stop_at ? -ENOSPC : 0;
}

static struct names list(int axis)
{
    struct names l = {.n = 0};
    ck_assert_int_eq(used_list(used, axis, take, &l), 0);
    return l;
}

START_TEST(at_first_nothing_was_used)
{
    for (int i = 0; i < AXES; i++)
        ck_assert_int_eq(list(i).n, 0);
    used_destroy(NULL);
}
END_TEST

START_TEST(each_value_is_listed_once_in_the_order_they_came)
{
    used_add(used, AXIS_BILL_DURATION, "gte-60");
    used_add(used, AXIS_BILL_DURATION, "180");
    used_add(used, AXIS_BILL_DURATION, "gte-60");
    used_add(used, AXIS_END_TIME, "gte-2026-05-26T13:32:06");
    struct names l = list(AXIS_BILL_DURATION);
    ck_assert_int_eq(l.n, 2);
    ck_assert_str_eq(l.v[0], "gte-60");
    ck_assert_str_eq(l.v[1], "180");
    l = list(AXIS_END_TIME);
    ck_assert_int_eq(l.n, 1);
    ck_assert_str_eq(l.v[0], "gte-2026-05-26T13:32:06");
    ck_assert_int_eq(list(AXIS_INITIATION_TIME).n, 0);
}
END_TEST

START_TEST(there_is_room_for_so_many_and_for_names_of_that_length)
{
    char name[64];
    for (int i = 0; i < USED_MAX + 5; i++) {
        snprintf(name, sizeof(name), "%d", i);
        used_add(used, AXIS_BILL_DURATION, name);
    }
    struct names l = list(AXIS_BILL_DURATION);
    ck_assert_int_eq(l.n, USED_MAX);
    ck_assert_str_eq(l.v[0], "0");
    memset(name, '1', sizeof(name));
    name[USED_NAME_MAX] = '\0';
    used_add(used, AXIS_END_TIME, name);
    ck_assert_int_eq(list(AXIS_END_TIME).n, 0);
    name[USED_NAME_MAX - 1] = '\0';
    used_add(used, AXIS_END_TIME, name);
    ck_assert_int_eq(list(AXIS_END_TIME).n, 1);
}
END_TEST

START_TEST(an_error_ends_the_listing)
{
    struct names l = {.stop_at = 2};
    used_add(used, AXIS_BILL_DURATION, "1");
    used_add(used, AXIS_BILL_DURATION, "2");
    used_add(used, AXIS_BILL_DURATION, "3");
    ck_assert_int_eq(used_list(used, AXIS_BILL_DURATION, take, &l), -ENOSPC);
    ck_assert_int_eq(l.n, 2);
}
END_TEST

static void *add_many(void *arg)
{
    char name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "%d", i % 50);
        used_add(used, *(int *)arg, name);
    }
    return NULL;
}

START_TEST(threads_may_add_at_once)
{
    static int same[4] = {AXIS_BILL_DURATION, AXIS_BILL_DURATION, AXIS_END_TIME,
                          AXIS_BILL_DURATION};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, &same[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(list(AXIS_BILL_DURATION).n, 50);
    ck_assert_int_eq(list(AXIS_END_TIME).n, 50);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(at_first_nothing_was_used),
        ONCE(each_value_is_listed_once_in_the_order_they_came),
        ONCE(there_is_room_for_so_many_and_for_names_of_that_length),
        ONCE(an_error_ends_the_listing),
        ONCE(threads_may_add_at_once),
    };
    return run_suite_with("used", tests, ARRAY_LEN(tests), setup, teardown);
}
