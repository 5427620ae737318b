// SPDX-License-Identifier: MIT
#ifndef SIM_ARGS_H
#define SIM_ARGS_H

#include <stddef.h>

enum { ARGS_MAX = 32 };

/* The arguments of a query string, decoded, in their order. */
struct args {
    struct {
        char *key;
        char *value;
    } list[ARGS_MAX];
    size_t n;
    char *store;
};

/* Reads what follows `?` in `uri`; %XX and + are decoded. Returns 0, -ENOMEM, -E2BIG (more than
 * ARGS_MAX) or -EINVAL (bad escape, or a NUL). Always release. */
int args_parse(struct args *a, const char *uri);

/* Frees the texts; harmless after a failed parse. */
void args_release(struct args *a);

/* The value of the first argument with that key, or NULL. */
const char *args_get(const struct args *a, const char *key);

#endif
