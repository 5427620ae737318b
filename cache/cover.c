// SPDX-License-Identifier: MIT
#include "cache/cover.h"

#include <errno.h>

void cover_release(struct cover *c)
{
    free(c->v);
    *c = (struct cover){0};
}

bool cover_superseded(const struct span *old, const struct span *by)
{
    return old->fetched_at <= by->fetched_at && query_implies(&old->q, &by->q);
}

int cover_add(struct cover *c, const struct span *s)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        struct span *v = realloc(c->v, cap * sizeof(*v));
        if (!v)
            return -ENOMEM;
        c->v = v;
        c->cap = cap;
    }
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++)
        if (!cover_superseded(&c->v[i], s))
            c->v[kept++] = c->v[i];
    c->v[kept] = *s;
    c->n = kept + 1;
    return 0;
}

struct range cover_believed(const struct span *s, struct cover_rule rule, struct cover_when when)
{
    struct range r = s->q.num[AXIS_END_TIME];
    int64_t age = when.now - s->fetched_at;
    if (age < 0)
        age = 0;
    if (age < rule.ttl || s->seq > when.after_seq) {
        if (r.hi > s->fetched_at)
            r.hi = INT64_MAX;
        return r;
    }
    bool fresh = age < (s->fetched_at - r.hi) / 10;
    if (!fresh && r.hi > s->fetched_at - rule.settle)
        r.hi = s->fetched_at - rule.settle;
    return r;
}

void cover_doubt(struct cover *c, const struct doubt *d)
{
    struct doubt all = {.q = QUERY_ALL, .seq = d->seq, .at = d->at};
    int kept = 0;
    for (int i = 0; i < c->ndoubts; i++)
        if (!query_implies(&c->doubts[i].q, &d->q))
            c->doubts[kept++] = c->doubts[i];
    c->ndoubts = kept;
    if (kept == DOUBTS_MAX)
        c->ndoubts = 0;
    c->doubts[c->ndoubts++] = kept == DOUBTS_MAX ? all : *d;
}

static bool touches(const struct query *a, const struct query *b)
{
    struct query both = *a;
    query_meet(&both, b);
    return !both.none;
}

static bool is_doubted(const struct cover *c, const struct span *s)
{
    for (int i = 0; i < c->ndoubts; i++)
        if (s->seq <= c->doubts[i].seq && touches(&s->q, &c->doubts[i].q))
            return true;
    return false;
}

int64_t cover_doubted_at(const struct cover *c, const struct query *q)
{
    int64_t at = INT64_MIN;
    for (int i = 0; i < c->ndoubts; i++)
        if (c->doubts[i].at > at && touches(q, &c->doubts[i].q))
            at = c->doubts[i].at;
    return at;
}

/* The newest reading of q that was made before that time. */
static const struct span *newest_before(const struct cover *c, const struct query *q,
                                        int64_t before)
{
    const struct span *best = NULL;
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].fetched_at < before && query_filters_imply(q, &c->v[i].q) &&
            (!best || c->v[i].fetched_at > best->fetched_at))
            best = &c->v[i];
    return best;
}

int64_t cover_held_since(const struct cover *c, const struct query *q, int64_t *ret_to)
{
    CLEANUP_IVSET struct ivset rest = {0};
    int64_t since = INT64_MAX;
    const struct span *s;
    struct range all = q->num[AXIS_END_TIME];
    *ret_to = all.lo;
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].q.num[AXIS_END_TIME].hi > *ret_to && query_filters_imply(q, &c->v[i].q))
            *ret_to = c->v[i].q.num[AXIS_END_TIME].hi;
    if (*ret_to > all.hi)
        *ret_to = all.hi;
    ivset_add(&rest, (struct range){all.lo, *ret_to});
    while (!ivset_is_empty(&rest) && (s = newest_before(c, q, since))) {
        since = s->fetched_at;
        for (size_t i = 0; i < c->n; i++)
            if (c->v[i].fetched_at == since && query_filters_imply(q, &c->v[i].q))
                ivset_cut(&rest, c->v[i].q.num[AXIS_END_TIME]);
    }
    return ivset_is_empty(&rest) && since != INT64_MAX ? since : 0;
}

