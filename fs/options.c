// SPDX-License-Identifier: MIT
#include "fs/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct options, member)
#define DEFAULT_SHOWN 16 /* longer ones stand in the manual */
#define YEARS_100 3155760000.0
#define CRAWLERS                                                                                   \
    "updatedb*:plocate*:mlocate*:tracker-*:localsearch-*:baloo_file*:recollindex*:tumblerd"

const struct option_def option_defs[] = {
    {"dialect", OPTION_CHOICE, AT(dialect), 0, 0, "latest", NULL, "latest|legacy",
     "which host's records and filters"},
    {"api_url", OPTION_TEXT, AT(api_url), 0, 0, NULL, "PLIVO_API_URL", "URL",
     "up to and including the version; http: only to loopback"},
    {"console_tz", OPTION_TEXT, AT(console_tz), 0, 0, "UTC", NULL, "ZONE",
     "zone in which the legacy host filters initiation_time"},
    {"auth_token_file", OPTION_TEXT, AT(auth_token_file), 0, 0, NULL, NULL, "FILE",
     "holds the token; readable by its owner alone"},
    {"cache_dir", OPTION_TEXT, AT(cache_dir), 0, 0, NULL, NULL, "DIR",
     "of the store; $XDG_CACHE_HOME/cdrfs"},
    {"ttl", OPTION_SECONDS, AT(ttl), 0, YEARS_100, "60", NULL, "SECONDS",
     "how long a listing that may still grow is believed"},
    {"settle", OPTION_SECONDS, AT(settle), 0, YEARS_100, "48h", NULL, "SECONDS",
     "after which the past is final"},
    {"stale_if_error", OPTION_SECONDS, AT(stale_if_error), 0, YEARS_100, "1d", NULL, "SECONDS",
     "how old an answer may be while the API fails"},
    {"keep_days", OPTION_WHOLE, AT(keep_days), 90, 100000, NULL, NULL, "DAYS",
     "drop calls from the store that ended longer ago (never)"},
    {"rate", OPTION_NUMBER, AT(rate), 0, 100000, "30", NULL, "NUMBER", "requests a second"},
    {"connections", OPTION_WHOLE, AT(connections), 1, 256, "8", NULL, "NUMBER",
     "requests under way at once"},
    {"deadline", OPTION_SECONDS, AT(deadline), 1, YEARS_100, "30", NULL, "SECONDS",
     "the longest a system call waits"},
    {"crawlers", OPTION_TEXT, AT(crawlers), 0, 0, CRAWLERS, NULL, "NAME[:NAME...]",
     "programs that see only what is held (updatedb, baloo_file, ...)"},
    {"uid", OPTION_WHOLE, AT(uid), 0, 4294967294.0, "-1", NULL, "ID", "owner of everything"},
    {"gid", OPTION_WHOLE, AT(gid), 0, 4294967294.0, "-1", NULL, "ID", "group of everything"},
    {"umask", OPTION_OCTAL, AT(umask), 0, 0777, "077", NULL, "OCTAL",
     "permissions taken from 0444 and 0555"},
    {"log_level", OPTION_CHOICE, AT(log_level), 0, 0, "warning", NULL, "error|warning|info|debug",
     "what is logged"},
    {"ro", OPTION_FLAG, AT(ro), 0, 0, NULL, NULL, NULL, "read-only, as everything is"},
};
const size_t option_defs_count = ARRAY_LEN(option_defs);

/* Meant for the kernel, or for mount(8) and fstab; the latter are dropped. */
static const char *const kernel_options[] = {"allow_other", "allow_root", "dev",    "nodev",
                                             "suid",        "nosuid",     "exec",   "noexec",
                                             "atime",       "noatime",    "dirsync"};
static const char *const ignored_options[] = {"rw",    "defaults", "auto",    "noauto",
                                              "user",  "nouser",   "_netdev", "nofail",
                                              "users", "owner",    "group"};

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, list[i]) == 0)
            return true;
    return false;
}

