// SPDX-License-Identifier: MIT
/* /.cdrfs/prefetch: what becomes of wishes to read ahead. */
#include <inttypes.h>
#include <string.h>

#include "api/dialect.h"
#include "api/plivo.h"
#include "cache/clock.h"
#include "fs/control_texts.h"
#include "fs/json.h"

static const char *const states[] = {"running", "done", "failed"};

int64_t progress_expected(const struct prefetch *p)
{
    double whole = (double)p->all.hi - (double)p->all.lo;
    int64_t before = p->calls - p->piece_calls;
    double read = (double)p->piece.lo - (double)p->all.lo;
    if (p->state == PREFETCH_DONE)
        return p->calls;
    if (p->piece_total >= 0) {
        before += p->piece_total > p->piece_calls ? p->piece_total : p->piece_calls;
        read = (double)p->piece.hi - (double)p->all.lo;
    }
    if (whole <= 0 || read <= 0)
        return -1;
    int64_t expected = (int64_t)((double)before * whole / read + 0.5);
    return expected > p->calls ? expected : p->calls;
}

static void put_number(struct buf *out, const char *name, int64_t v)
{
    if (v < 0)
        buf_printf(out, ", \"%s\": null", name);
    else
        buf_printf(out, ", \"%s\": %" PRId64, name, v);
}

static void put(const struct prefetch *p, double rate, int64_t now_ms, struct buf *out)
{
    int64_t expected = progress_expected(p), left = expected - p->calls;
    int64_t ended_ms = p->state == PREFETCH_RUNNING ? now_ms : p->ended_ms;
    buf_printf(out, "{\"number\": %" PRIu64 ", \"path\": ", p->number);
    json_put_text(out, p->name);
    buf_printf(out, ", \"state\": \"%s\", \"errno\": ", states[p->state]);
    json_put_text_or_null(out, p->err ? strerrorname_np(-p->err) : NULL);
    buf_puts(out, ", \"from\": ");
    json_put_time(out, p->all.lo);
    buf_puts(out, ", \"to\": ");
    json_put_time(out, p->all.hi);
    buf_puts(out, ", \"read_to\": ");
    json_put_time(out, p->state == PREFETCH_DONE ? p->all.hi : p->piece.lo);
    put_number(out, "calls", p->calls);
    put_number(out, "calls_expected", expected);
    put_number(out, "requests", p->requests);
    put_number(out, "requests_left",
               expected < 0 ? -1 : (left + API_PAGE_LIMIT - 1) / API_PAGE_LIMIT);
    buf_printf(out, ", \"seconds\": %.3f, \"rate\": %.4g}\n",
               (double)(ended_ms - p->began_ms) / 1000, rate);
}

void progress_put(struct fs *fs, struct buf *out)
{
    CLEANUP_FREE struct prefetch *all = calloc(PREFETCH_MAX, sizeof(*all));
    struct http_stats s;
    int n = all ? cache_prefetches(fs->cache, all) : 0;
    plivo_stats(fs->source, &s);
    for (int i = 0; i < n; i++)
        put(&all[i], s.rate, clock_ms(), out);
}

void progress_put_running(struct fs *fs, struct buf *out)
{
    CLEANUP_FREE struct prefetch *all = calloc(PREFETCH_MAX, sizeof(*all));
    int n = all ? cache_prefetches(fs->cache, all) : 0;
    for (int i = 0; i < n; i++) {
        const struct prefetch *p = &all[i];
        if (p->state == PREFETCH_RUNNING)
            buf_printf(out, "prefetch: %s, %" PRId64 " calls so far of about %" PRId64 "\n",
                       p->name, p->calls, progress_expected(p) < 0 ? 0 : progress_expected(p));
    }
}
