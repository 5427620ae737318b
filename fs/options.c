// SPDX-License-Identifier: MIT
#include "fs/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/option_value.h"

#define AT(member) offsetof(struct options, member)
#define DEFAULT_SHOWN 16 /* longer ones stand in the manual */
#define YEARS_100 3155760000.0
#define CRAWLERS                                                                                   \
    "updatedb*:plocate*:mlocate*:tracker-*:localsearch-*:baloo_file*:recollindex*:tumblerd"

const struct option_def option_defs[] = {
    {"dialect", OPTION_CHOICE, AT(dialect), 0, 0, "latest", NULL, "latest|legacy",
     "which host's records and filters"},
    {"api_url", OPTION_URL, AT(api_url), 0, 0, NULL, "PLIVO_API_URL", "URL",
     "the API's, with its version (that of dialect=)"},
    {"console_tz", OPTION_TEXT, AT(console_tz), 0, 0, "UTC", NULL, "ZONE",
     "zone of the legacy host's initiation_time"},
    {"auth_token_file", OPTION_TEXT, AT(auth_token_file), 0, 0, NULL, NULL, "FILE",
     "holds the token; readable by its owner alone"},
    {"cache_dir", OPTION_TEXT, AT(cache_dir), 0, 0, NULL, NULL, "DIR",
     "the store's folder ($XDG_CACHE_HOME/cdrfs)"},
    {"ttl", OPTION_SECONDS, AT(ttl), 0, YEARS_100, "60", NULL, "SECONDS",
     "how long a listing that may grow is believed"},
    {"settle", OPTION_SECONDS, AT(settle), 0, YEARS_100, "48h", NULL, "SECONDS",
     "after which the past is final"},
    {"stale_if_error", OPTION_SECONDS, AT(stale_if_error), 0, YEARS_100, "1d", NULL, "SECONDS",
     "how old an answer may be while the API fails"},
    {"keep_days", OPTION_WHOLE, AT(keep_days), 90, 100000, NULL, NULL, "DAYS",
     "drop stored calls that ended longer ago (never)"},
    {"rate", OPTION_NUMBER, AT(rate), 0, 100000, "30", NULL, "NUMBER", "requests a second"},
    {"connections", OPTION_WHOLE, AT(connections), 1, 256, "8", NULL, "NUMBER",
     "requests under way at once"},
    {"deadline", OPTION_SECONDS, AT(deadline), 1, YEARS_100, "30", NULL, "SECONDS",
     "the longest a system call waits"},
    {"crawlers", OPTION_TEXT, AT(crawlers), 0, 0, CRAWLERS, NULL, "NAME[:NAME...]",
     "programs that see only what is held (updatedb, ...)"},
    {"shared", OPTION_DATABASE, AT(shared), 0, 0, NULL, NULL, "URL",
     "a PostgreSQL that many hosts share, postgresql://..."},
    {"uid", OPTION_WHOLE, AT(uid), 0, 4294967294.0, "-1", NULL, "ID",
     "owner of everything (who mounts)"},
    {"gid", OPTION_WHOLE, AT(gid), 0, 4294967294.0, "-1", NULL, "ID",
     "group of everything (of who mounts)"},
    {"umask", OPTION_OCTAL, AT(umask), 0, 0777, "077", NULL, "OCTAL",
     "permissions taken from 0444 and 0555"},
    {"inode32", OPTION_FLAG, AT(inode32), 0, 0, NULL, NULL, NULL,
     "inode numbers of 32 bits, for old programs"},
    {"log_level", OPTION_CHOICE, AT(log_level), 0, 0, "warning", NULL, "error|warning|info|debug",
     "what is logged"},
    {"ro", OPTION_FLAG, AT(ro), 0, 0, NULL, NULL, NULL, "read-only, as everything is"},
};
const size_t option_defs_count = ARRAY_LEN(option_defs);

const struct foreign_def foreign_defs[] = {
    {"allow_other", true}, {"allow_root", true}, {"dev", true},     {"nodev", true},
    {"suid", true},        {"nosuid", true},     {"exec", true},    {"noexec", true},
    {"atime", true},       {"noatime", true},    {"dirsync", true}, {"rw", false},
    {"defaults", false},   {"auto", false},      {"noauto", false}, {"user", false},
    {"nouser", false},     {"users", false},     {"owner", false},  {"group", false},
    {"_netdev", false},    {"nofail", false},
};
const size_t foreign_defs_count = ARRAY_LEN(foreign_defs);