static const struct option_def *find_def(const char *name)
{
    for (size_t i = 0; i < option_defs_count; i++)
        if (strcmp(option_defs[i].name, name) == 0)
            return &option_defs[i];
    return NULL;
}

static bool is_choice(const char *values, const char *v)
{
    size_t n = strlen(v);
    for (const char *p = values; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strcspn(p, "|") == n && memcmp(p, v, n) == 0)
            return true;
    return false;
}

/* False for anything but a number of this kind within the bounds. */
static bool parse_count(const struct option_def *d, const char *v, double *ret)
{
    char *end;
    if (!*v || !strchr("0123456789.", *v))
        return false;
    errno = 0;
    *ret = d->type == OPTION_OCTAL    ? (double)strtoul(v, &end, 8)
           : d->type == OPTION_NUMBER ? strtod(v, &end)
                                      : (double)strtoull(v, &end, 10);
    if (errno || end == v)
        return false;
    if (d->type == OPTION_SECONDS && *end && !end[1]) {
        static const char units[] = "smhd";
        static const int seconds[] = {1, 60, 3600, 86400};
        const char *unit = strchr(units, *end);
        if (!unit)
            return false;
        *ret *= seconds[unit - units];
        end++;
    }
    bool above = d->type == OPTION_NUMBER ? *ret > d->least : *ret >= d->least;
    return !*end && above && *ret <= d->most;
}

static int set_text(char **member, const char *v)
{
    char *copy = strdup(v);
    if (!copy)
        return -ENOMEM;
    free(*member);
    *member = copy;
    return 0;
}

static int set_option(struct options *o, const struct option_def *d, const char *v, char *error,
                      size_t cap)
{
    void *member = (char *)o + d->offset;
    double count;
    if (d->type == OPTION_FLAG && !v) {
        *(bool *)member = true;
        return 0;
    }
    bool text = d->type == OPTION_TEXT || d->type == OPTION_CHOICE;
    bool good = v && d->type != OPTION_FLAG &&
                (text ? *v && (d->type == OPTION_TEXT || is_choice(d->values, v))
                      : parse_count(d, v, &count));
    if (!good) {
        snprintf(error, cap, "option %s%s%s: %s%s", d->name, v ? "=" : "", v ? v : "",
                 d->type == OPTION_FLAG ? "takes no value" : "takes ", d->values ? d->values : "");
        size_t n = strlen(error);
        if (d->type == OPTION_OCTAL)
            snprintf(error + n, cap - n, ", at most %03o", (unsigned)d->most);
        else if (!text && d->most)
            snprintf(error + n, cap - n, ", at most %.0f", d->most);
        return -EINVAL;
    }
    if (text)
        return set_text(member, v);
    if (d->type == OPTION_NUMBER)
        *(double *)member = count;
    else
        *(int64_t *)member = (int64_t)count;
    return 0;
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

/* One `name` or `name=value`. */
static int take_option(struct options *o, char *text, char *error, size_t cap)
{
    char *value = strchr(text, '=');
    if (is_one_of(text, kernel_options, ARRAY_LEN(kernel_options)))
        return add_kernel_option(o, text);
    if (!*text || is_one_of(text, ignored_options, ARRAY_LEN(ignored_options)) ||
        strncmp(text, "x-", 2) == 0)
        return 0;
    if (value)
        *value++ = '\0';
    const struct option_def *d = find_def(text);
    if (d)
        return set_option(o, d, value, error, cap);
    snprintf(error, cap,
             strcmp(text, "auth_token") == 0
                 ? "option %s: a token is never an option, others could see it; use "
                   "PLIVO_AUTH_TOKEN or auth_token_file="
                 : "option %s is unknown; see cdrfs --help",
             text);
    return -EINVAL;
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

static int set_fallbacks(struct options *o)
{
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        const char *env = d->env ? getenv(d->env) : NULL;
        char ignored[256];
        if (d->fallback && strcmp(d->fallback, "-1") == 0)
            *(int64_t *)((char *)o + d->offset) = -1;
        else if (env && *env && set_option(o, d, env, ignored, sizeof(ignored)) == -ENOMEM)
            return -ENOMEM;
        else if (d->fallback && set_option(o, d, d->fallback, ignored, sizeof(ignored)) < 0)
            return -ENOMEM;
    }
    return 0;
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

static int take_positional(struct options *o, char **args, int n, char *error, size_t cap)
{
    if (n < 1 || n > 2) {
        snprintf(error, cap,
                 n ? "too many arguments; usage: cdrfs [options] [AUTH_ID] MOUNTPOINT"
                   : "no mountpoint; usage: cdrfs [options] [AUTH_ID] MOUNTPOINT");
        return -EINVAL;
    }
    int rc = n == 2 ? set_text(&o->auth_id, args[0]) : 0;
    if (rc == 0)
        rc = make_absolute(&o->cache_dir);
    return rc < 0 ? rc : absolute_path(args[n - 1], &o->mountpoint);
}

static int take_flag(struct options *o, const char *arg)
{
    if (strcmp(arg, "-f") == 0)
        o->foreground = true;
    else if (strcmp(arg, "-d") == 0)
        o->debug = o->foreground = true;
    else if (strcmp(arg, "-s") == 0)
        o->single = true;
    else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)
        o->help = true;
    else if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0)
        o->version = true;
    else
        return -EINVAL;
    return 0;
}

