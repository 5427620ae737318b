// SPDX-License-Identifier: MIT
#include "fs/options.h"

#include <errno.h>
#include <unistd.h>

#include "tests/unit/check_util.h"

#define ARGS_MAX 16

static struct options o;
static char error[512];

static void setup(void)
{
    unsetenv("PLIVO_API_URL");
    memset(&o, 0, sizeof(o));
    error[0] = '\0';
}

static void teardown(void)
{
    options_release(&o);
}

/* Parses a command line, its words separated by blanks. */
static int parse(const char *line)
{
    static char words[4096];
    char *argv[ARGS_MAX], *rest = NULL;
    int argc = 0;
    snprintf(words, sizeof(words), "%s", line);
    for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    argv[argc] = NULL;
    options_release(&o);
    return options_parse(argc, argv, &o, error, sizeof(error));
}

static void parse_well(const char *line)
{
    int rc = parse(line);
    ck_assert_msg(rc == 0, "%s: %s", line, error);
}

/* As if -o had this list. */
static int parse_list(const char *list)
{
    char *argv[] = {(char *)"cdrfs", (char *)"/mnt", (char *)"-o", (char *)list, NULL};
    options_release(&o);
    return options_parse(4, argv, &o, error, sizeof(error));
}

static void list_well(const char *list)
{
    int rc = parse_list(list);
    ck_assert_msg(rc == 0, "%s: %s", list, error);
}

static void expect_refused(const char *list, const char *name)
{
    ck_assert_msg(parse_list(list) == -EINVAL, "%s is taken", list);
    ck_assert_msg(strstr(error, name), "\"%s\" does not name %s", error, name);
    ck_assert_msg(!strchr(error, '\n'), "more than one line: %s", error);
}

/* --- defaults --- */

START_TEST(without_options_everything_has_its_default)
{
    parse_well("cdrfs /mnt/calls");
    ck_assert_str_eq(o.mountpoint, "/mnt/calls");
    ck_assert_ptr_null(o.auth_id);
    ck_assert_ptr_null(o.kernel);
    ck_assert_ptr_null(o.api_url);
    ck_assert_ptr_null(o.cache_dir);
    ck_assert_ptr_null(o.auth_token_file);
    ck_assert(!o.foreground && !o.debug && !o.single && !o.help && !o.version && !o.ro &&
              !o.inode32);
    ck_assert_str_eq(o.dialect, "latest");
    ck_assert_str_eq(o.console_tz, "UTC");
    ck_assert_int_eq(o.ttl, 60);
    ck_assert_int_eq(o.settle, 48 * 3600);
    ck_assert_int_eq(o.stale_if_error, 86400);
    ck_assert_int_eq(o.deadline, 30);
    ck_assert(o.rate >= 30 && o.rate <= 30);
    ck_assert_int_eq(o.connections, 8);
    ck_assert_int_eq(o.uid, -1);
    ck_assert_int_eq(o.gid, -1);
    ck_assert_int_eq(o.umask, 077);
}
END_TEST

/* --- the table: what each option takes --- */

/* Whole members, by their place in struct options. */
#define AT(member) offsetof(struct options, member)

static const struct {
    const char *list;
    size_t at;
    int64_t value;
} numbers[] = {
    {"ttl=0", AT(ttl), 0},
    {"ttl=60", AT(ttl), 60},
    {"ttl=90s", AT(ttl), 90},
    {"ttl=5m", AT(ttl), 300},
    {"ttl=48h", AT(ttl), 48 * 3600},
    {"ttl=2d", AT(ttl), 2 * 86400},
    {"ttl=36500d", AT(ttl), 36500 * (int64_t)86400},
    {"settle=0", AT(settle), 0},
    {"settle=72h", AT(settle), 72 * 3600},
    {"stale_if_error=0", AT(stale_if_error), 0},
    {"stale_if_error=7d", AT(stale_if_error), 7 * 86400},
    {"deadline=1", AT(deadline), 1},
    {"deadline=2m", AT(deadline), 120},
    {"connections=1", AT(connections), 1},
    {"connections=256", AT(connections), 256},
    {"uid=0", AT(uid), 0},
    {"uid=4294967294", AT(uid), 4294967294},
    {"gid=1000", AT(gid), 1000},
    {"umask=0", AT(umask), 0},
    {"umask=022", AT(umask), 022},
    {"umask=27", AT(umask), 027},
    {"umask=0777", AT(umask), 0777},
    {"ttl=1,ttl=2", AT(ttl), 2},
};

