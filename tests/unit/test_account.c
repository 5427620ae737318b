// SPDX-License-Identifier: MIT
#include "fs/account.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check_util.h"

#define ID "MAXXXXXXXXXXXXXXXXXX"
#define TOKEN "c2VjcmV0LXRva2VuLW9mLTQwLWNoYXJhY3RlcnMtLS0"

static char dir[64], file[128], error[256];
static struct account account;
static struct options options;

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/cdrfs-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/cdrfs.token", dir);
    unsetenv("PLIVO_AUTH_ID");
    unsetenv("PLIVO_AUTH_TOKEN");
    unsetenv("CREDENTIALS_DIRECTORY");
    error[0] = '\0';
    account = (struct account){0};
    options = (struct options){0};
}

static void teardown(void)
{
    account_release(&account);
    unlink(file);
    rmdir(dir);
}

static void write_file(const char *text, mode_t mode)
{
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    ck_assert_int_eq(chmod(file, mode), 0);
}

static int find(void)
{
    return account_find(&options, &account, error, sizeof(error));
}

static void expect_refused(int err, const char *word)
{
    int rc = find();
    ck_assert_msg(rc == err, "%d: %s", rc, error);
    ck_assert_msg(strstr(error, word), "\"%s\" does not name %s", error, word);
    ck_assert_msg(!strchr(error, '\n'), "more than one line: %s", error);
    ck_assert_msg(!strstr(error, TOKEN), "the token is shown");
    ck_assert_ptr_null(account.token);
    ck_assert_ptr_null(account.id);
}

/* --- the id --- */

START_TEST(the_id_comes_from_the_command_line_before_the_environment)
{
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    setenv("PLIVO_AUTH_ID", "MAYYYYYYYYYYYYYYYYYY", 1);
    options.auth_id = (char *)ID;
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.id, ID);
}
END_TEST

START_TEST(the_id_comes_from_the_environment)
{
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    setenv("PLIVO_AUTH_ID", ID, 1);
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.id, ID);
    ck_assert_str_eq(account.token, TOKEN);
}
END_TEST

START_TEST(without_an_id_it_says_where_to_put_one)
{
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    expect_refused(-EINVAL, "PLIVO_AUTH_ID");
}
END_TEST

static const char *const bad_ids[] = {"",
                                      "MA",
                                      "MAXXXXXXXXXXXXXXXXX",
                                      "MAXXXXXXXXXXXXXXXXXXX",
                                      "MAXXXXXXXXXXXXXXXXX/",
                                      "../XXXXXXXXXXXXXXXXX",
                                      "MAXXXXXXXXXXXXXXXX X",
                                      "MAXXXXXXXXXXXXXXXXX?",
                                      "MAXXXXXXXXXXXXXXXXX\n",
                                      "MAXXXXXXXXXXXXXXXXX\xc3"};

START_TEST(an_id_that_could_be_something_else_in_a_url_is_refused)
{
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    options.auth_id = (char *)bad_ids[_i];
    expect_refused(-EINVAL, "account");
    options.auth_id = NULL;
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    setenv("PLIVO_AUTH_ID", bad_ids[_i], 1);
    expect_refused(-EINVAL, "account");
}
END_TEST

/* --- the token --- */

START_TEST(the_token_is_wiped_from_the_environment_in_place)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    char *place = getenv("PLIVO_AUTH_TOKEN");
    ck_assert_int_eq(find(), 0);
    ck_assert_ptr_null(getenv("PLIVO_AUTH_TOKEN"));
    for (size_t i = 0; i < strlen(TOKEN); i++)
        ck_assert_int_eq(place[i], 0);
}
END_TEST

START_TEST(every_copy_in_the_environment_is_wiped)
{
    char first[] = "PLIVO_AUTH_TOKEN=" TOKEN, id[] = "PLIVO_AUTH_ID=" ID;
    char second[] = "PLIVO_AUTH_TOKEN=another", other[] = "PLIVO_AUTH_TOKENS=kept";
    char *mine[] = {first, id, second, other, NULL}, **before = environ;
    environ = mine;
    ck_assert_int_eq(find(), 0);
    ck_assert_ptr_null(getenv("PLIVO_AUTH_TOKEN"));
    environ = before;
    ck_assert_str_eq(account.token, TOKEN);
    ck_assert_str_eq(first, "PLIVO_AUTH_TOKEN=");
    ck_assert_str_eq(second, "PLIVO_AUTH_TOKEN=");
    ck_assert_str_eq(other, "PLIVO_AUTH_TOKENS=kept");
    ck_assert(!memmem(first, sizeof(first), TOKEN + 1, 8));
}
END_TEST

