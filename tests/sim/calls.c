// SPDX-License-Identifier: MIT
#include "calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"

void calls_init(struct calls *c, uint64_t seed)
{
    *c = (struct calls){.seed = seed};
    book_init(&c->book);
}

void calls_release(struct calls *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        extra_destroy(c->table[i].extra);
    free(c->table);
    free(c->named);
}

static int grow(struct calls *c)
{
    uint32_t cap = c->cap ? c->cap * 2 : 1024;
    struct call *table;

    if (c->n < c->cap)
        return 0;
    if (c->n >= CALLS_MAX)
        return -ENOSPC;
    table = realloc(c->table, cap * sizeof *table);
    if (!table)
        return -ENOMEM;
    c->table = table;
    c->cap = cap;
    return 0;
}

int calls_name(struct calls *c, uint32_t id)
{
    uint32_t *named;

    for (size_t i = 0; i < c->n_named; i++)
        if (c->named[i] == id)
            return 0;
    named = realloc(c->named, (c->n_named + 1) * sizeof *named);
    if (!named)
        return -ENOMEM;
    c->named = named;
    named[c->n_named++] = id;
    return 0;
}

int calls_add(struct calls *c, int64_t end, struct extra *extra, uint32_t *ret_id)
{
    int err = grow(c);

    if (err == 0 && extra && extra->uuid)
        err = calls_name(c, c->n);
    if (err < 0)
        return err;
    c->table[c->n] = (struct call){.end = end, .extra = extra};
    *ret_id = c->n++;
    return 0;
}

void calls_cdr(const struct calls *c, uint32_t id, struct cdr *out)
{
    const struct call *call = &c->table[id];

    if (call->extra && call->extra->raw)
        cdr_blank(out, id, call->end);
    else
        cdr_derive(out, &c->book, c->seed, id, call->end);
    extra_apply(call->extra, out);
}

const char *calls_uuid(const struct calls *c, uint32_t id, char buffer[])
{
    const struct extra *x = c->table[id].extra;

    if (x && x->uuid)
        return x->uuid;
    uuid_of_call(c->seed, id, buffer);
    return buffer;
}

int calls_find(const struct calls *c, const char *uuid, uint32_t *ret_id)
{
    char buffer[UUID_SIZE];
    uint32_t id;

    if (uuid_to_call(c->seed, uuid, &id) == 0 && id < c->n && c->table[id].end != CALL_GONE &&
        strcmp(calls_uuid(c, id, buffer), uuid) == 0) {
        *ret_id = id;
        return 0;
    }
    for (size_t i = 0; i < c->n_named; i++) {
        id = c->named[i];
        if (c->table[id].end == CALL_GONE || strcmp(c->table[id].extra->uuid, uuid) != 0)
            continue;
        *ret_id = id;
        return 0;
    }
    return -ENOENT;
}

int calls_compare(const struct calls *c, uint32_t a, uint32_t b)
{
    int64_t end_a = c->table[a].end, end_b = c->table[b].end;
    uint32_t key_a, key_b;

    if (end_a != end_b)
        return end_a < end_b ? -1 : 1;
    key_a = rng_permute(c->seed, a);
    key_b = rng_permute(c->seed, b);
    return key_a == key_b ? 0 : key_a > key_b ? -1 : 1;
}
