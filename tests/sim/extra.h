// SPDX-License-Identifier: MIT
#ifndef SIM_EXTRA_H
#define SIM_EXTRA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cdr.h"

enum { EXTRA_MAX_ITEMS = 64 };

/* What is special about one call: keys whose JSON text was given from outside, or a whole raw
 * record. */
struct extra_item {
    char *key;     /* the latest dialect's name, or an unknown one */
    char *literal; /* raw JSON text; NULL: the key is left out of the row */
    char *text;    /* the value as C text when it is a JSON string, number or boolean, else "" */
};

struct extra {
    struct extra_item *items;
    size_t n;
    char *raw;      /* verbatim row, or NULL */
    char *uuid;     /* the call_uuid that replaces the derived one, or NULL */
    char *trunk_id; /* first label of a given trunk_domain, or NULL */
};

/* One without anything special; NULL when memory is short. */
struct extra *extra_create(void);

/* Frees it; NULL is allowed. */
void extra_destroy(struct extra *x);

/* Sets key to raw JSON text, which is copied and need not be valid; NULL leaves the key out of the
 * row. Returns 0, -ENOMEM or -E2BIG. */
int extra_set(struct extra *x, const char *key, const char *literal);

/* Sets every member of a JSON object to its value. Returns 0 or a negative errno. */
int extra_set_object(struct extra *x, const json_t *object);

/* Makes `raw` the row. What can be read of it decides how filters see the record. */
int extra_set_raw(struct extra *x, const char *raw, size_t len);

/* The item for the latest dialect's name, or NULL. */
const struct extra_item *extra_get(const struct extra *x, const char *key);

/* Writes what is known into `c`, whose pointers then borrow from `x`. */
void extra_apply(const struct extra *x, struct cdr *c);

#endif
