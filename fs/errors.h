// SPDX-License-Identifier: MIT
/*
 * The last failures, for /.cdrfs/errors. A fixed number in fixed memory. Any thread.
 */
#ifndef CDRFS_FS_ERRORS_H
#define CDRFS_FS_ERRORS_H

#include "api/failure.h"
#include "fs/mask.h"

#define ERRORS_MAX 100

struct errors;

/* mask is kept, and must outlive it. NULL: no memory. */
struct errors *errors_create(const struct mask *mask);
void errors_destroy(struct errors *e); /* accepts NULL */

/*
 * Remembers that path failed so at that time, UTC seconds. What is there already of the same path
 * and cause is counted, and becomes the newest: who asks again and again drives nothing else out.
 */
void errors_add(struct errors *e, int64_t now, const char *path, const struct failure *f);

/* Appends a line of JSON for each, oldest first; the token is masked. */
void errors_put(struct errors *e, struct buf *out);

/* How many were added so far. */
uint64_t errors_count(struct errors *e);

#endif
