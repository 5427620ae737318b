// SPDX-License-Identifier: MIT
#ifndef SIM_IDVEC_H
#define SIM_IDVEC_H

#include <stddef.h>
#include <stdint.h>

#include "calls.h"

/* Ids of calls in the order of calls_compare(). */
struct idvec {
    uint32_t *ids;
    size_t len;
    size_t cap;
};

/* Frees the ids; the vector is then empty and may be used again. */
void idvec_release(struct idvec *v);

/* Adds at the end, whatever the order. Returns 0 or -ENOMEM. */
int idvec_push(struct idvec *v, uint32_t id);

/* Puts the vector in order. */
void idvec_sort(struct idvec *v, const struct calls *c);

/* Adds at the place the order asks for. Returns 0 or -ENOMEM. */
int idvec_insert(struct idvec *v, const struct calls *c, uint32_t id);

/* Takes the id out if it is there; its end must still be the one it was filed under. */
void idvec_remove(struct idvec *v, const struct calls *c, uint32_t id);

/* Index of the first call that ended at `end` or later. */
size_t idvec_since(const struct idvec *v, const struct calls *c, int64_t end);

#endif
