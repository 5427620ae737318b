// SPDX-License-Identifier: MIT
/*
 * The command line: the input is the arguments, a NUL byte between two, as in /proc/PID/cmdline.
 *
 * What is refused is refused with one line that names the argument or the option. What is taken is
 * within the bounds of the table, and taken the same when it is written out and parsed again. Every
 * argument is also tried as the URL of the API: what is taken has no secret way to another host.
 */
#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

#include "fs/options.h"
#include "fs/url.h"
#include "tests/fuzz/fuzz.h"

#define ARGS_MAX 32

struct args {
    char *v[ARGS_MAX + 2];
    int n;
};

static struct args args_of(const uint8_t *data, size_t n)
{
    struct args a = {.v = {fuzz_text("cdrfs", 5)}, .n = 1};
    const char *p = (const char *)data, *end = p + n;
    while (p < end && a.n <= ARGS_MAX) {
        a.v[a.n] = fuzz_text(p, (size_t)(end - p));
        p += strlen(a.v[a.n++]) + 1;
    }
    return a;
}

static void args_release(struct args *a)
{
    for (int i = 0; i < a->n; i++)
        free(a->v[i]);
}

static void *member_of(const struct options *o, const struct option_def *d)
{
    return (char *)o + d->offset;
}

static const char *text_of(const struct options *o, const struct option_def *d)
{
    return *(char **)member_of(o, d);
}

static bool is_text(const struct option_def *d)
{
    return d->type == OPTION_TEXT || d->type == OPTION_CHOICE || d->type == OPTION_URL;
}

/* --- what was taken --- */

static bool is_word_of(const char *values, const char *word)
{
    const char *at = strstr(values, word);
    size_t n = strlen(word);
    while (at && !((at == values || at[-1] == '|') && (!at[n] || at[n] == '|')))
        at = strstr(at + 1, word);
    return n && at;
}

static void check_count(const struct option_def *d, double v, bool at_fallback)
{
    if (at_fallback)
        return;
    CHECK(v >= d->least && v <= d->most);
    CHECK(d->type != OPTION_NUMBER || v > 0);
}

static void check_member(const struct options *o, const struct option_def *d)
{
    const char *text = is_text(d) ? text_of(o, d) : NULL;
    if (d->type == OPTION_CHOICE)
        CHECK(text && is_word_of(d->values, text));
    else if (d->type == OPTION_URL)
        CHECK(!text || url_may_have_token(text));
    else if (d->type == OPTION_TEXT)
        CHECK(text ? *text != '\0' : !d->fallback);
    else if (d->type == OPTION_NUMBER)
        check_count(d, *(double *)member_of(o, d), false);
    else if (d->type != OPTION_FLAG && *(int64_t *)member_of(o, d) != (d->fallback ? -1 : 0))
        check_count(d, (double)*(int64_t *)member_of(o, d), false);
}

static void check_taken(const struct options *o)
{
    for (size_t i = 0; i < option_defs_count; i++)
        check_member(o, &option_defs[i]);
    CHECK(!o->debug || o->foreground);
    CHECK(!o->kernel ||
          (*o->kernel && strspn(o->kernel, "abcdefghijklmnopqrstuvwxyz_,") == strlen(o->kernel)));
    if (o->help || o->version)
        return;
    CHECK(o->mountpoint && o->mountpoint[0] == '/');
    CHECK(!o->cache_dir || o->cache_dir[0] == '/');
}

/* --- writing it out, and reading that --- */

static void put_value(struct buf *out, const char *v)
{
    for (; *v; v++) {
        buf_puts(out, *v == ',' || *v == '\\' ? "\\" : "");
        buf_append(out, v, 1);
    }
}

static void put_option(struct buf *out, const struct options *o, const struct option_def *d)
{
    if (is_text(d)) {
        if (!text_of(o, d))
            return;
        buf_printf(out, ",%s=", d->name);
        put_value(out, text_of(o, d));
    } else if (d->type == OPTION_NUMBER) {
        buf_printf(out, ",%s=%.17g", d->name, *(double *)member_of(o, d));
    } else if (d->type == OPTION_FLAG) {
        buf_printf(out, "%s%s", *(bool *)member_of(o, d) ? "," : "",
                   *(bool *)member_of(o, d) ? d->name : "");
    } else if (*(int64_t *)member_of(o, d) != (d->fallback ? -1 : 0)) {
        buf_printf(out, d->type == OPTION_OCTAL ? ",%s=%llo" : ",%s=%lld", d->name,
                   (long long)*(int64_t *)member_of(o, d));
    }
}

static void check_same_text(const char *a, const char *b)
{
    CHECK(!a == !b && (!a || strcmp(a, b) == 0));
}

static void check_same(const struct options *a, const struct options *b)
{
    for (size_t i = 0; i < option_defs_count; i++) {
        const struct option_def *d = &option_defs[i];
        size_t n = d->type == OPTION_FLAG ? sizeof(bool) : sizeof(int64_t);
        if (is_text(d))
            check_same_text(text_of(a, d), text_of(b, d));
        else
            CHECK(memcmp(member_of(a, d), member_of(b, d), n) == 0);
    }
    CHECK(a->foreground == b->foreground && a->debug == b->debug && a->single == b->single);
    check_same_text(a->mountpoint, b->mountpoint);
    check_same_text(a->auth_id, b->auth_id);
    check_same_text(a->kernel, b->kernel);
}

