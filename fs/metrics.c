// SPDX-License-Identifier: MIT
/* /.cdrfs/metrics: the text format of Prometheus, 0.0.4. */
#include <inttypes.h>

#include "api/plivo.h"
#include "cdrfs_version.h"
#include "fs/control_texts.h"
#include "fs/errors.h"
#include "fs/handlers.h"
#include "fs/park.h"
#include "fs/push.h"

static void put_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_counter(struct buf *out, const char *name, uint64_t v, const char *help)
{
    put_head(out, name, "counter", help);
    buf_printf(out, "%s %" PRIu64 "\n", name, v);
}

static void put_gauge(struct buf *out, const char *name, double v, const char *help)
{
    put_head(out, name, "gauge", help);
    buf_printf(out, "%s %.15g\n", name, v);
}

static void put_codes(const struct http_stats *s, struct buf *out)
{
    put_head(out, "cdrfs_api_requests_total", "counter",
             "Requests sent to the API, by the status of the answer; none: there was no answer.");
    for (int i = 0; i < HTTP_CODES; i++)
        if (i && s->codes[i])
            buf_printf(out, "cdrfs_api_requests_total{code=\"%d\"} %" PRIu64 "\n", i, s->codes[i]);
    buf_printf(out, "cdrfs_api_requests_total{code=\"none\"} %" PRIu64 "\n", s->codes[0]);
}

static void put_latency(const struct http_stats *s, struct buf *out)
{
    uint64_t sum = 0;
    put_head(out, "cdrfs_api_latency_seconds", "histogram", "How long answers of the API took.");
    for (int i = 0; i < HTTP_LATENCIES - 1; i++) {
        sum += s->latency[i];
        buf_printf(out, "cdrfs_api_latency_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                   http_latency_ms[i] / 1000.0, sum);
    }
    sum += s->latency[HTTP_LATENCIES - 1];
    buf_printf(out, "cdrfs_api_latency_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", sum);
    buf_printf(out, "cdrfs_api_latency_seconds_sum %.6f\n", (double)s->latency_us / 1e6);
    buf_printf(out, "cdrfs_api_latency_seconds_count %" PRIu64 "\n", sum);
}

static void put_api(struct fs *fs, struct buf *out)
{
    struct http_stats s;
    struct cache_health h = cache_health(fs->cache);
    plivo_stats(fs->source, &s);
    put_codes(&s, out);
    put_latency(&s, out);
    put_counter(out, "cdrfs_api_retries_total", s.retries, "Requests made again after a failure.");
    put_counter(out, "cdrfs_api_failures_total", s.failed, "Requests given up.");
    put_counter(out, "cdrfs_api_unsent_total", s.unsent,
                "Attempts that found no connection to the API.");
    put_counter(out, "cdrfs_api_received_bytes_total", s.bytes, "Bytes of answers, unpacked.");
    put_gauge(out, "cdrfs_api_running_requests", (double)s.running, "Requests under way.");
    put_gauge(out, "cdrfs_api_waiting_requests", (double)s.waiting, "Requests in the queue.");
    put_gauge(out, "cdrfs_api_rate_limit", s.rate, "Requests a second that may be sent now.");
    put_gauge(out, "cdrfs_api_up", !h.failing, "0: the last listing could not be read.");
    put_gauge(out, "cdrfs_stale", h.stale_since != 0,
              "1: listings that could not be read anew are served as they were.");
}

static void put_windows(const struct cache_stats *s, struct buf *out)
{
    put_head(out, "cdrfs_windows", "gauge",
             "Windows that were read whole, by how they are believed, and those being read.");
    buf_printf(out, "cdrfs_windows{state=\"final\"} %" PRId64 "\n", s->readings[SPAN_FINAL]);
    buf_printf(out, "cdrfs_windows{state=\"fresh\"} %" PRId64 "\n", s->readings[SPAN_FRESH]);
    buf_printf(out, "cdrfs_windows{state=\"stale\"} %" PRId64 "\n", s->readings[SPAN_STALE]);
    buf_printf(out, "cdrfs_windows{state=\"reading\"} %d\n", s->walks);
}

static void put_cache(struct fs *fs, struct buf *out)
{
    struct cache_stats s;
    int64_t calls, bytes;
    cache_stats(fs->cache, &s);
    put_windows(&s, out);
    put_counter(out, "cdrfs_cache_hits_total", s.hits,
                "Listings and look-ups that what is held answered.");
    put_counter(out, "cdrfs_cache_misses_total", s.misses,
                "Listings and look-ups that waited for the API.");
    if (cache_totals(fs->cache, &calls, &bytes) == 0) {
        put_gauge(out, "cdrfs_store_calls", (double)calls, "Calls held.");
        put_gauge(out, "cdrfs_store_bytes", (double)bytes, "Sizes of their files together.");
    }
}

static void put_tier(struct fs *fs, struct buf *out)
{
    struct tier_stats s;
    int64_t unshared;
    if (!cache_tier(fs->cache, &s))
        return;
    put_gauge(out, "cdrfs_shared_up", s.state == TIER_TOGETHER,
              "0: the shared tier is lost, or can only be read.");
    put_gauge(out, "cdrfs_shared_hosts", s.hosts, "Hosts that share it, this one included.");
    put_gauge(out, "cdrfs_shared_leases", s.leases, "Windows this host reads for all.");
    put_gauge(out, "cdrfs_shared_waiting_windows", s.waiting, "Windows another host reads for us.");
    put_counter(out, "cdrfs_shared_copied_calls_total", s.copied, "Calls copied from it.");
    put_counter(out, "cdrfs_shared_published_calls_total", s.published, "Calls given to it.");
    if (cache_unshared(fs->cache, &unshared) == 0)
        put_gauge(out, "cdrfs_shared_unpublished_calls", (double)unshared,
                  "Calls it has still to be given.");
}

static int count_running(struct fs *fs)
{
    struct prefetch *all = calloc(PREFETCH_MAX, sizeof(*all));
    int n = all ? cache_prefetches(fs->cache, all) : 0, running = 0;
    for (int i = 0; i < n; i++)
        running += all[i].state == PREFETCH_RUNNING;
    free(all);
    return running;
}

static void put_fs(struct fs *fs, struct buf *out)
{
    put_gauge(out, "cdrfs_parked_requests", (double)park_count(fs->park),
              "System calls that wait for the API.");
    put_gauge(out, "cdrfs_prefetches", count_running(fs), "Wishes to read ahead under way.");
    put_counter(out, "cdrfs_pushed_files_total", push_count(fs->push),
                "Files given to the kernel before it asked.");
    put_counter(out, "cdrfs_errors_total", errors_count(fs->errors),
                "Failures, as .cdrfs/errors has them.");
    put_head(out, "cdrfs_fuse_messages_total", "counter", "Messages of the kernel.");
    for (int i = 0; i < MESSAGES; i++)
        buf_printf(out, "cdrfs_fuse_messages_total{op=\"%s\"} %" PRIu64 "\n", message_names[i],
                   (uint64_t)atomic_load_explicit(&fs->messages[i], memory_order_relaxed));
}

void metrics_put(struct fs *fs, struct buf *out)
{
    put_head(out, "cdrfs_build_info", "gauge", "The version that runs.");
    buf_printf(out, "cdrfs_build_info{version=\"%s\"} 1\n", CDRFS_VERSION);
    put_api(fs, out);
    put_cache(fs, out);
    put_tier(fs, out);
    put_fs(fs, out);
}
