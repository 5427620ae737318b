// SPDX-License-Identifier: MIT
/*
 * One thread for what takes long but needs no network: rendering files. Tasks run in their order.
 */
#ifndef CDRFS_FS_WORKER_H
#define CDRFS_FS_WORKER_H

#include "api/util.h"

struct worker;

/* stopping: the mount is ending; finish at once. */
typedef void worker_fn(void *arg, bool stopping);

/* Starts the thread. NULL: no memory or no thread. */
struct worker *worker_create(void);

/* From any thread. -ENOMEM; -ENOTCONN once stopped: fn will not be called. */
int worker_run(struct worker *w, worker_fn *fn, void *arg) MUST_CHECK;

/* Calls what is queued with stopping set, and ends the thread. */
void worker_stop(struct worker *w);

/* Frees a stopped worker. Accepts NULL. */
void worker_destroy(struct worker *w);

#endif
