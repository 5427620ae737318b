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
                       .look = -1,
                       .resumed = -1,
                       .before_rows = -1};
}

void walk_release(struct walk *w)
{
    free(w->rows);
    free(w->done);
    w->rows = NULL;
    w->done = NULL;
}

static int64_t whole_pages(const struct walk *w, int64_t rows)
{
    return (rows + w->limit - 1) / w->limit * w->limit;
}

void walk_look_first(struct walk *w, int64_t offset)
{
    w->look = offset;
}

static bool is_done(const struct walk *w, int64_t offset)
{
    size_t page = (size_t)(offset / w->limit);
    return page / 8 < w->done_bytes && w->done[page / 8] >> (page % 8) & 1;
}

static int mark_done(struct walk *w, int64_t offset)
{
    size_t page = (size_t)(offset / w->limit);
    if (page / 8 >= w->done_bytes) {
        size_t bytes = page / 8 + 64;
        uint8_t *done = realloc(w->done, bytes);
        if (!done)
            return -ENOMEM;
        memset(done + w->done_bytes, 0, bytes - w->done_bytes);
        w->done = done;
        w->done_bytes = bytes;
    }
    w->done[page / 8] |= (uint8_t)(1 << (page % 8));
    return 0;
}

struct slice walk_done(const struct walk *w, int64_t *ret_total)
{
    *ret_total = w->total;
    if (w->pass > 1 || w->moved || w->doubles || w->total < 0)
        return (struct slice){NULL, 0};
    return (struct slice){(const char *)w->done, w->done_bytes};
}

/* Steps over pages that need not be asked for again. */
static void skip_done(struct walk *w)
{
    while (w->resumed >= 0 && w->next < w->end && is_done(w, w->next))
        w->next += w->limit;
}

int walk_resume(struct walk *w, int64_t total, struct slice pages)
{
    if (total < 0 || total / w->limit > WALK_PAGES_MAX)
        return 0;
    w->done = calloc(pages.n + 1, 1);
    if (!w->done)
        return -ENOMEM;
    memcpy(w->done, pages.p, pages.n);
    w->done_bytes = pages.n + 1;
    w->resumed = total;
    w->end = whole_pages(w, total);
    if (w->end < w->limit)
        w->end = w->limit;
    skip_done(w);
    if (w->next >= w->end) { /* all came, and yet it was not whole: ask for one to see the total */
        w->done[0] &= 0xfe;
        w->next = 0;
    }
    return 0;
}

/* Forgets what an earlier walk did, and begins at the beginning. */
static void begin_anew(struct walk *w)
{
    w->resumed = w->look = w->total = w->last = -1;
    w->short_at = INT64_MAX;
    if (w->done)
        memset(w->done, 0, w->done_bytes);
    w->next = 0;
    w->end = w->limit;
    w->full_end = 0;
    w->moved = false;
    w->nrows = 0;
    w->sum = 0;
    w->doubles = 0;
    if (w->rows)
        memset(w->rows, 0, w->cap * sizeof(*w->rows));
}

bool walk_wants_count(const struct walk *w, int64_t offset)
{
    if (w->look >= 0 || (offset == 0 && w->resumed < 0) || w->end < w->full_end || w->moved ||
        w->pass > 1)
        return true;
    return w->resumed >= 0 && w->out == 1 && w->next >= w->end;
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
    if (w->look >= 0) {
        if (w->out)
            return -1;
        w->out++;
        return w->look;
    }
    skip_done(w);
    if (w->next >= w->end || (w->in_order && w->out))
        return -1;
    int64_t offset = w->next;
    w->next += w->limit;
    w->out++;
    return offset;
}

