// SPDX-License-Identifier: MIT
#include "fs/option_value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "fs/url.h"

static bool is_choice(const char *values, const char *v)
{
    size_t n = strlen(v);
    for (const char *p = values; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strcspn(p, "|") == n && memcmp(p, v, n) == 0)
            return true;
    return false;
}

static double read_number(enum option_type type, const char *v, char **end)
{
    errno = 0;
    double count = type == OPTION_OCTAL    ? (double)strtoul(v, end, 8)
                   : type == OPTION_NUMBER ? strtod(v, end)
                                           : (double)strtoull(v, end, 10);
    return errno ? HUGE_VAL : count;
}

/* False for anything but a number of this kind within the bounds: what C would read besides, signs,
 * blanks, hexadecimals, infinity, is none. */
static bool parse_count(const struct option_def *d, const char *v, double *ret)
{
    char *end;
    size_t digits = strspn(v, d->type == OPTION_NUMBER ? "0123456789." : "0123456789");
    *ret = digits ? read_number(d->type, v, &end) : 0;
    if (!digits || end != v + digits)
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

static bool takes(const struct option_def *d, const char *v, double *count)
{
    if (d->type == OPTION_FLAG || !v)
        return d->type == OPTION_FLAG && !v;
    switch (d->type) {
    case OPTION_TEXT:
        return *v;
    case OPTION_URL:
        return url_may_have_token(v);
    case OPTION_DATABASE:
        return strstr(v, "://") && cache_may_share(v);
    case OPTION_CHOICE:
        return is_choice(d->values, v);
    default:
        return parse_count(d, v, count);
    }
}

/* What it takes, for people. */
static void describe(const struct option_def *d, char *out, size_t cap)
{
    switch (d->type) {
    case OPTION_FLAG:
        snprintf(out, cap, "no value");
        break;
    case OPTION_URL:
        snprintf(out, cap,
                 "an https: %s (http: only to localhost, 127.0.0.1 or [::1]) without user name or "
                 "query, such as https://api.plivo.com/v1",
                 d->values);
        break;
    case OPTION_DATABASE:
        snprintf(out, cap,
                 "a postgresql: %s as of libpq, such as postgresql://cdrfs@db.example.org/cdrfs, "
                 "without a password, which others could see (PGPASSFILE or a service file has it)",
                 d->values);
        break;
    case OPTION_SECONDS:
        snprintf(out, cap, "%s, %.0f to %.0f, also as in 90s, 5m, 48h, 2d", d->values, d->least,
                 d->most);
        break;
    case OPTION_WHOLE:
        snprintf(out, cap, "%s, %.0f to %.0f", d->values, d->least, d->most);
        break;
    case OPTION_NUMBER:
        snprintf(out, cap, "%s, more than %.0f, at most %.0f", d->values, d->least, d->most);
        break;
    case OPTION_OCTAL:
        snprintf(out, cap, "%s, %03o to %03o", d->values, (unsigned)d->least, (unsigned)d->most);
        break;
    default:
        snprintf(out, cap, "%s", d->values);
    }
}

static int refuse(const struct option_def *d, const char *from, const char *v, char *error,
                  size_t cap)
{
    char what[256];
    bool shown = v && d->type != OPTION_URL && d->type != OPTION_DATABASE;
    describe(d, what, sizeof(what));
    snprintf(error, cap, "%s%s%.64s: takes %s", from, shown ? "=" : "", shown ? v : "", what);
    return -EINVAL;
}

static int set_text(char **member, const char *v, size_t n)
{
    char *copy = strndup(v, n);
    if (!copy)
        return -ENOMEM;
    free(*member);
    *member = copy;
    return 0;
}

static int set_url(char **member, const char *v)
{
    size_t n = strlen(v);
    while (n && v[n - 1] == '/')
        n--;
    return set_text(member, v, n);
}

bool option_is_text(const struct option_def *d)
{
    return d->type == OPTION_TEXT || d->type == OPTION_URL || d->type == OPTION_DATABASE ||
           d->type == OPTION_CHOICE;
}

int option_set(struct options *o, const struct option_def *d, const char *from, const char *v,
               char *error, size_t cap)
{
    void *member = (char *)o + d->offset;
    double count = 0;
    if (!takes(d, v, &count))
        return refuse(d, from, v, error, cap);
    if (d->type == OPTION_URL)
        return set_url(member, v);
    if (option_is_text(d))
        return set_text(member, v, strlen(v));
    if (d->type == OPTION_FLAG)
        *(bool *)member = true;
    else if (d->type == OPTION_NUMBER)
        *(double *)member = count;
    else
        *(int64_t *)member = (int64_t)count;
    return 0;
}
