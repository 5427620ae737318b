// SPDX-License-Identifier: MIT
#include "cache/ivset.h"

#include <string.h>

void ivset_release(struct ivset *s)
{
    free(s->v);
    *s = (struct ivset){0};
}

static bool make_room(struct ivset *s, size_t more)
{
    if (s->failed)
        return false;
    if (s->n + more <= s->cap)
        return true;
    size_t cap = s->cap ? s->cap * 2 : 8;
    while (cap < s->n + more)
        cap *= 2;
    struct range *v = realloc(s->v, cap * sizeof(*v));
    if (!v) {
        s->n = 0;
        s->failed = true;
        return false;
    }
    s->v = v;
    s->cap = cap;
    return true;
}

/* Replaces elements [at, at + gone) by up to two others; an empty one is left out. */
static void splice(struct ivset *s, size_t at, size_t gone, struct range a, struct range b)
{
    struct range put[2];
    size_t nput = 0;
    if (a.lo < a.hi)
        put[nput++] = a;
    if (b.lo < b.hi)
        put[nput++] = b;
    if (!make_room(s, nput))
        return;
    memmove(s->v + at + nput, s->v + at + gone, (s->n - at - gone) * sizeof(*s->v));
    memcpy(s->v + at, put, nput * sizeof(*put));
    s->n = s->n - gone + nput;
}

void ivset_add(struct ivset *s, struct range r)
{
    const struct range nothing = {0, 0};
    size_t i = 0, j;
    if (r.lo >= r.hi)
        return;
    while (i < s->n && s->v[i].hi < r.lo)
        i++;
    for (j = i; j < s->n && s->v[j].lo <= r.hi; j++) {
        if (s->v[j].lo < r.lo)
            r.lo = s->v[j].lo;
        if (s->v[j].hi > r.hi)
            r.hi = s->v[j].hi;
    }
    splice(s, i, j - i, r, nothing);
}

void ivset_cut(struct ivset *s, struct range r)
{
    size_t i = 0, j;
    if (r.lo >= r.hi)
        return;
    while (i < s->n && s->v[i].hi <= r.lo)
        i++;
    for (j = i; j < s->n && s->v[j].lo < r.hi; j++)
        ;
    if (j == i)
        return;
    struct range left = {s->v[i].lo, r.lo}, right = {r.hi, s->v[j - 1].hi};
    splice(s, i, j - i, left, right);
}

void ivset_add_common(struct ivset *out, const struct ivset *a, const struct ivset *b)
{
    size_t i = 0, j = 0;
    while (i < a->n && j < b->n) {
        struct range x = a->v[i], y = b->v[j];
        ivset_add(out, (struct range){x.lo > y.lo ? x.lo : y.lo, x.hi < y.hi ? x.hi : y.hi});
        if (x.hi < y.hi)
            i++;
        else
            j++;
    }
}

void ivset_bridge(struct ivset *s, int64_t longest)
{
    size_t kept = 0;
    for (size_t i = 1; i < s->n; i++) {
        if (s->v[i].lo <= s->v[kept].hi + longest)
            s->v[kept].hi = s->v[i].hi;
        else
            s->v[++kept] = s->v[i];
    }
    if (s->n)
        s->n = kept + 1;
}
