// SPDX-License-Identifier: MIT
/*
 * The tables of the store, as a list of steps: a store of version n becomes the newest by running
 * the steps behind n. A step that was ever released is never edited. Private to the store.
 */
#ifndef CDRFS_CACHE_SCHEMA_H
#define CDRFS_CACHE_SCHEMA_H

#include "cache/db.h"

/* `cdrs`, so that file(1) and we can tell a store from another SQLite file. */
#define STORE_APPLICATION_ID 0x63647273

/*
 * Brings the file up to the newest version. 0; -EPROTO when it is newer than this program; -EBADF
 * when it is an SQLite file but no store; -EIO and the like.
 */
int schema_upgrade(struct db *d, int64_t now) MUST_CHECK;

#endif
