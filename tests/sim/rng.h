// SPDX-License-Identifier: MIT
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdint.h>

enum { UUID_LEN = 36, UUID_SIZE = 37 };

/* A well mixed 64-bit value of (seed, id, salt): the only source of chance in the simulator. */
uint64_t rng_hash(uint64_t seed, uint64_t id, uint64_t salt);

/* A bijection of the 32-bit numbers chosen by `seed`, and its inverse. */
uint32_t rng_permute(uint64_t seed, uint32_t x);
uint32_t rng_unpermute(uint64_t seed, uint32_t y);

/* Writes the v4-shaped uuid of call `id` and a NUL. Its first eight digits are rng_permute(seed,
 * id), so they are unique, sort as the number does, and lead back to the id. */
void uuid_of_call(uint64_t seed, uint32_t id, char out[UUID_SIZE]);

/* Finds the id whose uuid would be `uuid`; returns 0 or -ENOENT when no id has it. */
int uuid_to_call(uint64_t seed, const char *uuid, uint32_t *ret_id);

/* Writes a v4-shaped uuid of 128 given bits. */
void uuid_format(uint64_t high, uint64_t low, char out[UUID_SIZE]);

#endif
