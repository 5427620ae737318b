// SPDX-License-Identifier: MIT
/* SIGHUP reads everything anew: a thread waits for it, so that no handler runs in another. */
#ifndef CDRFS_FS_HUP_H
#define CDRFS_FS_HUP_H

#include "fs/fs.h"

struct hup;

/* To be called before any thread is started: blocks the signal for all of them. */
void hup_block(void);

/* Starts the thread. NULL: no memory or no thread. */
struct hup *hup_create(struct fs *fs);

/* Ends it. Accepts NULL. */
void hup_destroy(struct hup *h);

#endif
