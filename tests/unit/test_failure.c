// SPDX-License-Identifier: MIT
#include "api/failure.h"

#include <errno.h>

#include "tests/unit/check_util.h"

/* DESIGN.md section 5. */
static const struct {
    int http, err;
} statuses[] = {
    {200, 0},    {400, -EIO}, {401, -EACCES}, {403, -EACCES}, {404, -EIO}, {301, -EIO},
    {302, -EIO}, {307, -EIO}, {405, -EIO},    {422, -EIO},    {426, -EIO}, {429, -EBUSY},
    {500, -EIO}, {502, -EIO}, {503, -EIO},    {504, -EIO},    {599, -EIO}, {204, -EIO},
    {206, -EIO}, {100, -EIO}, {0, -EIO},
};

START_TEST(each_status_has_the_errno_of_the_table)
{
    ck_assert_int_eq(failure_errno_of_status(statuses[_i].http), statuses[_i].err);
}
END_TEST

START_TEST(a_failure_says_what_it_was_told)
{
    struct failure f;
    memset(&f, 0xff, sizeof(f));
    failure_set(&f, -EBUSY, 429, "page %d of %s", 3, "x");
    ck_assert_int_eq(f.err, -EBUSY);
    ck_assert_int_eq(f.http, 429);
    ck_assert_str_eq(f.api_id, "");
    ck_assert_str_eq(f.detail, "page 3 of x");
}
END_TEST

START_TEST(unprintable_bytes_never_reach_the_terminal)
{
    struct failure f;
    failure_set(&f, -EIO, 500, "%s",
                "a\x1b[2Jb\nc\x7f\x01"
                "d\xc3\xa9~ ");
    ck_assert_str_eq(f.detail, "a?[2Jb?c??d??~ ");
}
END_TEST

START_TEST(a_long_detail_is_cut)
{
    struct failure f;
    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    failure_set(&f, -EIO, 0, "%s", text);
    ck_assert_uint_eq(strlen(f.detail), sizeof(f.detail) - 1);
    ck_assert_mem_eq(f.detail, text, sizeof(f.detail) - 1);
}
END_TEST

static const struct {
    int err, http;
    const char *hint; /* a word that must be in the remedy */
} remedies[] = {
    {-EACCES, 401, "PLIVO_AUTH_TOKEN"},
    {-EACCES, 403, "trunking"},
    {-EBUSY, 429, "rate"},
    {-ETIMEDOUT, 0, "slow"},
    {-EHOSTUNREACH, 0, "network"},
    {-EBADMSG, 200, "api_url"},
    {-EIO, 500, "again"},
    {-ENOMEM, 0, ""},
};

START_TEST(each_failure_has_a_remedy)
{
    struct failure f;
    failure_set(&f, remedies[_i].err, remedies[_i].http, "x");
    const char *remedy = failure_remedy(&f);
    ck_assert_ptr_nonnull(remedy);
    ck_assert_msg(*remedy && strstr(remedy, remedies[_i].hint), "errno %d: '%s'", -remedies[_i].err,
                  remedy);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(each_status_has_the_errno_of_the_table, statuses),
        ONCE(a_failure_says_what_it_was_told),
        ONCE(unprintable_bytes_never_reach_the_terminal),
        ONCE(a_long_detail_is_cut),
        EACH(each_failure_has_a_remedy, remedies),
    };
    return RUN_SUITE("failure", tests);
}