START_TEST(a_number_is_taken_with_its_unit)
{
    list_well(numbers[_i].list);
    ck_assert_int_eq(*(int64_t *)((char *)&o + numbers[_i].at), numbers[_i].value);
}
END_TEST

static const struct {
    const char *list;
    double value;
} rates[] = {{"rate=30", 30}, {"rate=0.5", 0.5}, {"rate=0.01", 0.01}, {"rate=1000", 1000}};

START_TEST(a_rate_is_any_positive_number)
{
    list_well(rates[_i].list);
    ck_assert(o.rate >= rates[_i].value && o.rate <= rates[_i].value);
}
END_TEST

static const struct {
    const char *list;
    size_t at;
    const char *value;
} texts[] = {
    {"dialect=legacy", AT(dialect), "legacy"},
    {"dialect=latest", AT(dialect), "latest"},
    {"log_level=debug", AT(log_level), "debug"},
    {"log_level=error", AT(log_level), "error"},
    {"api_url=https://x.example/v1", AT(api_url), "https://x.example/v1"},
    {"api_url=https://x.example/v1///", AT(api_url), "https://x.example/v1"},
    {"api_url=http://localhost:80", AT(api_url), "http://localhost:80"},
    {"api_url=https://x.example/a=b", AT(api_url), "https://x.example/a=b"},
    {"console_tz=Asia/Kolkata", AT(console_tz), "Asia/Kolkata"},
    {"auth_token_file=/etc/cdrfs/token", AT(auth_token_file), "/etc/cdrfs/token"},
    {"cache_dir=/var/cache/cdrfs", AT(cache_dir), "/var/cache/cdrfs"},
    {"cache_dir=/a\\,b", AT(cache_dir), "/a,b"},
    {"cache_dir=/a\\\\b", AT(cache_dir), "/a\\b"},
    {"auth_token_file=/x\\,ttl=5,ttl=7", AT(auth_token_file), "/x,ttl=5"},
};

START_TEST(a_text_is_taken_as_it_is)
{
    list_well(texts[_i].list);
    ck_assert_str_eq(*(char **)((char *)&o + texts[_i].at), texts[_i].value);
}
END_TEST

START_TEST(a_flag_is_set_by_its_name)
{
    list_well("ro");
    ck_assert(o.ro);
}
END_TEST

/* --- what they refuse --- */

static const struct {
    const char *list, *name;
} refused[] = {
    {"nonsense", "nonsense"},
    {"nonsense=1", "nonsense"},
    {"TTL=1", "TTL"},
    {"ttl", "ttl"},
    {"ttl=", "ttl"},
    {"ttl=-1", "ttl"},
    {"ttl=+1", "ttl"},
    {"ttl= 1", "ttl"},
    {"ttl=1w", "ttl"},
    {"ttl=1hh", "ttl"},
    {"ttl=h", "ttl"},
    {"ttl=1.5h", "ttl"},
    {"ttl=.", "ttl"},
    {"ttl=0x10", "ttl"},
    {"ttl=1e3", "ttl"},
    {"ttl=99999999999999999999", "ttl"},
    {"ttl=9223372036854775807", "ttl"},
    {"ttl=9223372036854775807d", "ttl"},
    {"settle=x", "settle"},
    {"stale_if_error=forever", "stale_if_error"},
    {"deadline=0", "deadline"},
    {"rate=0", "rate"},
    {"rate=-1", "rate"},
    {"rate=nan", "rate"},
    {"rate=inf", "rate"},
    {"rate=.", "rate"},
    {"rate=1x", "rate"},
    {"rate=1e999", "rate"},
    {"rate=", "rate"},
    {"rate=0.0", "rate"},
    {"connections=0", "connections"},
    {"connections=257", "connections"},
    {"connections=8h", "connections"},
    {"connections=1.5", "connections"},
    {"uid=root", "uid"},
    {"uid=-1", "uid"},
    {"uid=4294967295", "uid"},
    {"gid=4294967296", "gid"},
    {"umask=8", "umask"},
    {"umask=1000", "umask"},
    {"umask=-1", "umask"},
    {"umask=rwx", "umask"},
    {"dialect=", "dialect"},
    {"dialect=newest", "dialect"},
    {"dialect=latest|legacy", "dialect"},
    {"dialect=late", "dialect"},
    {"dialect", "dialect"},
    {"log_level=loud", "log_level"},
    {"api_url=", "api_url"},
    {"cache_dir", "cache_dir"},
    {"ro=1", "ro"},
    {"ro=", "ro"},
    {"auth_token=secret", "auth_token"},
    {"ttl=5,nonsense,settle=1h", "nonsense"},
};

