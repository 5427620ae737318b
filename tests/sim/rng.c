// SPDX-License-Identifier: MIT
#include "rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 4, SALT_ROUND = 0x10000, SALT_UUID_HIGH = 0x20000, SALT_UUID_LOW };

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t rng_hash(uint64_t seed, uint64_t id, uint64_t salt)
{
    uint64_t x = mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (salt + 1));

    return mix(x ^ (id * UINT64_C(0xd1342543de82ef95) + salt));
}

static uint32_t round_of(uint64_t seed, int round, uint32_t half)
{
    return (uint32_t)rng_hash(seed, half, (uint64_t)(SALT_ROUND + round)) & 0xffff;
}

uint32_t rng_permute(uint64_t seed, uint32_t x)
{
    uint32_t left = x >> 16, right = x & 0xffff;

    for (int i = 0; i < ROUNDS; i++) {
        uint32_t next = left ^ round_of(seed, i, right);

        left = right;
        right = next;
    }
    return left << 16 | right;
}

uint32_t rng_unpermute(uint64_t seed, uint32_t y)
{
    uint32_t left = y >> 16, right = y & 0xffff;

    for (int i = ROUNDS - 1; i >= 0; i--) {
        uint32_t before = right ^ round_of(seed, i, left);

        right = left;
        left = before;
    }
    return left << 16 | right;
}

void uuid_format(uint64_t high, uint64_t low, char out[UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;

    high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);
    low = (low & ~(UINT64_C(3) << 62)) | UINT64_C(1) << 63;
    for (int i = 0; i < 32; i++) {
        uint64_t word = i < 16 ? high : low;

        if (i == 8 || i == 12 || i == 16 || i == 20)
            *p++ = '-';
        *p++ = hex[word >> (60 - 4 * (i % 16)) & 15];
    }
    *p = '\0';
}

void uuid_of_call(uint64_t seed, uint32_t id, char out[UUID_SIZE])
{
    uint64_t high = (uint64_t)rng_permute(seed, id) << 32;

    high |= rng_hash(seed, id, SALT_UUID_HIGH) & 0xffffffff;
    uuid_format(high, rng_hash(seed, id, SALT_UUID_LOW), out);
}

int uuid_to_call(uint64_t seed, const char *uuid, uint32_t *ret_id)
{
    char head[9] = "", again[UUID_SIZE], *end;
    uint32_t id;

    if (strlen(uuid) != UUID_LEN)
        return -ENOENT;
    memcpy(head, uuid, 8);
    id = rng_unpermute(seed, (uint32_t)strtoul(head, &end, 16));
    uuid_of_call(seed, id, again);
    if (strcmp(uuid, again) != 0)
        return -ENOENT;
    *ret_id = id;
    return 0;
}
