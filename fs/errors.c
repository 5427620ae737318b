// SPDX-License-Identifier: MIT
#include "fs/errors.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "fs/json.h"
#include "fs/query_path.h"

struct error {
    int64_t first, last; /* UTC seconds */
    uint64_t times;      /* 0: none is here */
    char path[QUERY_PATH_MAX];
    struct failure why;
};

struct errors {
    const struct mask *mask;
    pthread_mutex_t lock; /* guards the rest */
    uint64_t count;
    struct error v[ERRORS_MAX]; /* oldest first */
};

struct errors *errors_create(const struct mask *mask)
{
    struct errors *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->mask = mask;
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

void errors_destroy(struct errors *e)
{
    if (!e)
        return;
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* The API's id differs each time. */
static bool is_same(const struct error *a, const struct error *b)
{
    return a->times && a->why.err == b->why.err && a->why.http == b->why.http &&
           strcmp(a->path, b->path) == 0 && strcmp(a->why.detail, b->why.detail) == 0;
}

void errors_add(struct errors *e, int64_t now, const char *path, const struct failure *f)
{
    struct error added = {.first = now, .last = now, .times = 1, .why = *f};
    int at = 0;
    str_copy(added.path, sizeof(added.path), path, strlen(path));
    mask_text(e->mask, added.path);
    mask_text(e->mask, added.why.detail);
    mask_text(e->mask, added.why.api_id);
    pthread_mutex_lock(&e->lock);
    while (at < ERRORS_MAX && !is_same(&e->v[at], &added))
        at++;
    if (at < ERRORS_MAX) {
        added.first = e->v[at].first;
        added.times += e->v[at].times;
    } else {
        at = 0; /* the oldest goes, or nothing that stands in front */
    }
    memmove(&e->v[at], &e->v[at + 1], (size_t)(ERRORS_MAX - 1 - at) * sizeof(e->v[0]));
    e->v[ERRORS_MAX - 1] = added;
    e->count++;
    pthread_mutex_unlock(&e->lock);
}

static const char *name_of(int err, char spare[16])
{
    const char *name = strerrorname_np(-err);
    snprintf(spare, 16, "%d", -err);
    return name ? name : spare;
}

static void put(const struct error *e, struct buf *out)
{
    char spare[16];
    buf_puts(out, "{\"time\": ");
    json_put_time(out, e->last);
    buf_puts(out, ", \"path\": ");
    json_put_text(out, e->path);
    buf_puts(out, ", \"errno\": ");
    json_put_text(out, name_of(e->why.err, spare));
    buf_puts(out, ", \"cause\": ");
    json_put_text(out, e->why.detail);
    buf_puts(out, ", \"remedy\": ");
    json_put_text(out, failure_remedy(&e->why));
    buf_puts(out, ", \"http_status\": ");
    if (e->why.http)
        buf_printf(out, "%d", e->why.http);
    else
        buf_puts(out, "null");
    buf_puts(out, ", \"api_id\": ");
    json_put_text_or_null(out, e->why.api_id);
    buf_printf(out, ", \"times\": %" PRIu64 ", \"first\": ", e->times);
    json_put_time(out, e->first);
    buf_puts(out, "}\n");
}

void errors_put(struct errors *e, struct buf *out)
{
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < ERRORS_MAX; i++)
        if (e->v[i].times)
            put(&e->v[i], out);
    pthread_mutex_unlock(&e->lock);
}

uint64_t errors_count(struct errors *e)
{
    pthread_mutex_lock(&e->lock);
    uint64_t count = e->count;
    pthread_mutex_unlock(&e->lock);
    return count;
}
