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
 * Looks, without changing anything, whether the file is a store or empty: its version, 0 for an
 * empty one. -EPROTO when it is newer than this program; -EBADF when it is an SQLite file but no
 * store; -EIO and the like.
 */
int schema_check(struct db *d, int64_t *ret_version) MUST_CHECK;

/* True for the version that schema_upgrade() would leave. */
bool schema_is_newest(int64_t version);

/* Brings the file up from that version to the newest. */
int schema_upgrade(struct db *d, int64_t version, int64_t now) MUST_CHECK;

#endif
