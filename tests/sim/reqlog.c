// SPDX-License-Identifier: MIT
#include "reqlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vclock.h"

struct reqlog_entry {
    int64_t at_us;
    char *method;
    char *url;
    char *user_agent;
    int port;
    bool done;
    struct outcome outcome;
};

static const struct outcome no_outcome = {
    .rows = REQLOG_NONE, .total = REQLOG_NONE, .offset = REQLOG_NONE, .limit = REQLOG_NONE};

void reqlog_init(struct reqlog *l)
{
    pthread_condattr_t attr;

    *l = (struct reqlog){.start_us = mono_now_us()};
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
}

static void drop(struct reqlog *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(l->entries[i].method);
        free(l->entries[i].url);
        free(l->entries[i].user_agent);
    }
    memmove(l->entries, l->entries + n, (l->n - n) * sizeof *l->entries);
    l->n -= n;
    l->first += n;
}

void reqlog_release(struct reqlog *l)
{
    if (l->entries)
        drop(l, l->n);
    free(l->entries);
    free(l->arrived.at);
    free(l->admitted.at);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
}

static void window_expire(struct window *w, int64_t now)
{
    while (w->len && w->at[w->head] <= now - REQLOG_WINDOW_US) {
        w->head = (w->head + 1) % w->cap;
        w->len--;
    }
}

static void window_add(struct window *w, int64_t now)
{
    if (w->len == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 1024;
        int64_t *at = malloc(cap * sizeof *at);

        if (!at)
            return;
        for (size_t i = 0; i < w->len; i++)
            at[i] = w->at[(w->head + i) % w->cap];
        free(w->at);
        *w = (struct window){.at = at, .len = w->len, .cap = cap};
    }
    w->at[(w->head + w->len++) % w->cap] = now;
}

/* Room for one more entry; the older half is given up at the ceiling. */
static bool reserve_locked(struct reqlog *l)
{
    size_t cap = l->cap ? l->cap * 2 : 256;
    struct reqlog_entry *entries;

    if (l->n == REQLOG_MAX)
        drop(l, REQLOG_MAX / 2);
    if (l->n < l->cap)
        return true;
    entries = realloc(l->entries, cap * sizeof *entries);
    if (!entries)
        return false;
    l->entries = entries;
    l->cap = cap;
    return true;
}

static void count_arrival_locked(struct reqlog *l, int64_t now)
{
    window_expire(&l->arrived, now);
    window_add(&l->arrived, now);
    if ((int64_t)l->arrived.len > l->max_in_5s)
        l->max_in_5s = (int64_t)l->arrived.len;
    if (++l->in_flight > l->max_in_flight)
        l->max_in_flight = l->in_flight;
    pthread_cond_broadcast(&l->changed);
}

uint64_t reqlog_arrive(struct reqlog *l, const struct arrival *a)
{
    struct reqlog_entry entry = {.at_us = mono_now_us(),
                                 .method = strdup(a->method),
                                 .url = strdup(a->url),
                                 .user_agent = strdup(a->user_agent),
                                 .port = a->port,
                                 .outcome = no_outcome};
    uint64_t seq = UINT64_MAX;

    pthread_mutex_lock(&l->lock);
    if (reserve_locked(l)) {
        seq = l->first + l->n;
        l->entries[l->n++] = entry;
    }
    count_arrival_locked(l, entry.at_us);
    pthread_mutex_unlock(&l->lock);
    return seq;
}

static struct reqlog_entry *entry_locked(struct reqlog *l, uint64_t seq)
{
    return seq >= l->first && seq - l->first < l->n ? &l->entries[seq - l->first] : NULL;
}

void reqlog_answer(struct reqlog *l, uint64_t seq, const struct outcome *o)
{
    struct reqlog_entry *e;

    pthread_mutex_lock(&l->lock);
    e = entry_locked(l, seq);
    if (e)
        e->outcome = *o;
    if (e && o->status > 0 && o->status < REQLOG_STATUS_MAX)
        l->by_status[o->status]++;
    pthread_mutex_unlock(&l->lock);
}

