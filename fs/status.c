// SPDX-License-Identifier: MIT
/* /.cdrfs/status: for people. */
#include <inttypes.h>

#include "api/plivo.h"
#include "api/utc.h"
#include "fs/control_texts.h"
#include "fs/options.h"
#include "fs/park.h"
#include "fs/query_path.h"

static void put_time(struct buf *out, const char *what, int64_t t)
{
    char text[UTC_TEXT_MAX];
    utc_format(t, text);
    buf_printf(out, "%s %s", what, text);
}

static void put_health(struct fs *fs, const struct cache_health *h, struct buf *out)
{
    buf_puts(out, "api: ");
    if (h->failing || (h->failed_at && h->stale_since)) {
        put_time(out, "failed", h->failed_at);
        buf_printf(out, ": %s (%s)\n", h->why.detail, failure_remedy(&h->why));
    } else if (h->good_at) {
        put_time(out, "answered", h->good_at);
        buf_puts(out, "\n");
    } else {
        buf_puts(out, "not asked for a listing yet\n");
    }
    if (h->stale_since) {
        put_time(out, "listings: stale since", h->stale_since);
        buf_puts(out, "; what is held is served\n");
    } else {
        buf_puts(out, "listings: fresh\n");
    }
    if (h->store.err)
        buf_printf(out, "store: %s (%s)\n", h->store.detail, failure_remedy(&h->store));
    else
        buf_printf(out, "store: %s\n",
                   *cache_warning(fs->cache) ? cache_warning(fs->cache) : "good");
}

static void put_requests(struct fs *fs, struct buf *out)
{
    struct http_stats s;
    plivo_stats(fs->source, &s);
    buf_printf(out,
               "requests: %" PRIu64 " sent, %" PRIu64 " retried, %" PRIu64 " given up; %" PRId64
               " under way, %" PRId64 " waiting\n",
               s.sent, s.retries, s.failed, s.running, s.waiting);
    buf_printf(out, "rate: %.4g a second of %.4g, %d at once", s.rate, s.rate_most, s.connections);
    if (s.recent_us)
        buf_printf(out, "; an answer takes %.0f ms", (double)s.recent_us / 1000);
    buf_puts(out, "\n");
}

static void put_walks(const struct cache_stats *s, struct buf *out)
{
    for (int i = 0; i < s->walks && i < CACHE_WALKS_SHOWN; i++) {
        const struct cache_walk *w = &s->walk[i];
        buf_puts(out, w->ahead ? "reading ahead: " : "reading: ");
        query_path_days(&w->q, "", out);
        if (w->total < 0)
            buf_puts(out, ", nothing has come yet\n");
        else
            buf_printf(out, ", %" PRId64 " of %" PRId64 " calls\n", w->rows, w->total);
    }
    if (s->walks > CACHE_WALKS_SHOWN)
        buf_printf(out, "reading: %d more\n", s->walks - CACHE_WALKS_SHOWN);
}

static void put_tier(struct fs *fs, struct buf *out)
{
    static const char *const states[] = {
        [TIER_CONNECTING] = "not reached yet",
        [TIER_TOGETHER] = "together",
        [TIER_READING] = "only read",
        [TIER_LOST] = "lost, going on alone",
    };
    struct tier_stats s;
    int64_t unshared;
    if (!cache_tier(fs->cache, &s))
        return;
    buf_printf(out, "shared tier: %s", states[s.state]);
    if (*s.error)
        buf_printf(out, " (%s)", s.error);
    buf_printf(out, "; %d host%s", s.hosts, s.hosts == 1 ? "" : "s");
    if (s.state != TIER_TOGETHER)
        buf_printf(out, ", of whose rate %.3g a second are ours", s.rate);
    buf_puts(out, "\n");
    buf_printf(out, "shared calls: %" PRIu64 " copied, %" PRIu64 " published", s.copied,
               s.published);
    if (cache_unshared(fs->cache, &unshared) == 0)
        buf_printf(out, ", %" PRId64 " still to publish", unshared);
    buf_printf(out, "; %d windows leased, %d waiting for another host\n", s.leases, s.waiting);
}

void status_put(struct fs *fs, struct buf *out)
{
    struct cache_health health = cache_health(fs->cache);
    struct cache_stats stats;
    int64_t calls = 0, bytes = 0;
    cache_stats(fs->cache, &stats);
    if (cache_totals(fs->cache, &calls, &bytes) < 0)
        calls = bytes = -1;
    buf_printf(out, "account: %s at %s (%s)\n", fs->auth_id, fs->api_url, fs->options->dialect);
    put_health(fs, &health, out);
    put_requests(fs, out);
    put_tier(fs, out);
    buf_printf(out, "held: %" PRId64 " calls, %" PRId64 " bytes\n", calls, bytes);
    buf_printf(out, "windows: %" PRId64 " final, %" PRId64 " fresh, %" PRId64 " stale\n",
               stats.readings[SPAN_FINAL], stats.readings[SPAN_FRESH], stats.readings[SPAN_STALE]);
    buf_printf(out, "system calls waiting: %zu\n", park_count(fs->park));
    put_walks(&stats, out);
    progress_put_running(fs, out);
}