enum span_state cover_state(const struct cover *c, const struct span *s, struct cover_rule rule,
                            int64_t now)
{
    struct range all = s->q.num[AXIS_END_TIME];
    if (is_doubted(c, s))
        return SPAN_STALE;
    if (all.hi <= s->fetched_at - rule.settle)
        return SPAN_FINAL;
    struct cover_when when = {.now = now, .after_seq = UINT64_MAX};
    return cover_believed(s, rule, when).hi >= all.hi ? SPAN_FRESH : SPAN_STALE;
}

static void add_undoubted(const struct cover *c, const struct span *s, struct range r,
                          struct ivset *out)
{
    CLEANUP_IVSET struct ivset held = {0};
    ivset_add(&held, r);
    for (int i = 0; i < c->ndoubts; i++)
        if (s->seq <= c->doubts[i].seq && touches(&s->q, &c->doubts[i].q))
            ivset_cut(&held, c->doubts[i].q.num[AXIS_END_TIME]);
    for (size_t i = 0; i < held.n; i++)
        ivset_add(out, held.v[i]);
}

static void add_span(const struct cover *c, const struct span *s, struct range r,
                     struct cover_when when, struct ivset *out)
{
    if (when.only_later && s->seq <= when.after_seq)
        return;
    if (when.undoubting || !c->ndoubts)
        ivset_add(out, r);
    else
        add_undoubted(c, s, r, out);
}

static void add_believed(const struct cover *c, struct cover_rule rule, struct cover_when when,
                         const struct query *q, struct ivset *out)
{
    for (size_t i = 0; i < c->n; i++)
        if (query_filters_imply(q, &c->v[i].q))
            add_span(c, &c->v[i], cover_believed(&c->v[i], rule, when), when, out);
}

static struct query with_direction(const struct query *q, int64_t direction)
{
    struct query d = *q;
    query_meet_range(&d, AXIS_DIRECTION, (struct range){direction, direction + 1});
    return d;
}

void cover_remainder(const struct cover *c, struct cover_rule rule, struct cover_when when,
                     const struct query *q, struct ivset *out)
{
    CLEANUP_IVSET struct ivset held = {0}, in = {0}, outb = {0}, rest = {0};
    add_believed(c, rule, when, q, &held);
    if (range_is_all(q->num[AXIS_DIRECTION])) {
        struct query inbound = with_direction(q, DIRECTION_INBOUND);
        struct query outbound = with_direction(q, DIRECTION_OUTBOUND);
        add_believed(c, rule, when, &inbound, &in);
        add_believed(c, rule, when, &outbound, &outb);
        ivset_add_common(&held, &in, &outb);
    }
    ivset_add(&rest, q->num[AXIS_END_TIME]);
    for (size_t i = 0; i < held.n; i++)
        ivset_cut(&rest, held.v[i]);
    for (size_t i = 0; i < rest.n; i++)
        ivset_add(out, rest.v[i]);
    out->failed = out->failed || rest.failed;
}

const struct span *cover_recent(const struct cover *c, const struct query *q, struct range interval,
                                int64_t now, int64_t within)
{
    const struct span *best = NULL;
    for (size_t i = 0; i < c->n; i++) {
        const struct span *s = &c->v[i];
        struct range r = s->q.num[AXIS_END_TIME];
        bool reaches = r.lo <= interval.lo && (r.hi > s->fetched_at || r.hi >= interval.hi);
        if (now - s->fetched_at < within && reaches && query_filters_imply(q, &s->q) &&
            (!best || query_filters_imply(&best->q, &s->q)))
            best = s;
    }
    return best;
}
