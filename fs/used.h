// SPDX-License-Identifier: MIT
/*
 * The values of the open axes (durations, times) that were used since the mount: what their
 * directories list. Any thread.
 */
#ifndef CDRFS_FS_USED_H
#define CDRFS_FS_USED_H

#include "api/query.h"

#define USED_MAX 64 /* of one axis; later ones resolve but are not listed */
#define USED_NAME_MAX 32

struct used;

struct used *used_create(void);
void used_destroy(struct used *u); /* accepts NULL */

void used_add(struct used *u, int axis, const char *value);

/* Calls fn for each in the order they came; it returns 0, or an error that ends it. */
int used_list(struct used *u, int axis, int (*fn)(void *arg, const char *value),
              void *arg) MUST_CHECK;

#endif