START_TEST(what_is_no_option_or_no_value_is_refused_by_name)
{
    expect_refused(refused[_i].list, refused[_i].name);
}
END_TEST

/* --- the same of every option of the table --- */

/* name=value as if -o had it; a comma and a backslash in it are escaped. */
static const char *list_of(const char *name, const char *value)
{
    static char list[4096];
    size_t n = (size_t)snprintf(list, sizeof(list), "%s=", name);
    for (; *value; value++) {
        if (strchr(",\\", *value))
            list[n++] = '\\';
        list[n++] = *value;
    }
    list[n] = '\0';
    return list;
}

/* Refused in a line that says what is refused and what it takes. */
static void expect_told(const struct option_def *d, const char *value)
{
    expect_refused(value ? list_of(d->name, value) : d->name, d->name);
    const char *what = d->type == OPTION_FLAG ? "no value" : d->values;
    ck_assert_msg(strstr(error, what), "\"%s\" does not say %s", error, what);
    ck_assert_msg(strncmp(error, "option ", 7) == 0, "%s", error);
}

static bool is_counted(const struct option_def *d)
{
    return d->type == OPTION_SECONDS || d->type == OPTION_WHOLE || d->type == OPTION_NUMBER ||
           d->type == OPTION_OCTAL;
}

START_TEST(no_option_takes_nothing)
{
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        if (d->type != OPTION_FLAG)
            expect_told(d, NULL);
        expect_told(d, "");
    }
}
END_TEST

static const char *const no_numbers[] = {" ",
                                         " 1",
                                         "1 ",
                                         "\t1",
                                         "\n1",
                                         "1\n",
                                         "-1",
                                         "+1",
                                         "--1",
                                         "1,5",
                                         "1.2.3",
                                         ".",
                                         "..",
                                         "x",
                                         "1x",
                                         "x1",
                                         "0x1",
                                         "0X1F",
                                         "1e1",
                                         "1E1",
                                         "1_000",
                                         "1'000",
                                         "nan",
                                         "NAN",
                                         "inf",
                                         "-inf",
                                         "INFINITY",
                                         "1w",
                                         "1sm",
                                         "1ss",
                                         "s",
                                         "1 s",
                                         "1S",
                                         "1\\",
                                         "\xc2\xb9",
                                         "\xff",
                                         "1\x01",
                                         "one",
                                         "%d",
                                         "$((1))",
                                         "1e999999",
                                         "0b1",
                                         "99999999999999999999999999999999999999999999999999",
                                         "18446744073709551616",
                                         "18446744073709551615",
                                         "9223372036854775808",
                                         "4294967296999"};

START_TEST(what_is_no_number_is_refused_by_every_option_that_counts)
{
    for (size_t i = 0; i < option_defs_count; i++)
        if (is_counted(&option_defs[i]))
            expect_told(&option_defs[i], no_numbers[_i]);
}
END_TEST

/* A number as that option writes it. */
static void put_count(const struct option_def *d, double count, char out[32])
{
    if (d->type == OPTION_OCTAL)
        snprintf(out, 32, "%o", (unsigned)count);
    else
        snprintf(out, 32, "%.0f", count);
}

