// SPDX-License-Identifier: MIT
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { OPTIONS_MAX_DAYS = 4000, AUTH_ID_LEN = 20 };

/* A day of which the number of calls was given. */
struct day_count {
    int64_t day; /* its first second, UTC */
    int64_t count;
};

/* The command line. Texts are borrowed from argv. */
struct options {
    bool latest;
    bool legacy;
    int64_t calls;
    int64_t days;
    uint64_t seed;
    int64_t now_us; /* INT64_MIN: the real time */
    bool frozen;
    struct day_count *day_counts;
    size_t n_day_counts;
    const char *auth_id;
    const char *auth_token;
    int64_t latency_ms;
    int64_t rate;
    int64_t max_connections;
    int64_t tz_offset_min;
    bool exit_on_eof;
};

/* Reads argv. Returns 0, 1 when --help was asked for, or -EINVAL after one line on stderr. */
int options_parse(struct options *o, int argc, char **argv);

/* Frees what parsing allocated. */
void options_release(struct options *o);

/* Writes the usage text. */
void options_help(FILE *out);

#endif
