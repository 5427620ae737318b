// SPDX-License-Identifier: MIT
#include "cache/walk.h"

#include <errno.h>
#include <string.h>

void walk_init(struct walk *w, int limit)
{
    *w = (struct walk){.limit = limit,
                       .pass = 1,
                       .total = -1,
                       .end = limit,
                       .short_at = INT64_MAX,
                       .last = -1,
                       .probe = -1,
                       .before_rows = -1};
}

void walk_release(struct walk *w)
{
    free(w->rows);
    w->rows = NULL;
}

/* splitmix64's finisher: every bit of the input moves every bit of the result. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x ? x : 1;
}

uint64_t walk_row(const char *uuid)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *uuid; uuid++)
        h = (h ^ (unsigned char)*uuid) * 0x100000001b3u;
    return mix(h);
}

uint64_t walk_bad_row(int64_t place)
{
    return mix((uint64_t)place + 0x9e3779b97f4a7c15u);
}

static bool set_put(uint64_t *rows, size_t cap, uint64_t row)
{
    size_t i = (size_t)row & (cap - 1);
    for (; rows[i]; i = (i + 1) & (cap - 1))
        if (rows[i] == row)
            return false;
    rows[i] = row;
    return true;
}

static int set_grow(struct walk *w)
{
    size_t cap = w->cap ? w->cap * 2 : 256;
    uint64_t *rows = calloc(cap, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < w->cap; i++)
        if (w->rows[i])
            set_put(rows, cap, w->rows[i]);
    free(w->rows);
    w->rows = rows;
    w->cap = cap;
    return 0;
}

/* Returns the number of rows that had not come before in this pass. */
static int add_rows(struct walk *w, const uint64_t *rows, int n)
{
    int added = 0;
    for (int i = 0; i < n; i++) {
        if (w->nrows * 2 >= w->cap && set_grow(w) < 0)
            return -ENOMEM;
        if (set_put(w->rows, w->cap, rows[i])) {
            w->nrows++;
            w->sum += rows[i];
            added++;
        }
    }
    return added;
}

int64_t walk_next(struct walk *w)
{
    if (w->state != WALK_ASKING)
        return -1;
    if (w->probe >= 0 && w->out == 0) {
        w->out++;
        return w->probe;
    }
    if (w->next >= w->end)
        return -1;
    int64_t offset = w->next;
    w->next += w->limit;
    w->out++;
    return offset;
}

static void next_pass(struct walk *w)
{
    if (w->pass == WALK_PASSES) {
        w->state = WALK_BROKEN;
        return;
    }
    w->pass++;
    w->before_rows = w->moved || w->doubles ? -1 : (int64_t)w->nrows;
    w->before_sum = w->sum;
    w->doubles = 0;
    w->nrows = 0;
    w->sum = 0;
    if (w->rows)
        memset(w->rows, 0, w->cap * sizeof(*w->rows));
    w->total = -1;
    w->moved = false;
    w->next = 0;
    w->end = w->limit;
    w->short_at = INT64_MAX;
    w->last = -1;
}

/* All pages of the pass came. */
static void judge(struct walk *w, int added)
{
    bool ended = w->short_at != INT64_MAX;
    if (!w->moved && (int64_t)w->nrows == w->total) {
        w->state = WALK_WHOLE;
        return;
    }
    if (!ended && added > 0) { /* there is more than total_count admits */
        w->end += w->limit;
        if (w->end / w->limit > WALK_PAGES_MAX)
            w->state = WALK_BROKEN;
        return;
    }
    bool plain = ended && w->last <= w->short_at && !w->moved && !w->doubles;
    if (plain && (int64_t)w->nrows == w->before_rows && w->sum == w->before_sum)
        w->probe = (int64_t)w->nrows;
    else
        next_pass(w);
}

int walk_page(struct walk *w, int64_t offset, int64_t total, const uint64_t *rows, int n,
              int64_t held)
{
    w->out--;
    w->pages++;
    if (w->state != WALK_ASKING)
        return 0;
    if (w->probe >= 0) {
        w->state = n ? WALK_BROKEN : WALK_WHOLE;
        return 0;
    }
    int added = add_rows(w, rows, n);
    if (added < 0)
        return added;
    w->doubles += n - added;
    if (total / w->limit > WALK_PAGES_MAX) {
        w->state = WALK_BROKEN;
        return 0;
    }
    if (w->total >= 0 && total != w->total)
        w->moved = true;
    w->total = total;
    if (n < w->limit && offset < w->short_at)
        w->short_at = offset;
    if (n > 0 && offset > w->last)
        w->last = offset;
    if (offset == 0) {
        if (held == total && w->pass == 1) {
            w->state = WALK_WHOLE;
            return 0;
        }
        if (total > w->end)
            w->end = (total + w->limit - 1) / w->limit * w->limit;
    }
    if (w->out == 0 && w->next >= w->end)
        judge(w, added);
    return 0;
}

void walk_lost(struct walk *w)
{
    w->out--;
    w->state = WALK_BROKEN;
}
