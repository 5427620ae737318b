// SPDX-License-Identifier: MIT
/* Listings, and what of them is made ready before it is asked for. */
#include <errno.h>

#include "api/utc.h"
#include "cache/keeper.h"

int cache_list(struct cache *c, const struct query *q, int64_t after, store_entry_fn *fn, void *arg)
{
    struct rows rows;
    bool go_on = true;
    if (after == 0)
        ready_begin(&c->ready, q);
    bool ready = ready_take(&c->ready, q, after, cache_changes(c), &rows);
    for (size_t i = 0; i < rows.n && go_on; i++) {
        go_on = fn(arg, &rows.v[i]);
        after = rows.v[i].id;
    }
    bool done = ready && (rows.all || !go_on);
    rows_release(&rows);
    return done ? 0 : cache_told(c, store_list(c->store, q, after, fn, arg));
}

struct gathering {
    struct rows rows;
    size_t room, most;
    bool failed;
};

static bool take_row(void *arg, const struct entry *e)
{
    struct gathering *g = arg;
    struct rows *r = &g->rows;
    r->all = r->n < g->most;
    if (!r->all)
        return false;
    if (r->n == g->room) {
        size_t room = g->room ? 2 * g->room : 64;
        struct entry *v = realloc(r->v, room * sizeof(*v));
        g->failed = !v;
        if (!v)
            return false;
        r->v = v;
        g->room = room;
    }
    r->v[r->n++] = *e;
    return true;
}

/* At most so many rows. False: whoever asks for them will find out what is wrong. */
static bool gather(struct cache *c, const struct query *q, int64_t after, size_t most,
                   struct rows *ret)
{
    struct gathering g = {.rows.all = true, .most = most < READY_ROWS ? most : READY_ROWS};
    int rc = store_list(c->store, q, after, take_row, &g);
    if (rc < 0 || g.failed)
        rows_release(&g.rows);
    *ret = g.rows;
    return rc == 0 && !g.failed;
}

static struct query window_beside(const struct query *q, int64_t days)
{
    struct query next = *q;
    next.num[AXIS_END_TIME].lo += days * UTC_DAY;
    next.num[AXIS_END_TIME].hi += days * UTC_DAY;
    return next;
}

/* The next day on that way that has calls: others are not listed. */
static void expect_beside(struct cache *c, const struct query *q, int way, size_t most)
{
    struct rows rows = {0};
    for (int days = 1; days <= READY_GAP_DAYS; days++) {
        struct query next = window_beside(q, way * days);
        uint64_t changes = cache_changes(c);
        if (!cache_known(c, &next) || ready_has(&c->ready, &next, 0, changes) ||
            !gather(c, &next, 0, most, &rows))
            return;
        if (rows.n) {
            ready_put(&c->ready, &next, 0, changes, &rows);
            return;
        }
    }
}

void cache_expect(struct cache *c, const struct query *q, int64_t after, size_t most, bool goes_on)
{
    struct rows rows;
    int way = ready_way(&c->ready, q);
    uint64_t changes = cache_changes(c);
    if ((!way && !goes_on) || !cache_known(c, q) || ready_has(&c->ready, q, after, changes) ||
        !gather(c, q, after, most, &rows))
        return;
    bool all = rows.all;
    ready_put(&c->ready, q, after, changes, &rows);
    if (all && way)
        expect_beside(c, q, way, most);
}
