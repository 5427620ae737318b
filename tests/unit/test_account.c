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
    expect_refused(-EACCES, file);
}
END_TEST

START_TEST(an_empty_token_is_none)
{
    setenv("PLIVO_AUTH_ID", ID, 1);
    if (_i == 0) {
        setenv("PLIVO_AUTH_TOKEN", "", 1);
    } else if (_i == 1) {
        write_file("\n" TOKEN, 0600);
        options.auth_token_file = file;
    }
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

START_TEST(a_token_too_long_is_not_cut_in_silence)
{
    char longest[400];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    setenv("PLIVO_AUTH_ID", ID, 1);
    write_file(longest, 0600);
    options.auth_token_file = file;
    int rc = find();
    ck_assert(rc < 0 || strlen(account.token) == strlen(longest));
}
END_TEST

/* --- where requests go --- */

static const struct {
    const char *url, *result;
} good_urls[] = {
    {"https://api.plivo.com/v1", "https://api.plivo.com/v1"},
    {"https://api.plivo.com/v1/", "https://api.plivo.com/v1"},
    {"https://api.plivo.com/v1///", "https://api.plivo.com/v1"},
    {"https://10.0.0.1:8443/v1", "https://10.0.0.1:8443/v1"},
    {"http://localhost:8080/v1", "http://localhost:8080/v1"},
    {"http://localhost", "http://localhost"},
    {"http://localhost/", "http://localhost"},
    {"http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1"},
    {"http://127.0.0.1/v1", "http://127.0.0.1/v1"},
    {"http://[::1]:8080/v1", "http://[::1]:8080/v1"},
    {"http://[::1]", "http://[::1]"},
};

START_TEST(https_and_loopback_are_taken)
{
    char *url;
    int rc = account_api_url(good_urls[_i].url, &url, error, sizeof(error));
    ck_assert_msg(rc == 0, "%s: %s", good_urls[_i].url, error);
    ck_assert_str_eq(url, good_urls[_i].result);
    free(url);
}
END_TEST

START_TEST(no_url_means_the_dialects_own)
{
    char *url = error;
    ck_assert_int_eq(account_api_url(NULL, &url, error, sizeof(error)), 0);
    ck_assert_ptr_null(url);
}
END_TEST

static const char *const bad_urls[] = {
    "",
    "api.plivo.com/v1",
    "ftp://api.plivo.com/v1",
    "file:///etc/passwd",
    "http://api.plivo.com/v1",
    "http://127.0.0.1.evil.com/v1",
    "http://localhost.evil.com/v1",
    "http://localhostx/v1",
    "http://localhost@evil.com/v1",
    "http://127.0.0.1:80@evil.com/",
    "http://127.0.0.1:80@evil.com",
    "http://[::1]@evil.com/v1",
    "http://[::1].evil.com/v1",
    "http://[::1]x/v1",
    "http://[::1",
    "http://[::1]:80@evil.com/",
    "http://user:pass@localhost/v1",
    "http://0.0.0.0/v1",
    "http://127.1.evil/v1",
    "http://2130706433.evil/v1",
    "http://localhost\\@evil.com/v1",
    "http://localhost#@evil.com/v1",
    "http://localhost?@evil.com/v1",
    "http://evil.com#localhost",
    "http://evil.com/127.0.0.1",
    "http:///localhost",
    "http://",
    "http:// localhost/",
    "http://localhost\t/",
    "HTTP://evil.com/v1",
    "https://api.plivo.com/v1?x=1",
    "https://api.plivo.com/v1#x",
    "https://api.plivo.com/v 1",
    "https://api.plivo.com/v1\n",
    "https://api.plivo.com\r/v1",
    "https://api.plivo.com/v1\x1b[2J",
    "https://api.plivo.com/v1\x7f",
    "https://",
    "https:///v1",
};

START_TEST(where_a_token_could_be_heard_is_refused)
{
    char *url = NULL;
    int rc = account_api_url(bad_urls[_i], &url, error, sizeof(error));
    free(url);
    ck_assert_msg(rc == -EINVAL, "%s is taken", bad_urls[_i]);
    ck_assert_ptr_nonnull(strstr(error, "api_url"));
    ck_assert_ptr_null(strchr(error, '\n'));
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
        {the_token_is_wiped_even_when_another_is_used_or_something_is_wrong, 2},
        EACH(the_token_is_the_first_line_of_its_file, token_files),
        EACH(a_token_file_that_others_can_open_is_refused, open_modes),
        {a_token_file_of_the_owner_alone_is_read, 3},
        ONCE(a_token_file_that_is_missing_is_named),
        {an_empty_token_is_none, 3},
        ONCE(a_systemd_credential_is_taken_whatever_its_mode),
        ONCE(a_credentials_directory_without_ours_changes_nothing),
        ONCE(a_token_too_long_is_not_cut_in_silence),
        EACH(https_and_loopback_are_taken, good_urls),
        ONCE(no_url_means_the_dialects_own),
        EACH(where_a_token_could_be_heard_is_refused, bad_urls),
    };
    return run_suite_with("account", tests, ARRAY_LEN(tests), setup, teardown);
}