START_TEST(every_bound_is_kept_and_told)
{
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        char least[32], most[32], above[32], below[32];
        if (!is_counted(d))
            continue;
        put_count(d, d->least, least);
        put_count(d, d->most, most);
        put_count(d, d->most + 1, above);
        snprintf(below, sizeof(below), "%.0f", d->least - 1);
        list_well(list_of(d->name, most));
        list_well(list_of(d->name, d->type == OPTION_NUMBER ? "0.001" : least));
        expect_told(d, above);
        expect_told(d, d->type == OPTION_NUMBER ? least : below);
        ck_assert_msg(strstr(error, least) && strstr(error, most), "%s", error);
    }
}
END_TEST

START_TEST(units_are_for_times_alone)
{
    static const char *const units[] = {"90s", "90m", "90h", "90d"};
    for (size_t i = 0; i < option_defs_count; i++)
        for (size_t u = 0; u < ARRAY_LEN(units); u++)
            if (option_defs[i].type == OPTION_SECONDS)
                list_well(list_of(option_defs[i].name, units[u]));
            else if (is_counted(&option_defs[i]))
                expect_told(&option_defs[i], units[u]);
}
END_TEST

START_TEST(what_is_no_choice_is_refused_with_the_choices)
{
    static const char *const wrong[] = {"x",      "|",       "",    " ",
                                        "LATEST", "latest ", "a|b", "info|debug"};
    for (size_t i = 0; i < option_defs_count; i++)
        for (size_t w = 0; w < ARRAY_LEN(wrong); w++)
            if (option_defs[i].type == OPTION_CHOICE)
                expect_told(&option_defs[i], wrong[w]);
}
END_TEST

START_TEST(of_an_option_given_twice_the_last_holds)
{
    list_well("ttl=1,rate=2,dialect=legacy,cache_dir=/a,api_url=https://a.example,umask=0,uid=1");
    list_well("ttl=1,rate=2,dialect=legacy,cache_dir=/a,api_url=https://a.example,umask=0,uid=1,"
              "ttl=3,rate=4,dialect=latest,cache_dir=/b,api_url=https://b.example,umask=7,uid=2");
    ck_assert_int_eq(o.ttl, 3);
    ck_assert(o.rate >= 4 && o.rate <= 4);
    ck_assert_str_eq(o.dialect, "latest");
    ck_assert_str_eq(o.cache_dir, "/b");
    ck_assert_str_eq(o.api_url, "https://b.example");
    ck_assert_int_eq(o.umask, 7);
    ck_assert_int_eq(o.uid, 2);
    expect_refused("ttl=1,ttl=x", "ttl");
    expect_refused("ttl=x,ttl=1", "ttl");
}
END_TEST

/* --- secrets --- */

static const char *const secret_options[] = {
    "auth_token=hush",       "token=hush",      "password=hush",  "passwd=hush",   "Token=hush",
    "PLIVO_AUTH_TOKEN=hush", "auth-token=hush", "authtoken=hush", "secret=hush",   "pass=hush",
    "auth_token=",           "auth_token",      "token=a=hush",   "ro,token=hush",
};

START_TEST(a_token_given_as_an_option_is_not_repeated)
{
    expect_refused(secret_options[_i], "auth_token_file=");
    ck_assert_ptr_null(strstr(error, "hush"));
    ck_assert_ptr_nonnull(strstr(error, "PLIVO_AUTH_TOKEN"));
}
END_TEST

static const char *const secret_words[] = {"--auth-token=hush", "--token=hush", "-phush", "-t=hush",
                                           "--=hush"};

START_TEST(what_hangs_on_an_unknown_flag_is_not_repeated)
{
    char line[128];
    snprintf(line, sizeof(line), "cdrfs %s /mnt", secret_words[_i]);
    ck_assert_int_eq(parse(line), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "unknown option -"));
    ck_assert_ptr_null(strstr(error, "hush"));
}
END_TEST

static const char *const secret_urls[] = {
    "https://me:hush@api.plivo.com/v1", "https://hush@api.plivo.com/v1", "http://me:hush@localhost",
    "https://api.plivo.com/v1?token=hush", "hush"};

