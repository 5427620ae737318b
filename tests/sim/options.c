// SPDX-License-Identifier: MIT
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "utc.h"

struct spec;
typedef int (*reader)(struct options *o, const struct spec *spec, const char *arg);

/* One option: everything about it, for parsing and for --help. */
struct spec {
    const char *name;
    const char *arg; /* NULL: takes none */
    reader read;
    size_t at;
    int64_t min;
    int64_t max;
    const char *help;
};

static int read_int(struct options *o, const struct spec *spec, const char *arg)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(arg, &end, 10);
    if (errno || end == arg || *end || value < spec->min || value > spec->max)
        return -EINVAL;
    *(int64_t *)((char *)o + spec->at) = value;
    return 0;
}

static int read_flag(struct options *o, const struct spec *spec, const char *arg)
{
    (void)arg;
    *(bool *)((char *)o + spec->at) = true;
    return 0;
}

static int read_text(struct options *o, const struct spec *spec, const char *arg)
{
    *(const char **)((char *)o + spec->at) = arg;
    return *arg ? 0 : -EINVAL;
}

static int read_dialect(struct options *o, const struct spec *spec, const char *arg)
{
    (void)spec;
    o->latest = strcmp(arg, "legacy") != 0;
    o->legacy = strcmp(arg, "latest") != 0;
    return strcmp(arg, "both") == 0 || o->latest != o->legacy ? 0 : -EINVAL;
}

static int read_now(struct options *o, const struct spec *spec, const char *arg)
{
    (void)spec;
    return utc_parse(arg, &o->now_us);
}

/* One `YYYY-MM-DD=N`. */
static int read_day_count(struct options *o, char *item)
{
    char *equals = strchr(item, '='), *end;
    struct day_count *d = &o->day_counts[o->n_day_counts];

    if (!equals || o->n_day_counts == OPTIONS_MAX_DAYS)
        return -EINVAL;
    *equals = '\0';
    d->count = strtoll(equals + 1, &end, 10);
    if (end == equals + 1 || *end || d->count < 0 || utc_parse_day(item, &d->day) < 0)
        return -EINVAL;
    o->n_day_counts++;
    return 0;
}

static int read_day_counts(struct options *o, const struct spec *spec, const char *arg)
{
    char *copy = strdup(arg), *rest = copy, *item;
    int err = 0;

    (void)spec;
    if (!o->day_counts)
        o->day_counts = calloc(OPTIONS_MAX_DAYS, sizeof *o->day_counts);
    if (!copy || !o->day_counts)
        err = -ENOMEM;
    while (err == 0 && (item = strsep(&rest, ",")))
        err = read_day_count(o, item);
    free(copy);
    return err;
}

#define AT(member) offsetof(struct options, member)

static const struct spec specs[] = {
    {"dialect", "latest|legacy|both", read_dialect, 0, 0, 0, "which paths are served (both)"},
    {"calls", "N", read_int, AT(calls), 0, 20000000, "calls spread over the last --days (10000)"},
    {"days", "D", read_int, AT(days), 1, 4000, "how far back --calls go (30)"},
    {"seed", "S", read_int, AT(seed), 0, INT64_MAX, "what all records are drawn from (1)"},
    {"now", "\"YYYY-MM-DD HH:MM:SS\"", read_now, 0, 0, 0, "virtual UTC time at start (real time)"},
    {"frozen", NULL, read_flag, AT(frozen), 0, 0, "the clock moves only when told to"},
    {"day-counts", "DAY=N,...", read_day_counts, 0, 0, 0, "exact calls that end in those UTC days"},
    {"auth-id", "ID", read_text, AT(auth_id), 0, 0, "account, 20 characters"},
    {"auth-token", "T", read_text, AT(auth_token), 0, 0, "password (simulator-token)"},
    {"latency", "MS", read_int, AT(latency_ms), 0, 600000, "delay before each answer (0)"},
    {"rate", "N", read_int, AT(rate), 0, 1000000, "requests per 5 s before 429 (0: any)"},
    {"max-connections", "N", read_int, AT(max_connections), 1, 60000, "open at a time (4096)"},
    {"console-tz-offset", "MINUTES", read_int, AT(tz_offset_min), -1440, 1440,
     "console zone east of UTC, for legacy initiation_time (0)"},
    {"exit-on-eof", NULL, read_flag, AT(exit_on_eof), 0, 0, "leave when stdin ends"},
};

enum { SPECS = sizeof specs / sizeof specs[0], OPT_HELP = SPECS };

void options_help(FILE *out)
{
    fputs("usage: cdrfs-sim [options]\n\n"
          "Plays the call detail API of a SIP trunking account on a free loopback port.\n"
          "Prints one line of JSON when it listens.\n\n",
          out);
    for (int i = 0; i < SPECS; i++)
        fprintf(out, "  --%s%s%s\n        %s\n", specs[i].name, specs[i].arg ? " " : "",
                specs[i].arg ? specs[i].arg : "", specs[i].help);
    fputs("  --help\n        this text\n", out);
}

static void long_options(struct option out[SPECS + 2])
{
    for (int i = 0; i < SPECS; i++)
        out[i] = (struct option){.name = specs[i].name,
                                 .has_arg = specs[i].arg ? required_argument : no_argument,
                                 .val = i};
    out[SPECS] = (struct option){.name = "help", .val = OPT_HELP};
    out[SPECS + 1] = (struct option){0};
}

static int check(const struct options *o)
{
    if (strlen(o->auth_id) != AUTH_ID_LEN ||
        strspn(o->auth_id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != AUTH_ID_LEN) {
        fprintf(stderr, "cdrfs-sim: --auth-id: want %d capitals and digits\n", AUTH_ID_LEN);
        return -EINVAL;
    }
    return 0;
}

int options_parse(struct options *o, int argc, char **argv)
{
    struct option longs[SPECS + 2];
    int i;

    *o = (struct options){.latest = true, .legacy = true, .calls = 10000, .days = 30, .seed = 1};
    o->now_us = INT64_MIN;
    o->auth_id = "MASIMULATOR000000000";
    o->auth_token = "simulator-token";
    o->max_connections = 4096;
    long_options(longs);
    while ((i = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (i == OPT_HELP)
            return 1;
        if (i < 0 || i >= SPECS)
            return -EINVAL;
        if (specs[i].read(o, &specs[i], optarg) < 0) {
            fprintf(stderr, "cdrfs-sim: --%s: bad value '%s'\n", specs[i].name, optarg);
            return -EINVAL;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "cdrfs-sim: unexpected '%s'\n", argv[optind]);
        return -EINVAL;
    }
    return check(o);
}

void options_release(struct options *o)
{
    free(o->day_counts);
    o->day_counts = NULL;
}
