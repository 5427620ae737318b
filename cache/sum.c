// SPDX-License-Identifier: MIT
#include "cache/sum.h"

#include <endian.h>
#include <string.h>

enum { A_NULL = 1, A_NUMBER, A_TEXT, SOME_BYTES };

/* Each step can be undone, so that no two states become one; every bit moves the upper half. */
static void add(struct sum *s, uint64_t word)
{
    uint64_t x = (s->state ^ word) * 0x9fb21c651e98df25u;
    s->state = (x ^ x >> 29) * 0xd6e8feb86659fd93u + 1;
}

static void add_slice(struct sum *s, struct slice v, int kind)
{
    uint64_t word;
    add(s, (uint64_t)v.n << 3 | (uint64_t)kind);
    for (; v.n >= sizeof(word); v.p += sizeof(word), v.n -= sizeof(word)) {
        memcpy(&word, v.p, sizeof(word));
        add(s, le64toh(word));
    }
    word = 0;
    if (v.n)
        memcpy(&word, v.p, v.n);
    add(s, le64toh(word));
}

void sum_add_null(struct sum *s)
{
    add(s, A_NULL);
}

void sum_add_number(struct sum *s, int64_t v)
{
    add(s, A_NUMBER);
    add(s, (uint64_t)v);
}

void sum_add_text(struct sum *s, struct slice text)
{
    add_slice(s, text, A_TEXT);
}

void sum_add_bytes(struct sum *s, struct slice bytes)
{
    add_slice(s, bytes, SOME_BYTES);
}

int64_t sum_end(const struct sum *s)
{
    struct sum last = *s;
    add(&last, 0);
    return (int64_t)(last.state >> 32);
}

int64_t sum_of_bytes(struct slice bytes)
{
    struct sum s = {0};
    sum_add_bytes(&s, bytes);
    return sum_end(&s);
}