/* Flags may stand anywhere, as mount(8) puts `-o` behind the mountpoint. */
int options_parse(int argc, char **argv, struct options *ret, char *error, size_t cap)
{
    CLEANUP_FREE char **args = calloc((size_t)argc + 1, sizeof(*args));
    int n = 0, rc;
    memset(ret, 0, sizeof(*ret));
    error[0] = '\0';
    rc = args ? set_fallbacks(ret) : -ENOMEM;
    for (int i = 1; i < argc && rc == 0; i++) {
        if (strncmp(argv[i], "-o", 2) == 0) {
            const char *list = argv[i][2] ? argv[i] + 2 : i + 1 < argc ? argv[++i] : "";
            rc = take_list(ret, list, error, cap);
        } else if (argv[i][0] != '-') {
            args[n++] = argv[i];
        } else if (take_flag(ret, argv[i]) < 0) {
            snprintf(error, cap, "unknown option %s; see cdrfs --help", argv[i]);
            rc = -EINVAL;
        }
    }
    if (rc < 0 || ret->help || ret->version)
        return rc;
    return take_positional(ret, args, n, error, cap);
}

void options_release(struct options *o)
{
    for (size_t i = 0; i < option_defs_count; i++)
        if (option_defs[i].type == OPTION_TEXT || option_defs[i].type == OPTION_CHOICE)
            free(*(char **)((char *)o + option_defs[i].offset));
    free(o->mountpoint);
    free(o->auth_id);
    free(o->kernel);
    memset(o, 0, sizeof(*o));
}

void options_help(struct buf *out)
{
    buf_puts(out, "usage: cdrfs [options] [AUTH_ID] MOUNTPOINT\n\n"
                  "Mounts the call detail records of a Plivo SIP trunking account.\n"
                  "PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN name the account.\n\n"
                  "  -f   stay in the foreground        -d   and show what the kernel asks\n"
                  "  -s   one thread                    -o   options, separated by commas:\n"
                  "  -h   this help                     -V   the version\n\n");
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        char left[64];
        bool shown =
            d->fallback && strcmp(d->fallback, "-1") != 0 && strlen(d->fallback) < DEFAULT_SHOWN;
        snprintf(left, sizeof(left), "%s%s%s", d->name, d->values ? "=" : "",
                 d->values ? d->values : "");
        buf_printf(out, "  %-34s %s%s%s%s\n", left, d->help, shown ? " (" : "",
                   shown ? d->fallback : "", shown ? ")" : "");
    }
    buf_puts(out, "  allow_other, nodev, ...            as every FUSE filesystem\n");
}
