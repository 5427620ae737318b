// SPDX-License-Identifier: MIT
/*
 * Numbers that stand for values, to be kept beside them and compared when they are read again. They
 * tell what a disk or a careless copy did, not what somebody does who wants to deceive. Pure; the
 * same on every machine.
 */
#ifndef CDRFS_CACHE_SUM_H
#define CDRFS_CACHE_SUM_H

#include "api/util.h"

struct sum {
    uint64_t state;
};

/* Begins with one of {0}; values of different kinds are different values. */
void sum_add_null(struct sum *s);
void sum_add_number(struct sum *s, int64_t v);
void sum_add_text(struct sum *s, struct slice text);
void sum_add_bytes(struct sum *s, struct slice bytes);

/* Below 2^32, so that many can be added up. */
int64_t sum_end(const struct sum *s);

/* Of nothing but these bytes. */
int64_t sum_of_bytes(struct slice bytes);

#endif