START_TEST(the_token_is_wiped_even_when_another_is_used_or_something_is_wrong)
{
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    if (_i) {
        setenv("PLIVO_AUTH_ID", ID, 1);
        write_file("other\n", 0600);
        options.auth_token_file = file;
    }
    ck_assert_int_eq(find(), _i ? 0 : -EINVAL);
    ck_assert_ptr_null(getenv("PLIVO_AUTH_TOKEN"));
    if (_i)
        ck_assert_str_eq(account.token, "other");
}
END_TEST

static const char *const token_files[] = {TOKEN, TOKEN "\n", TOKEN "\r\n", TOKEN "\nmore\n"};

START_TEST(the_token_is_the_first_line_of_its_file)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    write_file(token_files[_i], 0600);
    options.auth_token_file = file;
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.token, TOKEN);
}
END_TEST

static const mode_t open_modes[] = {0644, 0640, 0604, 0660, 0620, 0602, 0610, 0666, 0777};

START_TEST(a_token_file_that_others_can_open_is_refused)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    write_file(TOKEN, open_modes[_i]);
    options.auth_token_file = file;
    expect_refused(-EACCES, file);
}
END_TEST

START_TEST(a_token_file_of_the_owner_alone_is_read)
{
    static const mode_t modes[] = {0600, 0400, 0700};
    setenv("PLIVO_AUTH_ID", ID, 1);
    write_file(TOKEN, modes[_i]);
    options.auth_token_file = file;
    ck_assert_int_eq(find(), 0);
}
END_TEST

START_TEST(a_token_file_that_is_missing_is_named)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    options.auth_token_file = file;
    expect_refused(-ENOENT, file);
}
END_TEST

START_TEST(an_empty_token_is_none)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    if (_i)
        setenv("PLIVO_AUTH_TOKEN", "", 1);
    expect_refused(-EINVAL, "PLIVO_AUTH_TOKEN");
}
END_TEST

START_TEST(a_systemd_credential_is_taken_whatever_its_mode)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", "less", 1);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    write_file(TOKEN "\n", 0440);
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.token, TOKEN);
    account_release(&account);
    ck_assert_ptr_null(account.token);
}
END_TEST

START_TEST(a_credentials_directory_without_ours_changes_nothing)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.token, TOKEN);
}
END_TEST

static const int lengths[] = {1, 39, 200, 255, 256, 400, 5000};

START_TEST(a_long_token_is_whole_or_refused)
{
    char *token = calloc(1, (size_t)lengths[_i] + 1);
    ck_assert_ptr_nonnull(token);
    memset(token, 'x', (size_t)lengths[_i]);
    setenv("PLIVO_AUTH_ID", ID, 1);
    for (int from_file = 0; from_file < 2; from_file++) {
        if (from_file) {
            write_file(token, 0600);
            options.auth_token_file = file;
        } else {
            setenv("PLIVO_AUTH_TOKEN", token, 1);
        }
        if (lengths[_i] < 256) {
            ck_assert_int_eq(find(), 0);
            ck_assert_str_eq(account.token, token);
            account_release(&account);
        } else {
            expect_refused(-EINVAL, "too long");
            ck_assert_ptr_nonnull(strstr(error, from_file ? file : "PLIVO_AUTH_TOKEN"));
            ck_assert_ptr_null(strstr(error, "xxxx"));
        }
    }
    free(token);
}
END_TEST

/* Bytes of a file; the token of the tests is somewhere in them, but not its first line. */
static const struct {
    const char *bytes;
    size_t n;
    const char *word;
} wrong_files[] = {
    {"", 0, "empty"},
    {"\n" TOKEN, sizeof("\n" TOKEN) - 1, "empty"},
    {"\r\n" TOKEN, sizeof("\r\n" TOKEN) - 1, "empty"},
    {"\0" TOKEN, sizeof("\0" TOKEN) - 1, "no text"},
    {"abc\0" TOKEN, sizeof("abc\0" TOKEN) - 1, "no text"},
    {"\xff\xfe"
     "t\0o\0",
     6, "no text"}, /* UTF-16 */
};

START_TEST(what_is_no_file_of_one_line_is_refused)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    write_file("", 0600);
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(wrong_files[_i].bytes, 1, wrong_files[_i].n, f), wrong_files[_i].n);
    fclose(f);
    options.auth_token_file = file;
    expect_refused(-EINVAL, file);
    ck_assert_ptr_nonnull(strstr(error, wrong_files[_i].word));
    ck_assert_ptr_null(getenv("PLIVO_AUTH_TOKEN"));
}
END_TEST