static void next_pass(struct walk *w)
{
    if (w->pass >= (w->moved ? WALK_MOVED_PASSES : WALK_PASSES)) {
        w->state = WALK_BROKEN;
        return;
    }
    w->pass++;
    w->before_rows = w->moved || w->doubles ? -1 : (int64_t)w->nrows;
    w->before_sum = w->sum;
    w->in_order = w->moved && w->pass >= WALK_IN_ORDER;
    w->in_doubt = false;
    w->least = 0;
    w->shift = w->doubles && !w->shift && !w->in_order ? w->limit / 2 : 0;
    w->doubles = 0;
    w->nrows = 0;
    w->sum = 0;
    if (w->rows)
        memset(w->rows, 0, w->cap * sizeof(*w->rows));
    w->total = -1;
    w->moved = false;
    w->next = 0;
    w->end = w->limit;
    w->full_end = 0;
    w->short_at = INT64_MAX;
    w->last = -1;
}

/* The next page of a pass in order came; w->total is still that of the one before. */
static void follow(struct walk *w, int64_t offset, int64_t total, int n, int again)
{
    int64_t arrived = w->total < 0 ? 0 : total - w->total;
    bool last = offset + n == total;
    if (offset == 0)
        w->least = total;
    if (arrived < 0 || again > arrived || (!last && n != w->limit) || offset + n > total)
        w->in_doubt = true;
    if (last && !w->in_doubt && (int64_t)w->nrows >= w->least)
        w->state = WALK_WHOLE;
    if (w->end < whole_pages(w, total))
        w->end = whole_pages(w, total);
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
    bool plain = ended && w->nrows && w->last <= w->short_at && !w->moved && !w->doubles;
    if (plain && (int64_t)w->nrows == w->before_rows && w->sum == w->before_sum)
        w->probe = (int64_t)w->nrows;
    else
        next_pass(w);
}

/* The first page came. What is held already need not come again: first as many further pages as the
 * rest would fill, then, if that was not it, all. */
static void plan_pages(struct walk *w, int64_t held)
{
    w->next -= w->shift;
    w->full_end = whole_pages(w, w->total);
    if (w->full_end < w->end)
        w->full_end = w->end;
    int64_t first = w->limit + whole_pages(w, w->total - held);
    w->end = held >= 0 && held < w->total && first < w->full_end ? first : w->full_end;
}

int walk_page(struct walk *w, int64_t offset, int64_t total, const uint64_t *rows, int n,
              int64_t held)
{
    if (!walk_wants_count(w, offset))
        held = -1;
    w->out--;
    w->pages++;
    if (total > w->most_total)
        w->most_total = total;
    if (w->state != WALK_ASKING)
        return 0;
    if (w->probe >= 0) {
        w->state = n ? WALK_BROKEN : WALK_WHOLE;
        return 0;
    }
    w->moved = w->moved || (w->resumed >= 0 && total != w->resumed);
    if (w->look >= 0 || (w->resumed >= 0 && w->moved)) {
        if (w->look >= 0 && held == total && total == w->most_total)
            w->state = WALK_WHOLE;
        else if (w->out == 0)
            begin_anew(w);
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
    if (w->in_order)
        follow(w, offset, total, n, n - added);
    if (w->total >= 0 && total != w->total)
        w->moved = true;
    w->total = total;
    if (n < w->limit && offset < w->short_at)
        w->short_at = offset;
    if (n > 0 && offset > w->last)
        w->last = offset;
    if (w->pass == 1 && mark_done(w, offset) < 0)
        return -ENOMEM;
    if (held >= 0 && held == total && total == w->most_total)
        w->state = WALK_WHOLE;
    if (w->state != WALK_ASKING)
        return 0;
    if (offset == 0)
        plan_pages(w, held);
    skip_done(w);
    if (w->out || w->next < w->end)
        return 0;
    if (w->end < w->full_end) {
        w->end = w->full_end;
        return 0;
    }
    if (w->resumed >= 0)
        begin_anew(w); /* what was there before and what came now are not the whole */
    else
        judge(w, added);
    return 0;
}

void walk_break(struct walk *w)
{
    if (w->state == WALK_ASKING)
        w->state = WALK_BROKEN;
}

void walk_lost(struct walk *w)
{
    w->out--;
    walk_break(w);
}