START_TEST(what_a_url_may_hold_is_not_repeated)
{
    expect_refused(list_of("api_url", secret_urls[_i]), "option api_url: takes an https: URL");
    ck_assert_ptr_null(strstr(error, "hush"));
    setenv("PLIVO_API_URL", secret_urls[_i], 1);
    ck_assert_int_eq(parse("cdrfs /mnt"), -EINVAL);
    ck_assert_ptr_null(strstr(error, "hush"));
    ck_assert_ptr_nonnull(strstr(error, "PLIVO_API_URL: takes an https: URL"));
    unsetenv("PLIVO_API_URL");
}
END_TEST

START_TEST(the_bounds_are_named)
{
    expect_refused("connections=257", "256");
    expect_refused("umask=1000", "777");
}
END_TEST

START_TEST(a_long_value_does_not_break_the_message)
{
    char list[2000];
    memset(list, 'x', sizeof(list) - 1);
    list[sizeof(list) - 1] = '\0';
    memcpy(list, "ttl=", 4);
    expect_refused(list, "ttl");
    ck_assert_uint_lt(strlen(error), sizeof(error));
    ck_assert_int_eq(parse_list(list + 4), -EINVAL);
}
END_TEST

START_TEST(a_message_is_one_line_that_says_what_is_taken_whatever_is_given)
{
    static char long_value[3000];
    memset(long_value, 'y', sizeof(long_value) - 1);
    const char *const values[] = {"a\nb", "a\rb", "\033[2J", "\xff\n", long_value};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        expect_refused(list_of("connections", values[i]), "takes NUMBER, 1 to 256");
        for (const char *p = error; *p; p++)
            ck_assert_msg(*p >= ' ' && *p <= '~', "%s", error);
    }
    expect_refused("a\nb", "option a?b is unknown");
}
END_TEST

START_TEST(a_small_buffer_for_the_message_is_enough)
{
    char *argv[] = {(char *)"cdrfs", (char *)"/mnt", (char *)"-o", (char *)"umask=1000", NULL};
    for (size_t cap = 1; cap < 60; cap++) {
        char *small = malloc(cap);
        ck_assert_ptr_nonnull(small);
        options_release(&o);
        ck_assert_int_eq(options_parse(4, argv, &o, small, cap), -EINVAL);
        ck_assert_uint_lt(strlen(small), cap);
        free(small);
    }
}
END_TEST

/* --- lists --- */

START_TEST(a_line_of_fstab_is_taken)
{
    parse_well("cdrfs MAXXXXXXXXXXXXXXXXXX /mnt/calls -o "
               "rw,_netdev,noauto,x-systemd.automount,x-systemd.requires=network-online.target,"
               "nofail,user,auth_token_file=/etc/cdrfs/token,ttl=5m");
    ck_assert_str_eq(o.auth_id, "MAXXXXXXXXXXXXXXXXXX");
    ck_assert_str_eq(o.mountpoint, "/mnt/calls");
    ck_assert_str_eq(o.auth_token_file, "/etc/cdrfs/token");
    ck_assert_int_eq(o.ttl, 300);
    ck_assert_ptr_null(o.kernel);
}
END_TEST

START_TEST(what_is_for_the_kernel_is_handed_on)
{
    list_well("allow_other,ttl=5,nodev,nosuid");
    ck_assert_str_eq(o.kernel, "allow_other,nodev,nosuid");
    ck_assert_int_eq(o.ttl, 5);
}
END_TEST

START_TEST(a_line_of_mount_is_taken)
{
    list_well("rw,nodev,nosuid,dev,suid,noexec,noatime,defaults,users,owner,group,auto");
    ck_assert_str_eq(o.kernel, "nodev,nosuid,dev,suid,noexec,noatime");
}
END_TEST

START_TEST(every_foreign_option_is_handed_on_or_dropped)
{
    for (size_t i = 0; i < foreign_defs_count; i++) {
        list_well(foreign_defs[i].name);
        if (foreign_defs[i].kernel)
            ck_assert_str_eq(o.kernel, foreign_defs[i].name);
        else
            ck_assert_ptr_null(o.kernel);
        expect_refused(list_of(foreign_defs[i].name, "1"), foreign_defs[i].name);
    }
}
END_TEST

START_TEST(empty_items_are_nothing)
{
    list_well("");
    list_well(",,ttl=5,,");
    ck_assert_int_eq(o.ttl, 5);
}
END_TEST

