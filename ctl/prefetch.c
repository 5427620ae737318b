// SPDX-License-Identifier: MIT
/* cdrfsctl prefetch: has a path read ahead, and shows how far that is. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define LOOK_MS 200        /* how often a terminal is painted */
#define LOOK_PLAIN_MS 1000 /* and a line is written where there is none */
#define BAR_MAX 30

/* What the mount says of a wish. */
struct wish {
    int64_t number, calls, expected, requests, left; /* expected, left: -1: not known yet */
    double seconds, rate;
    bool running, failed;
    char path[CTL_PATH_MAX], read_to[32], error[32];
};

static int64_t number_of(json_t *o, const char *name)
{
    json_t *v = json_object_get(o, name);
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

static void copy_text(json_t *o, const char *name, char *out, size_t cap)
{
    const char *s = json_string_value(json_object_get(o, name));
    str_copy(out, cap, s ? s : "", s ? strlen(s) : 0);
}

static bool parse(const char *line, size_t n, struct wish *ret)
{
    json_t *o = json_loadb(line, n, 0, NULL);
    char state[16];
    if (!o)
        return false;
    *ret = (struct wish){.number = number_of(o, "number"),
                         .calls = number_of(o, "calls"),
                         .expected = number_of(o, "calls_expected"),
                         .requests = number_of(o, "requests"),
                         .left = number_of(o, "requests_left"),
                         .seconds = json_number_value(json_object_get(o, "seconds")),
                         .rate = json_number_value(json_object_get(o, "rate"))};
    copy_text(o, "path", ret->path, sizeof(ret->path));
    copy_text(o, "read_to", ret->read_to, sizeof(ret->read_to));
    copy_text(o, "errno", ret->error, sizeof(ret->error));
    copy_text(o, "state", state, sizeof(state));
    ret->running = strcmp(state, "running") == 0;
    ret->failed = strcmp(state, "failed") == 0;
    json_decref(o);
    return true;
}

/* The newest of that path, or of that number if it is not 0. -ENOENT: there is none. */
static int find(const struct place *at, const char *path, int64_t number, struct wish *ret)
{
    CLEANUP_FREE char *text = NULL;
    struct wish w;
    int rc = read_control(at, "prefetch", &text);
    bool found = false;
    for (const char *p = text; rc == 0 && *p;) {
        size_t n = strcspn(p, "\n");
        bool good = parse(p, n, &w);
        if (good && (number ? w.number == number : strcmp(w.path, path) == 0)) {
            *ret = w;
            found = true;
        }
        p += n + (p[n] == '\n');
    }
    return rc < 0 ? rc : found ? 0 : -ENOENT;
}

static int width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

static double part_of(const struct wish *w)
{
    if (w->expected <= 0)
        return w->running ? 0 : 1;
    return w->calls < w->expected ? (double)w->calls / (double)w->expected : 1;
}

/* A row of the terminal, never longer than it is wide, or the next one would scroll. */
static void paint(const struct wish *w)
{
    char row[512], bar[BAR_MAX + 1], eta[32] = "?", left[64] = "";
    double part = part_of(w), rate = w->seconds > 0 ? (double)w->calls / w->seconds : 0;
    int filled = (int)(part * BAR_MAX), columns = width();
    for (int i = 0; i < BAR_MAX; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_MAX] = '\0';
    if (part > 0)
        put_clock(eta, w->seconds * (1 - part) / part);
    if (w->left >= 0)
        snprintf(left, sizeof(left), ", %" PRId64 " requests left at %.4g/s", w->left, w->rate);
    int n = snprintf(row, sizeof(row), "[%s] %3.0f%%  %" PRId64 " calls, %.0f calls/s, ETA %s%s",
                     bar, part * 100, w->calls, rate, eta, left);
    if (columns < (int)sizeof(row) && n >= columns)
        row[columns - 1] = '\0';
    printf("\r%s\033[K", row);
    fflush(stdout);
}

static void put_line(const struct wish *w)
{
    printf("%s: %" PRId64 " calls, %" PRId64 " requests, read to %s", w->path, w->calls,
           w->requests, w->read_to);
    if (w->left >= 0)
        printf(", about %" PRId64 " requests left at %.4g/s", w->left, w->rate);
    printf("\n");
    fflush(stdout);
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* What the API said last, from the end of .cdrfs/errors. */
static void put_cause(const struct place *at)
{
    CLEANUP_FREE char *text = NULL;
    if (read_control(at, "errors", &text) < 0 || !*text)
        return;
    size_t n = strlen(text) - 1;
    text[n] = '\0';
    char *last = strrchr(text, '\n');
    json_t *e = json_loads(last ? last + 1 : text, 0, NULL);
    const char *cause = json_string_value(json_object_get(e, "cause"));
    const char *remedy = json_string_value(json_object_get(e, "remedy"));
    if (cause && remedy)
        fprintf(stderr, "cdrfsctl: %s (%s)\n", cause, remedy);
    json_decref(e);
}

static int end(const struct place *at, const struct wish *w, bool terminal)
{
    char took[32];
    put_clock(took, w->seconds);
    if (terminal)
        printf("\r\033[K");
    printf("%s: %" PRId64 " calls, %" PRId64 " requests, %s%s\n", w->path, w->calls, w->requests,
           took, w->failed ? ", not whole" : "");
    fflush(stdout);
    if (!w->failed)
        return CTL_DONE;
    complain(w->path, w->error);
    put_cause(at);
    return CTL_INCOMPLETE;
}

/* As the mount names it: a date alone is one of by-date. */
static void name_of(const char *path, char out[CTL_PATH_MAX])
{
    const char *before = isdigit((unsigned char)*path) ? "by-date/" : *path ? "" : "/";
    snprintf(out, CTL_PATH_MAX, "%s%.*s", before, CTL_PATH_MAX - 16, path);
}

int ctl_prefetch(const struct place *at)
{
    bool terminal = isatty(STDOUT_FILENO);
    char name[CTL_PATH_MAX];
    struct wish w;
    name_of(at->path, name);
    int rc = write_control(at, "prefetch", at->path);
    if (rc == 0)
        rc = find(at, name, 0, &w);
    while (rc == 0 && w.running) {
        if (terminal)
            paint(&w);
        else
            put_line(&w);
        pause_ms(terminal ? LOOK_MS : LOOK_PLAIN_MS);
        rc = find(at, name, w.number, &w);
    }
    if (rc == -ENODATA)
        return complain(name, "the API serves nothing of it any more");
    return rc < 0 ? complain(name, strerror(-rc)) : end(at, &w, terminal);
}
