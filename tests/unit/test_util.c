// SPDX-License-Identifier: MIT
#include "api/util.h"

#include <errno.h>

#include "tests/unit/check_util.h"

START_TEST(an_empty_buffer_holds_nothing)
{
    struct buf b = buf_make(10);
    ck_assert_ptr_null(b.p);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_int_eq(buf_error(&b), 0);
    buf_release(&b);
}
END_TEST

START_TEST(appends_follow_each_other_and_end_in_a_nul)
{
    struct buf b = buf_make(100);
    buf_puts(&b, "one ");
    buf_append(&b, "t\0o", 3);
    buf_printf(&b, " %s-%d", "three", 4);
    ck_assert_int_eq(buf_error(&b), 0);
    ck_assert_uint_eq(b.len, 15);
    ck_assert_mem_eq(b.p, "one t\0o three-4", 16);
    buf_release(&b);
}
END_TEST

START_TEST(a_buffer_may_be_filled_to_its_last_byte)
{
    struct buf b = buf_make(4);
    buf_puts(&b, "ab");
    buf_printf(&b, "%d", 34);
    ck_assert_int_eq(buf_error(&b), 0);
    ck_assert_str_eq(b.p, "ab34");
    buf_release(&b);
}
END_TEST

START_TEST(one_byte_too_many_marks_the_buffer)
{
    struct buf b = buf_make(4);
    buf_puts(&b, "abc");
    buf_puts(&b, "de");
    ck_assert_int_eq(buf_error(&b), -EMSGSIZE);
    ck_assert_str_eq(b.p, "abc");
    ck_assert_uint_eq(b.len, 3);
    buf_release(&b);
}
END_TEST

START_TEST(appends_after_a_failed_one_are_ignored)
{
    struct buf b = buf_make(4);
    buf_printf(&b, "%s", "abcde");
    buf_puts(&b, "x");
    buf_append(&b, "y", 1);
    buf_printf(&b, "%c", 'z');
    ck_assert_int_eq(buf_error(&b), -EMSGSIZE);
    ck_assert_uint_eq(b.len, 0);
    buf_release(&b);
}
END_TEST

START_TEST(a_length_near_the_end_of_the_address_space_is_too_large)
{
    struct buf b = buf_make(100);
    buf_puts(&b, "abc");
    buf_append(&b, "x", SIZE_MAX - 1);
    ck_assert_int_eq(buf_error(&b), -EMSGSIZE);
    ck_assert_str_eq(b.p, "abc");
    buf_release(&b);
}
END_TEST

START_TEST(a_buffer_grows_through_many_sizes)
{
    struct buf b = buf_make(1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "%d", i % 10);
    ck_assert_int_eq(buf_error(&b), 0);
    ck_assert_uint_eq(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        expect(b.p[i] == '0' + i % 10, "byte %d", i);
    buf_release(&b);
}
END_TEST

START_TEST(a_released_buffer_can_be_used_again)
{
    struct buf b = buf_make(3);
    buf_puts(&b, "abcd");
    buf_release(&b);
    ck_assert_ptr_null(b.p);
    ck_assert_int_eq(buf_error(&b), 0);
    buf_puts(&b, "abc");
    buf_puts(&b, "d");
    ck_assert_str_eq(b.p, "abc");
    ck_assert_int_eq(buf_error(&b), -EMSGSIZE);
    buf_release(&b);
}
END_TEST

static const struct {
    const char *src;
    size_t n, cap;
    const char *want;
    bool whole;
} copies[] = {
    {"abc", 3, 8, "abc", true},     {"abc", 3, 4, "abc", true}, {"abc", 3, 3, "ab", false},
    {"abc", 3, 1, "", false},       {"abc", 0, 1, "", true},    {"abcdef", 2, 8, "ab", true},
    {"abcdef", 6, 4, "abc", false},
};

START_TEST(a_copy_is_cut_to_its_room_and_says_so)
{
    char *dst = malloc(copies[_i].cap);
    char *src = exact_copy(copies[_i].src, copies[_i].n);
    ck_assert_int_eq(str_copy(dst, copies[_i].cap, src, copies[_i].n), copies[_i].whole);
    ck_assert_str_eq(dst, copies[_i].want);
    free(src);
    free(dst);
}
END_TEST

START_TEST(a_scoped_pointer_is_freed_and_may_be_null)
{
    CLEANUP_FREE char *p = malloc(10);
    CLEANUP_FREE char *none = NULL;
    ck_assert_ptr_nonnull(p); /* the leak checker is the judge */
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(an_empty_buffer_holds_nothing),
        ONCE(appends_follow_each_other_and_end_in_a_nul),
        ONCE(a_buffer_may_be_filled_to_its_last_byte),
        ONCE(one_byte_too_many_marks_the_buffer),
        ONCE(appends_after_a_failed_one_are_ignored),
        ONCE(a_length_near_the_end_of_the_address_space_is_too_large),
        ONCE(a_buffer_grows_through_many_sizes),
        ONCE(a_released_buffer_can_be_used_again),
        EACH(a_copy_is_cut_to_its_room_and_says_so, copies),
        ONCE(a_scoped_pointer_is_freed_and_may_be_null),
    };
    return RUN_SUITE("util", tests);
}
