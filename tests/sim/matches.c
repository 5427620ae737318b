// SPDX-License-Identifier: MIT
#include "matches.h"

#include <string.h>

void matches_release(struct matches *m)
{
    for (int i = 0; i < MATCHES_SLOTS; i++)
        idvec_release(&m->slots[i].vec);
    m->tick = 0;
}

/* The slot that holds `f`, or -1 and in *ret_oldest the one to give up. */
static int find(const struct matches *m, const struct filter *f, int *ret_oldest)
{
    int oldest = 0;

    for (int i = 0; i < MATCHES_SLOTS; i++) {
        if (m->slots[i].used && memcmp(&m->slots[i].filter, f, sizeof *f) == 0)
            return i;
        if (m->slots[i].used < m->slots[oldest].used)
            oldest = i;
    }
    *ret_oldest = oldest;
    return -1;
}

static void forget(struct matches *m, int slot)
{
    idvec_release(&m->slots[slot].vec);
    m->slots[slot].used = 0;
}

static int scan(struct idvec *out, const struct calls *c, const struct idvec *all,
                const struct filter *f)
{
    struct cdr cdr;
    int err = 0;

    for (size_t i = 0; i < all->len && err == 0 && !f->nothing; i++) {
        calls_cdr(c, all->ids[i], &cdr);
        if (filter_match(f, &cdr))
            err = idvec_push(out, all->ids[i]);
    }
    return err;
}

const struct idvec *matches_get(struct matches *m, const struct calls *c, const struct idvec *all,
                                const struct filter *f)
{
    int oldest = 0, slot;

    if (filter_is_empty(f))
        return all;
    slot = find(m, f, &oldest);
    if (slot < 0) {
        slot = oldest;
        forget(m, slot);
        memcpy(&m->slots[slot].filter, f, sizeof *f);
        if (scan(&m->slots[slot].vec, c, all, f) < 0) {
            forget(m, slot);
            return NULL;
        }
    }
    m->slots[slot].used = ++m->tick;
    return &m->slots[slot].vec;
}

void matches_joined(struct matches *m, const struct calls *c, uint32_t id)
{
    struct cdr cdr;

    calls_cdr(c, id, &cdr);
    for (int i = 0; i < MATCHES_SLOTS; i++)
        if (m->slots[i].used && filter_match(&m->slots[i].filter, &cdr) &&
            idvec_insert(&m->slots[i].vec, c, id) < 0)
            forget(m, i);
}

void matches_leaving(struct matches *m, const struct calls *c, uint32_t id)
{
    for (int i = 0; i < MATCHES_SLOTS; i++)
        if (m->slots[i].used)
            idvec_remove(&m->slots[i].vec, c, id);
}