/* Nobody writes into the pipe, and nobody types. */
static const char *const wrong_kinds[] = {"pipe", "directory", "/dev/zero", "/dev/tty"};

START_TEST(what_is_no_file_is_refused_at_once)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    options.auth_token_file = file;
    if (_i == 0)
        ck_assert_int_eq(mkfifo(file, 0600), 0);
    else if (_i == 1)
        ck_assert_int_eq(mkdir(file, 0700), 0);
    else
        options.auth_token_file = (char *)wrong_kinds[_i];
    ck_assert_int_lt(find(), 0);
    ck_assert_ptr_nonnull(strstr(error, options.auth_token_file));
    ck_assert_ptr_null(account.token);
    rmdir(file);
}
END_TEST

START_TEST(a_link_is_judged_by_the_file_it_leads_to)
{
    char target[128];
    snprintf(target, sizeof(target), "%s/target", dir);
    setenv("PLIVO_AUTH_ID", ID, 1);
    write_file(TOKEN, _i ? 0600 : 0640);
    ck_assert_int_eq(rename(file, target), 0);
    ck_assert_int_eq(symlink("target", file), 0);
    options.auth_token_file = file;
    if (_i)
        ck_assert_int_eq(find(), 0);
    else
        expect_refused(-EACCES, file);
    unlink(target);
}
END_TEST

START_TEST(a_token_given_as_a_file_is_not_repeated)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    options.auth_token_file = (char *)TOKEN;
    expect_refused(-ENOENT, "auth_token_file");
}
END_TEST

START_TEST(a_credential_that_cannot_be_used_is_no_reason_to_look_elsewhere)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    write_file("", 0400);
    expect_refused(-EINVAL, file);
}
END_TEST

static const char *const no_directories[] = {"", "relative", "/nowhere/at/all"};

START_TEST(a_credentials_directory_that_is_no_path_is_none)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", TOKEN, 1);
    setenv("CREDENTIALS_DIRECTORY", no_directories[_i], 1);
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.token, TOKEN);
    ck_assert_str_eq(error, "");
}
END_TEST

static const char *const odd_tokens[] = {"a b  c ",      " x",        "\"'`$(x)\\",
                                         "%s%n%00%41",   "a:b:c",     "t\xc3\xb6k\xc3\xa9n",
                                         "\xff\xfe\x80", "tab\there", "="};

START_TEST(any_text_is_a_token)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    setenv("PLIVO_AUTH_TOKEN", odd_tokens[_i], 1);
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.token, odd_tokens[_i]);
    account_release(&account);
    write_file(odd_tokens[_i], 0600);
    options.auth_token_file = file;
    ck_assert_int_eq(find(), 0);
    ck_assert_str_eq(account.token, odd_tokens[_i]);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(the_id_comes_from_the_command_line_before_the_environment),
        ONCE(the_id_comes_from_the_environment),
        ONCE(without_an_id_it_says_where_to_put_one),
        EACH(an_id_that_could_be_something_else_in_a_url_is_refused, bad_ids),
        ONCE(the_token_is_wiped_from_the_environment_in_place),
        ONCE(every_copy_in_the_environment_is_wiped),
        {the_token_is_wiped_even_when_another_is_used_or_something_is_wrong, 2},
        EACH(the_token_is_the_first_line_of_its_file, token_files),
        EACH(a_token_file_that_others_can_open_is_refused, open_modes),
        {a_token_file_of_the_owner_alone_is_read, 3},
        ONCE(a_token_file_that_is_missing_is_named),
        {an_empty_token_is_none, 2},
        ONCE(a_systemd_credential_is_taken_whatever_its_mode),
        ONCE(a_credentials_directory_without_ours_changes_nothing),
        EACH(a_long_token_is_whole_or_refused, lengths),
        EACH(what_is_no_file_of_one_line_is_refused, wrong_files),
        EACH(what_is_no_file_is_refused_at_once, wrong_kinds),
        {a_link_is_judged_by_the_file_it_leads_to, 2},
        ONCE(a_token_given_as_a_file_is_not_repeated),
        ONCE(a_credential_that_cannot_be_used_is_no_reason_to_look_elsewhere),
        EACH(a_credentials_directory_that_is_no_path_is_none, no_directories),
        EACH(any_text_is_a_token, odd_tokens),
    };
    return run_suite_with("account", tests, ARRAY_LEN(tests), setup, teardown);
}
