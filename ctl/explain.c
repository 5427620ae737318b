// SPDX-License-Identifier: MIT
/* cdrfsctl explain: what the mount says of a path, for people. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"

#define SHOWN 5 /* readings */

static const char *text_of(json_t *o, const char *name, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : otherwise;
}

static int64_t number_of(json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

static void put_held(json_t *x)
{
    const char *fetched = text_of(x, "fetched_at", NULL), *expires = text_of(x, "expires_at", NULL);
    int64_t calls = number_of(x, "calls"), pages = number_of(x, "pages");
    printf("  held      %s, %" PRId64 " call%s, %" PRId64 " page%s\n",
           json_is_true(json_object_get(x, "complete")) ? "whole" : "not whole", calls,
           calls == 1 ? "" : "s", pages, pages == 1 ? "" : "s");
    if (fetched)
        printf("  fetched   %s, the oldest of it\n", fetched);
    if (!json_is_true(json_object_get(x, "covered")))
        printf("  believed  no: %s\n", text_of(x, "state", ""));
    else
        printf("  believed  %s%s\n", expires ? "until " : "for ever", expires ? expires : "");
}

static void put_cost(json_t *x, const char *name, const char *label)
{
    json_t *cost = json_object_get(x, name);
    int64_t n = number_of(cost, "requests");
    bool more = json_is_true(json_object_get(x, "at_least")) && n;
    printf("  %-9s %s%" PRId64 " request%s", label, more ? "at least " : "", n, n == 1 ? "" : "s");
    if (n)
        printf(", %.1f s", json_number_value(json_object_get(cost, "seconds")));
    if (n && json_is_true(json_object_get(x, "shared")))
        printf(", or fewer, if another host has it");
    printf("\n");
}

static void put_readings(json_t *x)
{
    json_t *all = json_object_get(x, "covered_by");
    size_t n = json_array_size(all);
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        json_t *r = json_array_get(all, i);
        printf("  %-9s %s, %s, fetched %s\n", i ? "" : "covered", text_of(r, "path", ""),
               text_of(r, "state", ""), text_of(r, "fetched_at", ""));
    }
    if (n > SHOWN)
        printf("  %-9s and %zu more\n", "", n - SHOWN);
}

static void put(json_t *x, const char *path)
{
    json_t *here = json_object_get(x, "evaluated_here"), *axis;
    size_t i;
    printf("%s\n", text_of(x, "path", path));
    put_held(x);
    put_readings(x);
    put_cost(x, "read", "to read");
    put_cost(x, "reread", "to reread");
    json_array_foreach(here, i, axis)
        printf("  %-9s %s\n", i ? "" : "here", json_string_value(axis));
    if (text_of(x, "curl", NULL))
        printf("  request   %s\n", text_of(x, "curl", ""));
}

/* A directory above the dates stands for all that the API serves. */
static int all_dates(char path[CTL_PATH_MAX])
{
    char first[16], last[16], whole[CTL_PATH_MAX];
    time_t now = time(NULL), then = now - 89 * 86400;
    struct tm tm;
    bool csv = strncmp(path, "csv", 3) == 0 && (!path[3] || path[3] == '/');
    bool nd = strncmp(path, "ndjson", 6) == 0 && (!path[6] || path[6] == '/');
    const char *slash = strrchr(path, '/');
    bool tree = !*path || ((csv || nd) && !slash);
    strftime(first, sizeof(first), "%Y-%m-%d", gmtime_r(&then, &tm));
    strftime(last, sizeof(last), "%Y-%m-%d", gmtime_r(&now, &tm));
    int n = snprintf(whole, sizeof(whole), "%s%s%s%s..%s%s", path, *path ? "/" : "",
                     tree ? "by-date/" : "", first, last,
                     csv  ? ".csv"
                     : nd ? ".ndjson"
                          : "");
    return n < (int)sizeof(whole) && str_copy(path, CTL_PATH_MAX, whole, (size_t)n) ? 0
                                                                                    : -ENAMETOOLONG;
}

static int read_explained(const struct place *at, char **ret)
{
    char path[CTL_PATH_MAX], name[CTL_PATH_MAX + 16];
    int rc = path_explained(at->path, path);
    if (rc < 0)
        return rc;
    snprintf(name, sizeof(name), "explain/%s", path);
    rc = read_control(at, name, ret);
    if (rc != -EISDIR)
        return rc;
    rc = all_dates(path);
    snprintf(name, sizeof(name), "explain/%s", path);
    return rc < 0 ? rc : read_control(at, name, ret);
}

int ctl_explain(const struct place *at, bool json)
{
    CLEANUP_FREE char *text = NULL;
    json_error_t e;
    int rc = read_explained(at, &text);
    if (rc < 0)
        return complain(*at->path ? at->path : at->mount, strerror(-rc));
    if (json)
        return fputs(text, stdout) < 0 ? CTL_CANNOT : CTL_DONE;
    json_t *x = json_loads(text, 0, &e);
    if (!x)
        return complain(at->path, e.text);
    put(x, at->path);
    json_decref(x);
    return CTL_DONE;
}