void reqlog_finish(struct reqlog *l, uint64_t seq, bool done)
{
    struct reqlog_entry *e;

    pthread_mutex_lock(&l->lock);
    e = entry_locked(l, seq);
    if (e)
        e->done = done;
    l->in_flight--;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

void reqlog_connection(struct reqlog *l)
{
    pthread_mutex_lock(&l->lock);
    l->connections++;
    pthread_mutex_unlock(&l->lock);
}

bool reqlog_admit(struct reqlog *l, int64_t rate)
{
    int64_t now = mono_now_us();
    bool fits;

    if (rate <= 0)
        return true;
    pthread_mutex_lock(&l->lock);
    window_expire(&l->admitted, now);
    fits = (int64_t)l->admitted.len < rate;
    if (fits)
        window_add(&l->admitted, now);
    pthread_mutex_unlock(&l->lock);
    return fits;
}

static bool holds_locked(const struct reqlog *l, const struct condition *c)
{
    int64_t requests = (int64_t)(l->first + l->n - l->base);

    return (c->requests == REQLOG_NONE || requests >= c->requests) &&
           (c->in_flight == REQLOG_NONE || l->in_flight >= c->in_flight) &&
           (c->idle != 1 || l->in_flight == 0);
}

int reqlog_wait(struct reqlog *l, const struct condition *c, int64_t timeout_ms)
{
    int64_t until = mono_now_us() + timeout_ms * 1000;
    struct timespec ts = {until / 1000000, until % 1000000 * 1000};
    int err = 0;

    pthread_mutex_lock(&l->lock);
    while (!holds_locked(l, c) && err == 0)
        err = l->closed ? -ESHUTDOWN : -pthread_cond_timedwait(&l->changed, &l->lock, &ts);
    if (holds_locked(l, c))
        err = 0;
    pthread_mutex_unlock(&l->lock);
    return err;
}

void reqlog_close(struct reqlog *l)
{
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

void reqlog_clear(struct reqlog *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->entries)
        drop(l, l->n);
    l->base = l->first;
    l->max_in_flight = l->in_flight;
    l->max_in_5s = 0;
    l->connections = 0;
    l->arrived.len = 0;
    memset(l->by_status, 0, sizeof l->by_status);
    pthread_mutex_unlock(&l->lock);
}

static void put_count(struct text *t, const char *key, int64_t value)
{
    if (value == REQLOG_NONE)
        text_fmt(t, ",\"%s\":null", key);
    else
        text_fmt(t, ",\"%s\":%lld", key, (long long)value);
}

static void put_text(struct text *t, const char *key, const char *value)
{
    text_fmt(t, ",\"%s\":", key);
    if (value)
        text_json(t, value, strlen(value));
    else
        text_str(t, "null");
}

static void put_entry(struct text *t, const struct reqlog_entry *e, uint64_t n, int64_t start_us)
{
    text_fmt(t, "{\"n\":%llu,\"t\":%.6f", (unsigned long long)n,
             (double)(e->at_us - start_us) / 1e6);
    put_text(t, "method", e->method);
    put_text(t, "url", e->url);
    put_count(t, "status", e->outcome.status);
    put_count(t, "rows", e->outcome.rows);
    put_count(t, "total", e->outcome.total);
    put_count(t, "offset", e->outcome.offset);
    put_count(t, "limit", e->outcome.limit);
    text_fmt(t, ",\"auth\":%s", e->outcome.auth ? "true" : "false");
    put_text(t, "fault", e->outcome.fault);
    put_text(t, "user_agent", e->user_agent);
    put_count(t, "conn", e->port);
    text_fmt(t, ",\"done\":%s}\n", e->done ? "true" : "false");
}

void reqlog_dump(struct reqlog *l, struct text *out)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n; i++)
        put_entry(out, &l->entries[i], l->first + i - l->base + 1, l->start_us);
    pthread_mutex_unlock(&l->lock);
}

void reqlog_stats(struct reqlog *l, struct text *out)
{
    const char *comma = "";

    pthread_mutex_lock(&l->lock);
    text_fmt(out, "{\"requests\":%llu,\"by_status\":{",
             (unsigned long long)(l->first + l->n - l->base));
    for (int i = 0; i < REQLOG_STATUS_MAX; i++) {
        if (!l->by_status[i])
            continue;
        text_fmt(out, "%s\"%d\":%lld", comma, i, (long long)l->by_status[i]);
        comma = ",";
    }
    text_str(out, "}");
    put_count(out, "in_flight", l->in_flight);
    put_count(out, "max_in_flight", l->max_in_flight);
    put_count(out, "max_in_5s", l->max_in_5s);
    put_count(out, "connections", l->connections);
    text_str(out, "}\n");
    pthread_mutex_unlock(&l->lock);
}