START_TEST(several_lists_add_up_wherever_they_stand)
{
    parse_well("cdrfs -ottl=5 -f /mnt -o settle=1h,allow_other -onodev");
    ck_assert_int_eq(o.ttl, 5);
    ck_assert_int_eq(o.settle, 3600);
    ck_assert_str_eq(o.kernel, "allow_other,nodev");
    ck_assert(o.foreground);
    ck_assert_str_eq(o.mountpoint, "/mnt");
}
END_TEST

/* --- flags and arguments --- */

START_TEST(flags)
{
    parse_well("cdrfs -f -s /mnt");
    ck_assert(o.foreground && o.single && !o.debug);
    parse_well("cdrfs -d /mnt");
    ck_assert(o.foreground && o.debug);
    parse_well("cdrfs -h");
    ck_assert(o.help);
    parse_well("cdrfs --help");
    ck_assert(o.help);
    parse_well("cdrfs -V");
    ck_assert(o.version);
    parse_well("cdrfs --version /mnt a b c");
    ck_assert(o.version);
}
END_TEST

static const struct {
    const char *line, *word;
} wrong_lines[] = {
    {"cdrfs", "mountpoint"},         {"cdrfs -f", "mountpoint"},
    {"cdrfs a b c", "too many"},     {"cdrfs --nonsense /mnt", "--nonsense"},
    {"cdrfs -x /mnt", "-x"},         {"cdrfs /mnt -o", "-o"},
    {"cdrfs -", "unknown option -"},
};

START_TEST(a_wrong_command_line_is_refused_in_one_line)
{
    ck_assert_int_eq(parse(wrong_lines[_i].line), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, wrong_lines[_i].word));
    ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

START_TEST(an_empty_mountpoint_is_not_the_working_directory)
{
    char *alone[] = {(char *)"cdrfs", (char *)"", NULL};
    ck_assert_int_eq(options_parse(2, alone, &o, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "no mountpoint"));
    options_release(&o);
    char *second[] = {(char *)"cdrfs", (char *)"MAXXXXXXXXXXXXXXXXXX", (char *)"", NULL};
    ck_assert_int_eq(options_parse(3, second, &o, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "no mountpoint"));
}
END_TEST

/* What the kernel keeps it shows without asking us, to whom the modes let in. */
START_TEST(with_allow_root_the_modes_let_nobody_in)
{
    list_well("allow_root,umask=022");
    ck_assert_int_eq(o.umask, 077);
    list_well("umask=0,allow_root,ro");
    ck_assert_int_eq(o.umask, 077);
    list_well("umask=0100,allow_root");
    ck_assert_int_eq(o.umask, 0177);
    list_well("allow_other,umask=022");
    ck_assert_int_eq(o.umask, 022);
}
END_TEST

START_TEST(paths_become_absolute)
{
    char cwd[1024], want[1100];
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
    parse_well("cdrfs calls -o cache_dir=cache");
    snprintf(want, sizeof(want), "%s/calls", cwd);
    ck_assert_str_eq(o.mountpoint, want);
    snprintf(want, sizeof(want), "%s/cache", cwd);
    ck_assert_str_eq(o.cache_dir, want);
}
END_TEST

/* --- the environment --- */

START_TEST(the_environment_stands_in_for_api_url)
{
    setenv("PLIVO_API_URL", "https://env.example/v1", 1);
    parse_well("cdrfs /mnt");
    ck_assert_str_eq(o.api_url, "https://env.example/v1");
    list_well("api_url=https://opt.example/v1");
    ck_assert_str_eq(o.api_url, "https://opt.example/v1");
    setenv("PLIVO_API_URL", "", 1);
    parse_well("cdrfs /mnt");
    ck_assert_ptr_null(o.api_url);
    unsetenv("PLIVO_API_URL");
}
END_TEST

START_TEST(a_bad_environment_is_told_unless_the_option_is_given)
{
    setenv("PLIVO_API_URL", "http://example.org/v1", 1);
    ck_assert_int_eq(parse("cdrfs /mnt"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "PLIVO_API_URL"));
    ck_assert_ptr_null(strstr(error, "option"));
    parse_well("cdrfs /mnt -o api_url=https://x.example/v1");
    ck_assert_str_eq(o.api_url, "https://x.example/v1");
    parse_well("cdrfs -V");
    parse_well("cdrfs --help");
    ck_assert_int_eq(parse("cdrfs /mnt -o api_url=ftp://x"), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "option api_url"));
    unsetenv("PLIVO_API_URL");
}
END_TEST