const struct flag_def flag_defs[] = {
    {"-f", NULL, AT(foreground), "stay in the foreground"},
    {"-d", NULL, AT(debug), "and show requests"},
    {"-s", NULL, AT(single), "one thread"},
    {"-h", "--help", AT(help), "this help"},
    {"-V", "--version", AT(version), "the version"},
    {"-o", NULL, 0, "any FUSE has, and:"},
};
const size_t flag_defs_count = ARRAY_LEN(flag_defs);

static const struct foreign_def *find_foreign(const char *name)
{
    for (size_t i = 0; i < foreign_defs_count; i++)
        if (strcmp(foreign_defs[i].name, name) == 0)
            return &foreign_defs[i];
    return NULL;
}

static const struct option_def *find_def(const char *name)
{
    for (size_t i = 0; i < option_defs_count; i++)
        if (strcmp(option_defs[i].name, name) == 0)
            return &option_defs[i];
    return NULL;
}

static int add_kernel_option(struct options *o, const char *name)
{
    char *all = NULL;
    if (asprintf(&all, "%s%s%s", o->kernel ? o->kernel : "", o->kernel ? "," : "", name) < 0)
        return -ENOMEM;
    free(o->kernel);
    o->kernel = all;
    return 0;
}

/* A token is never an option: others could see it. Whoever tries is told, and nothing of it shown.
 */
static int refuse_unknown(const char *name, char *error, size_t cap)
{
    bool secret =
        strcasestr(name, "token") || strcasestr(name, "pass") || strcasestr(name, "secret");
    snprintf(error, cap,
             secret ? "option %.64s: a token is never an option, others could see it; use "
                      "PLIVO_AUTH_TOKEN or auth_token_file="
                    : "option %.64s is unknown; see cdrfs --help",
             name);
    return -EINVAL;
}

/* One `name` or `name=value`. */
static int take_option(struct options *o, char *text, char *error, size_t cap)
{
    char *value = strchr(text, '=');
    char from[64];
    const struct foreign_def *foreign = find_foreign(text);
    if (foreign)
        return foreign->kernel ? add_kernel_option(o, text) : 0;
    if (!*text || strncmp(text, "x-", 2) == 0)
        return 0;
    if (value)
        *value++ = '\0';
    const struct option_def *d = find_def(text);
    if (!d)
        return refuse_unknown(text, error, cap);
    o->given |= UINT64_C(1) << (d - option_defs);
    snprintf(from, sizeof(from), "option %s", d->name);
    return option_set(o, d, from, value, error, cap);
}

/* `a,b=c`; a backslash keeps a comma in a value. */
static int take_list(struct options *o, const char *list, char *error, size_t cap)
{
    CLEANUP_FREE char *item = malloc(strlen(list) + 1);
    if (!item)
        return -ENOMEM;
    int rc = 0;
    while (*list && rc == 0) {
        size_t n = 0;
        for (; *list && *list != ','; list++) {
            if (*list == '\\' && list[1])
                list++;
            item[n++] = *list;
        }
        item[n] = '\0';
        if (*list)
            list++;
        rc = take_option(o, item, error, cap);
    }
    return rc;
}

static int set_fallbacks(struct options *o, char *error, size_t cap)
{
    int rc = 0;
    for (size_t i = 0; i < option_defs_count && rc == 0; i++) {
        const struct option_def *d = &option_defs[i];
        if (d->fallback && strcmp(d->fallback, "-1") == 0)
            *(int64_t *)((char *)o + d->offset) = -1;
        else if (d->fallback)
            rc = option_set(o, d, d->name, d->fallback, error, cap);
    }
    return rc;
}

/* What was not given is looked for there. */
static int take_environment(struct options *o, char *error, size_t cap)
{
    int rc = 0;
    for (size_t i = 0; i < option_defs_count && rc == 0; i++) {
        const struct option_def *d = &option_defs[i];
        const char *v = d->env && !(o->given & UINT64_C(1) << i) ? getenv(d->env) : NULL;
        if (v && *v)
            rc = option_set(o, d, d->env, v, error, cap);
    }
    return rc;
}

static int absolute_path(const char *path, char **ret)
{
    CLEANUP_FREE char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);
    if (*path != '/' && !cwd)
        return -errno;
    return asprintf(ret, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path) < 0 ? -ENOMEM : 0;
}

/* Going to the background changes the working directory. */
static int make_absolute(char **path)
{
    char *full = NULL;
    int rc = *path ? absolute_path(*path, &full) : 0;
    if (rc == 0 && *path) {
        free(*path);
        *path = full;
    }
    return rc;
}

