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

/* What a call's own sum is of: all but its id, which names it, and this sum. */
#define CALL_COLUMNS                                                                               \
    "uuid, day, end_time, initiation_time, bill_duration, direction, hangup_cause, "               \
    "hangup_source, stir, from_number, to_number, trunk, mtime, size, body_sum"
#define CALL_SUM "checksum(" CALL_COLUMNS ")"
#define SPAN_SUM "checksum(filters, lo, hi, fetched_at, id)"
#define FACT_SUM "checksum(name, value)"
#define PART_SUM "checksum(kind, of, n, sum, bytes)"

#define WHOLE_ANEW "UPDATE whole SET sum = (SELECT sum(" PART_SUM ") FROM part)"

/* The kinds of parts; `of` is the day, or the axis, else 0; `bytes` of calls, else 0. */
#define PART_CALLS "0"
#define PART_SEEN "1"
#define PART_SPANS "2"
#define PART_FACTS "3"

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
