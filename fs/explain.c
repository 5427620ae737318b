// SPDX-License-Identifier: MIT
/* /.cdrfs/explain: what a path is to the API, and what it would cost. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/plivo.h"
#include "fs/control_texts.h"
#include "fs/json.h"
#include "fs/query_path.h"

#define LATENCY_GUESS_S 0.25 /* before the first answer */

static const char *const states[SPAN_STATES] = {"stale", "fresh", "final"};

double explain_seconds(int64_t requests, double rate, int connections, double latency_s)
{
    double burst = rate / 2 > 1 ? rate / 2 : 1;
    if (requests <= 0)
        return 0;
    int64_t rounds = 1 + (requests - 1 + connections - 1) / connections;
    double answers = (double)rounds * latency_s;
    double leaves = (double)requests > burst ? ((double)requests - burst) / rate : 0;
    return answers > leaves ? answers : leaves;
}

/* A URL is masked before its quotes are escaped: a token could have some. */
static void put_curl(struct fs *fs, const struct cache_explained *x, const char *uuid,
                     struct buf *out)
{
    struct buf url = buf_make(URL_MAX_BYTES), line = buf_make(2 * URL_MAX_BYTES);
    if (*uuid)
        plivo_call_url(fs->source, uuid, &url);
    if (!url.len && x->asks)
        plivo_list_url(fs->source, &x->asked, &url);
    if (url.len && !buf_error(&url)) {
        mask_text(&fs->log->mask, url.p);
        buf_printf(&line, "curl -u '%s':\"$PLIVO_AUTH_TOKEN\" '%s'", fs->auth_id, url.p);
    }
    json_put_text_or_null(out, line.p);
    buf_release(&url);
    buf_release(&line);
}

static void put_path(const struct query *q, const char *uuid, struct buf *out)
{
    struct buf path = buf_make(QUERY_PATH_MAX);
    query_path(q, uuid, &path);
    json_put_text_or_null(out, path.p);
    buf_release(&path);
}

/* What the host does not filter by. */
static void put_here(const struct query *q, const struct query *asked, struct buf *out)
{
    const char *comma = "";
    buf_puts(out, "[");
    for (int i = 0; i < AXES; i++) {
        bool wanted = i < NUM_AXES ? !range_is_all(q->num[i]) : *q->text[i - NUM_AXES];
        bool sent = i < NUM_AXES ? !range_is_all(asked->num[i]) : *asked->text[i - NUM_AXES];
        if (!wanted || sent)
            continue;
        buf_puts(out, comma);
        json_put_text(out, axes[i].dir);
        comma = ", ";
    }
    buf_puts(out, "]");
}

static void put_readings(const struct cache_explained *x, struct buf *out)
{
    buf_puts(out, "  \"covered_by\": [");
    for (int i = 0; i < x->readings && i < CACHE_READINGS_SHOWN; i++) {
        const struct cache_reading *r = &x->reading[i];
        buf_puts(out, i ? ",\n    {\"path\": " : "\n    {\"path\": ");
        put_path(&r->q, "", out);
        buf_puts(out, ", \"fetched_at\": ");
        json_put_time(out, r->fetched_at);
        buf_printf(out, ", \"state\": \"%s\"}", states[r->state]);
    }
    buf_puts(out, x->readings ? "\n  ],\n" : "],\n");
}

static void put_cost(struct fs *fs, const char *name, int64_t requests, struct buf *out)
{
    struct http_stats s;
    plivo_stats(fs->source, &s);
    double latency = s.recent_us ? (double)s.recent_us / 1e6 : LATENCY_GUESS_S;
    buf_printf(out, "  \"%s\": {\"requests\": %" PRId64 ", \"seconds\": %.3f},\n", name, requests,
               explain_seconds(requests, s.rate, s.connections, latency));
}

static const char *state_of(const struct cache_explained *x)
{
    if (x->beyond)
        return x->held ? "final" : "no longer served";
    if (x->known)
        return x->expires_at == INT64_MAX ? "final" : "fresh";
    return x->held       ? "stale"
           : x->readings ? "held in part"
           : x->archived ? "in the shared tier"
                         : "not held";
}

int explain_put(struct fs *fs, const struct dir *d, const char *uuid, struct buf *out)
{
    CLEANUP_FREE struct cache_explained *x = malloc(sizeof(*x));
    int rc = x ? cache_explain(fs->cache, &d->q, uuid, x) : -ENOMEM;
    if (rc < 0)
        return rc;
    buf_puts(out, "{\n  \"path\": ");
    put_path(&d->q, uuid, out);
    buf_printf(out, ",\n  \"state\": \"%s\",\n", state_of(x));
    buf_printf(out, "  \"covered\": %s,\n  \"complete\": %s,\n", x->known ? "true" : "false",
               x->held ? "true" : "false");
    buf_puts(out, "  \"fetched_at\": ");
    json_put_time(out, x->fetched_at);
    buf_puts(out, ",\n  \"expires_at\": ");
    json_put_time(out, x->expires_at);
    buf_printf(out, ",\n  \"calls\": %" PRId64 ",\n  \"pages\": %" PRId64 ",\n", x->calls,
               (x->calls + API_PAGE_LIMIT - 1) / API_PAGE_LIMIT);
    put_readings(x, out);
    put_cost(fs, "read", x->requests, out);
    put_cost(fs, "reread", x->reread, out);
    buf_printf(out, "  \"at_least\": %s,\n  \"shared\": %s,\n  \"evaluated_here\": ",
               x->sure ? "false" : "true", x->shared ? "true" : "false");
    put_here(&d->q, x->asks ? &x->asked : &d->q, out);
    buf_puts(out, ",\n  \"curl\": ");
    put_curl(fs, x, uuid, out);
    buf_puts(out, "\n}\n");
    return 0;
}