/* What is left when the options are taken, and what they leave open. */
static int take_rest(struct options *o, char **args, int n, char *error, size_t cap)
{
    if (n < 1 || n > 2 || !*args[n - 1]) {
        snprintf(error, cap,
                 n > 2 ? "too many arguments; usage: cdrfs [options] [AUTH_ID] MOUNTPOINT"
                       : "no mountpoint; usage: cdrfs [options] [AUTH_ID] MOUNTPOINT");
        return -EINVAL;
    }
    if (n == 2 && !(o->auth_id = strdup(args[0])))
        return -ENOMEM;
    int rc = take_environment(o, error, cap);
    if (rc == 0)
        rc = make_absolute(&o->cache_dir);
    if (rc == 0)
        rc = absolute_path(args[n - 1], &o->mountpoint);
    /* With allow_root the kernel shows what it keeps to whom the modes let in. */
    if (o->kernel && strstr(o->kernel, "allow_root"))
        o->umask |= 077;
    return rc;
}

static bool is_flag(const struct flag_def *d, const char *arg)
{
    return d->offset && (strcmp(arg, d->name) == 0 || (d->longer && strcmp(arg, d->longer) == 0));
}

static int take_flag(struct options *o, const char *arg, char *error, size_t cap)
{
    for (size_t i = 0; i < flag_defs_count; i++) {
        if (!is_flag(&flag_defs[i], arg))
            continue;
        *(bool *)((char *)o + flag_defs[i].offset) = true;
        o->foreground |= o->debug;
        return 0;
    }
    /* a value may hang on it, which may be a secret */
    int n = arg[1] == '-' ? (int)strcspn(arg, "=") : 2;
    snprintf(error, cap, "unknown option %.*s; see cdrfs --help", n < 64 ? n : 64, arg);
    return -EINVAL;
}

/* Sorts one word of the command line; returns how many words that took, or an error. */
static int take_word(struct options *o, char **argv, char **args, int *n, char *error, size_t cap)
{
    int rc, words = 1;
    if (strncmp(argv[0], "-o", 2) == 0) {
        const char *list = argv[0][2] ? argv[0] + 2 : argv[words++];
        if (!list)
            snprintf(error, cap, "-o takes options, separated by commas; see cdrfs --help");
        rc = list ? take_list(o, list, error, cap) : -EINVAL;
    } else if (argv[0][0] == '-') {
        rc = take_flag(o, argv[0], error, cap);
    } else {
        args[(*n)++] = argv[0];
        rc = 0;
    }
    return rc < 0 ? rc : words;
}

/* Flags may stand anywhere, as mount(8) puts `-o` behind the mountpoint. */
int options_parse(int argc, char **argv, struct options *ret, char *error, size_t cap)
{
    CLEANUP_FREE char **args = calloc((size_t)argc + 1, sizeof(*args));
    int n = 0, rc;
    memset(ret, 0, sizeof(*ret));
    error[0] = '\0';
    rc = args ? set_fallbacks(ret, error, cap) : -ENOMEM;
    for (int i = 1; i < argc && rc >= 0; i += rc)
        rc = take_word(ret, argv + i, args, &n, error, cap);
    if (rc >= 0)
        rc = ret->help || ret->version ? 0 : take_rest(ret, args, n, error, cap);
    str_printable(error);
    return rc;
}

void options_release(struct options *o)
{
    for (size_t i = 0; i < option_defs_count; i++)
        if (option_is_text(&option_defs[i]))
            free(*(char **)((char *)o + option_defs[i].offset));
    free(o->mountpoint);
    free(o->auth_id);
    free(o->kernel);
    memset(o, 0, sizeof(*o));
}

#define FLAGS_A_LINE 3

static void put_flags(struct buf *out)
{
    for (size_t i = 0; i < flag_defs_count; i++) {
        bool last = i % FLAGS_A_LINE == FLAGS_A_LINE - 1;
        buf_printf(out, last ? "  %s  %s\n" : "  %s  %-22s", flag_defs[i].name, flag_defs[i].help);
    }
}

/* A screen has 24 lines, one of them the prompt, of 80 columns. */
void options_help(struct buf *out)
{
    buf_puts(out,
             "usage: cdrfs [options] [AUTH_ID] MOUNTPOINT, with PLIVO_AUTH_TOKEN; see cdrfs(1)\n");
    put_flags(out);
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        char left[64];
        bool shown =
            d->fallback && strcmp(d->fallback, "-1") != 0 && strlen(d->fallback) < DEFAULT_SHOWN;
        snprintf(left, sizeof(left), "%s%s%s", d->name, d->values ? "=" : "",
                 d->values ? d->values : "");
        buf_printf(out, "  %-23s  %s%s%s%s\n", left, d->help, shown ? " (" : "",
                   shown ? d->fallback : "", shown ? ")" : "");
    }
}
