// SPDX-License-Identifier: MIT
/*
 * The bytes of calls as the store keeps them: compressed by zstd, with a dictionary trained on
 * calls that were kept before it, since records of 900 bytes have most of their text in common. A
 * packed body names its dictionary; one without is as it came. Dictionaries are never changed or
 * dropped while a body names them.
 *
 * The newest dictionary packs. One thread packs, adds and trains; any may unpack.
 */
#ifndef CDRFS_CACHE_PACK_H
#define CDRFS_CACHE_PACK_H

#include "api/util.h"

#define PACK_SAMPLES 2000             /* calls a dictionary is trained on */
#define PACK_SAMPLES_BYTES (8u << 20) /* and no more than that of their text */
#define PACK_DICT_BYTES (16u << 10)
#define PACK_MOST (64u << 20) /* of a body; a record came in 4 MiB */

struct pack;

/* NULL: no memory. */
struct pack *pack_create(void);
void pack_destroy(struct pack *p); /* accepts NULL */

/* A dictionary of the store; ids only grow. -ENOMEM, -EINVAL for bytes that are none. */
int pack_add(struct pack *p, int64_t id, struct slice dict) MUST_CHECK;

/* The dictionary that packs now; 0: none yet. */
int64_t pack_current(const struct pack *p);

/* Appends body as it is to be kept, and says with which dictionary; 0: as it came. */
int pack_body(struct pack *p, struct slice body, struct buf *out, int64_t *ret_dict) MUST_CHECK;

/* Appends what was packed. -EBADMSG when it cannot have been packed with that dictionary. */
int pack_open(struct pack *p, int64_t dict, struct slice packed, struct buf *out) MUST_CHECK;

/* A dictionary for texts like these, which stand one behind the other. -EINVAL when they are too
 * few or too different for one. */
int pack_train(const char *samples, const size_t *sizes, unsigned n, struct buf *out) MUST_CHECK;

#endif