static void check_again(const struct options *o)
{
    struct buf list = buf_make(SIZE_MAX);
    struct options again;
    char error[512];
    buf_puts(&list, o->kernel ? o->kernel : "rw");
    for (size_t i = 0; i < option_defs_count; i++)
        put_option(&list, o, &option_defs[i]);
    char *argv[8] = {"cdrfs", "-o", list.p};
    int argc = 3;
    if (o->debug || o->foreground)
        argv[argc++] = o->debug ? "-d" : "-f";
    if (o->single)
        argv[argc++] = "-s";
    if (o->auth_id)
        argv[argc++] = o->auth_id;
    argv[argc++] = o->mountpoint;
    CHECK(fuzz_buf(&list) && options_parse(argc, argv, &again, error, sizeof(error)) == 0);
    check_same(o, &again);
    options_release(&again);
    buf_release(&list);
}

/* --- what was refused --- */

#define NAME_SHOWN 64

/* The first n bytes are these, a `?` standing for each that is not printable. */
static bool shows(const char *error, const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (error[i] != name[i] && (error[i] != '?' || (name[i] >= ' ' && name[i] <= '~')))
            return false;
    return true;
}

/* The error is about this name, as far as it is shown. */
static bool says(const char *error, const char *before, const char *name, size_t n)
{
    size_t m = strlen(before);
    if (strncmp(error, before, m) != 0)
        return false;
    n = n < NAME_SHOWN ? n : NAME_SHOWN;
    return strlen(error + m) > n && shows(error + m, name, n) && strchr("=: ;", error[m + n]);
}

/* Of an unknown flag only what looks like one is shown: what hangs on it may be a secret. */
static bool says_flag(const char *error, const char *arg)
{
    static const char before[] = "unknown option ";
    size_t m = sizeof(before) - 1, n = strncmp(error, before, m) ? 0 : strcspn(error + m, ";");
    return n && n <= strlen(arg) && shows(error + m, arg, n);
}

/* One of the options of a list, whatever its place. */
static bool says_option(const char *error, const char *list)
{
    char item[4096];
    while (*list) {
        size_t n = 0;
        while (*list && *list != ',') {
            list += *list == '\\' && list[1];
            if (n < sizeof(item) - 1)
                item[n++] = *list;
            list++;
        }
        item[n] = '\0';
        list += *list == ',';
        if (n && says(error, "option ", item, strcspn(item, "=")))
            return true;
    }
    return false;
}

static bool says_argument(const char *error, const struct args *a)
{
    for (int i = 1; i < a->n; i++) {
        bool glued = strncmp(a->v[i], "-o", 2) == 0;
        if (says_flag(error, a->v[i]) || says_option(error, a->v[i]) ||
            (glued && says_option(error, a->v[i] + 2)))
            return true;
    }
    return strncmp(error, "-o takes options", 16) == 0 ||
           strncmp(error, "no mountpoint; ", 15) == 0 ||
           strncmp(error, "too many arguments; ", 20) == 0;
}

static void check_refused(const struct args *a, int rc, const char *error)
{
    CHECK(rc == -EINVAL);
    CHECK(*error && says_argument(error, a));
    CHECK(fuzz_is_line(error));
}

static void as_arguments(const struct args *a, size_t cap)
{
    struct options o;
    CLEANUP_FREE char *error = malloc(cap);
    CHECK(error);
    int rc = options_parse(a->n, (char **)a->v, &o, error, cap);
    CHECK(memchr(error, '\0', cap));
    if (rc == 0) {
        check_taken(&o);
        CHECK(!*error);
        if (!o.help && !o.version)
            check_again(&o);
    } else {
        check_refused(a, rc, error);
    }
    options_release(&o);
}

/* --- the URL of the API --- */

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* By curl, which will be the one to follow it. */
static void check_host(const char *url)
{
    char *scheme = NULL, *host = NULL;
    CURLU *u = curl_url();
    CHECK(u);
    if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        CHECK(curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK);
        CHECK(curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK);
        CHECK(strcmp(scheme, "https") == 0 || (strcmp(scheme, "http") == 0 && is_loopback(host)));
        curl_free(scheme);
        curl_free(host);
    }
    curl_url_cleanup(u);
}

static void as_url(const char *text)
{
    if (!url_may_have_token(text))
        return;
    CHECK(strlen(text) <= 512 && !strpbrk(text, "?#\"'\\"));
    for (const char *p = text; *p; p++)
        CHECK((unsigned char)*p > ' ' && (unsigned char)*p < 0x7f);
    check_host(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    unsetenv("PLIVO_API_URL");
    struct args a = args_of(data, n);
    as_arguments(&a, 512);
    as_arguments(&a, 256);
    for (int i = 1; i < a.n; i++)
        as_url(a.v[i]);
    args_release(&a);
    return 0;
}
