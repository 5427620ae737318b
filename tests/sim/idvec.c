// SPDX-License-Identifier: MIT
#include "idvec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void idvec_release(struct idvec *v)
{
    free(v->ids);
    *v = (struct idvec){0};
}

int idvec_push(struct idvec *v, uint32_t id)
{
    if (v->len == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 64;
        uint32_t *ids = realloc(v->ids, cap * sizeof *ids);

        if (!ids)
            return -ENOMEM;
        v->ids = ids;
        v->cap = cap;
    }
    v->ids[v->len++] = id;
    return 0;
}

static int compare(const void *a, const void *b, void *calls)
{
    return calls_compare(calls, *(const uint32_t *)a, *(const uint32_t *)b);
}

void idvec_sort(struct idvec *v, const struct calls *c)
{
    if (v->len)
        qsort_r(v->ids, v->len, sizeof *v->ids, compare, (void *)c);
}

/* Index of the first id that does not come before `id`. */
static size_t rank(const struct idvec *v, const struct calls *c, uint32_t id)
{
    size_t lo = 0, hi = v->len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (calls_compare(c, v->ids[mid], id) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int idvec_insert(struct idvec *v, const struct calls *c, uint32_t id)
{
    size_t at = rank(v, c, id);
    int err = idvec_push(v, id);

    if (err < 0)
        return err;
    memmove(v->ids + at + 1, v->ids + at, (v->len - 1 - at) * sizeof *v->ids);
    v->ids[at] = id;
    return 0;
}

void idvec_remove(struct idvec *v, const struct calls *c, uint32_t id)
{
    size_t at = rank(v, c, id);

    if (at == v->len || v->ids[at] != id)
        return;
    v->len--;
    memmove(v->ids + at, v->ids + at + 1, (v->len - at) * sizeof *v->ids);
}

size_t idvec_since(const struct idvec *v, const struct calls *c, int64_t end)
{
    size_t lo = 0, hi = v->len;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->table[v->ids[mid]].end < end)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
