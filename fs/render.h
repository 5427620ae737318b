// SPDX-License-Identifier: MIT
/*
 * What csv/ and ndjson/ files hold, from the bytes of calls. Pure.
 *
 * CSV: RFC 4180 with LF; a header that is the same every day, the keys of the dialect as API.md
 * section 3 has them, then `other`, which holds any further keys of the record as one JSON object.
 * null and missing are empty. A string is written as what it means; two things that no text file
 * can carry stay escapes: \u0000, and half a surrogate pair. Any other value is written as the API
 * wrote it.
 */
#ifndef CDRFS_FS_RENDER_H
#define CDRFS_FS_RENDER_H

#include "api/dialect.h"

void render_csv_header(struct buf *out, enum dialect_id dialect);

/* body is the file of a call. -EBADMSG when it is no JSON object. */
int render_csv_row(struct buf *out, enum dialect_id dialect, struct slice body) MUST_CHECK;

/* One compact object and a newline. */
void render_ndjson_row(struct buf *out, struct slice body);

#endif