/* --- help --- */

START_TEST(help_lists_every_option_and_fits_a_screen)
{
    struct buf help = buf_make(1 << 16);
    options_help(&help);
    int lines = 0;
    size_t width = 0, longest = 0;
    for (const char *p = help.p; *p; p++, width++) {
        if (*p == '\n') {
            lines++;
            longest = width > longest ? width : longest;
            width = (size_t)-1;
        }
    }
    ck_assert_int_le(lines, 23);
    ck_assert_uint_le(longest, 80);
    ck_assert_int_eq(help.p[help.len - 1], '\n');
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        char left[64];
        snprintf(left, sizeof(left), "\n  %s%s", d->name, d->values ? "=" : " ");
        ck_assert_msg(strstr(help.p, left), "%s is not listed", d->name);
        ck_assert_msg(strstr(help.p, d->help), "%s is not explained", d->name);
        if (d->fallback && d->fallback[0] != '-' && strlen(d->fallback) < 16)
            ck_assert_msg(strstr(help.p, d->fallback), "the default of %s", d->name);
    }
    for (size_t i = 0; i < flag_defs_count; i++) {
        char flag[64];
        snprintf(flag, sizeof(flag), "  %s  %s", flag_defs[i].name, flag_defs[i].help);
        ck_assert_msg(strstr(help.p, flag), "%s is not listed", flag_defs[i].name);
    }
    buf_release(&help);
}
END_TEST

START_TEST(every_option_of_the_table_takes_its_own_default)
{
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        char list[128];
        if (!d->fallback || d->fallback[0] == '-')
            continue;
        snprintf(list, sizeof(list), "%s=%s", d->name, d->fallback);
        list_well(list);
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(without_options_everything_has_its_default),
        EACH(a_number_is_taken_with_its_unit, numbers),
        EACH(a_rate_is_any_positive_number, rates),
        EACH(a_text_is_taken_as_it_is, texts),
        ONCE(a_flag_is_set_by_its_name),
        EACH(what_is_no_option_or_no_value_is_refused_by_name, refused),
        ONCE(no_option_takes_nothing),
        EACH(what_is_no_number_is_refused_by_every_option_that_counts, no_numbers),
        ONCE(every_bound_is_kept_and_told),
        ONCE(units_are_for_times_alone),
        ONCE(what_is_no_choice_is_refused_with_the_choices),
        ONCE(of_an_option_given_twice_the_last_holds),
        EACH(a_token_given_as_an_option_is_not_repeated, secret_options),
        EACH(what_hangs_on_an_unknown_flag_is_not_repeated, secret_words),
        EACH(what_a_url_may_hold_is_not_repeated, secret_urls),
        ONCE(the_bounds_are_named),
        ONCE(a_long_value_does_not_break_the_message),
        ONCE(a_message_is_one_line_that_says_what_is_taken_whatever_is_given),
        ONCE(a_small_buffer_for_the_message_is_enough),
        ONCE(a_line_of_fstab_is_taken),
        ONCE(what_is_for_the_kernel_is_handed_on),
        ONCE(a_line_of_mount_is_taken),
        ONCE(every_foreign_option_is_handed_on_or_dropped),
        ONCE(empty_items_are_nothing),
        ONCE(several_lists_add_up_wherever_they_stand),
        ONCE(flags),
        EACH(a_wrong_command_line_is_refused_in_one_line, wrong_lines),
        ONCE(an_empty_mountpoint_is_not_the_working_directory),
        ONCE(with_allow_root_the_modes_let_nobody_in),
        ONCE(paths_become_absolute),
        ONCE(the_environment_stands_in_for_api_url),
        ONCE(a_bad_environment_is_told_unless_the_option_is_given),
        ONCE(help_lists_every_option_and_fits_a_screen),
        ONCE(every_option_of_the_table_takes_its_own_default),
    };
    return run_suite_with("options", tests, ARRAY_LEN(tests), setup, teardown);
}
