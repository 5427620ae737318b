// SPDX-License-Identifier: MIT
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#include "utc.h"

enum { CHUNK = 48 << 10, CHUNK_MAX = 64 << 20 };

/* A walk over a fixed set of ids; lines are made as the client reads them. */
struct walk {
    struct store *store;
    enum dialect dialect;
    uint32_t *ids;
    size_t n;
    size_t next;
    struct text lines;
    size_t sent; /* of lines */
};

static void refill(struct walk *w)
{
    w->lines.len = 0;
    w->sent = 0;
    while (w->next < w->n && w->lines.len < CHUNK && !w->lines.err)
        store_oracle(w->store, w->ids[w->next++], w->dialect, &w->lines);
}

static ssize_t read_walk(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct walk *w = cls;
    size_t n;

    (void)pos;
    if (w->sent == w->lines.len)
        refill(w);
    n = w->lines.len - w->sent;
    if (w->lines.err)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!n)
        return MHD_CONTENT_READER_END_OF_STREAM;
    n = n > max ? max : n;
    memcpy(buf, w->lines.data + w->sent, n);
    w->sent += n;
    return (ssize_t)n;
}

static void free_walk(void *cls)
{
    struct walk *w = cls;

    text_release(&w->lines);
    free(w->ids);
    free(w);
}

/* Reads a bound of the window; absent means `*ret` as it is. */
static bool bound(const struct args *args, const char *key, int64_t *ret)
{
    const char *s = args_get(args, key);
    int64_t us;

    if (!s)
        return true;
    if (utc_parse(s, &us) < 0)
        return false;
    *ret = us / UTC_SECOND_US + (us % UTC_SECOND_US > 0);
    return true;
}

void oracle_answer(const struct control_request *req, struct reply *reply)
{
    const char *dialect = args_get(req->args, "dialect");
    int64_t from = INT64_MIN, to = INT64_MAX;
    struct walk *w;

    if (!bound(req->args, "from", &from) || !bound(req->args, "to", &to) ||
        (dialect && strcmp(dialect, "latest") != 0 && strcmp(dialect, "legacy") != 0)) {
        reply_error(reply, 400, "dialect: latest or legacy; from, to: UTC times");
        return;
    }
    w = calloc(1, sizeof *w);
    if (!w || store_ids(&req->sim->store, from, to, &w->ids, &w->n) < 0) {
        free(w);
        reply_error(reply, 500, "out of memory");
        return;
    }
    w->store = &req->sim->store;
    w->dialect = dialect && strcmp(dialect, "legacy") == 0 ? DIALECT_LEGACY : DIALECT_LATEST;
    text_init(&w->lines, CHUNK_MAX);
    reply->type = "application/x-ndjson";
    reply->mode = REPLY_STREAM;
    reply->read = read_walk;
    reply->read_state = w;
    reply->read_free = free_walk;
}
