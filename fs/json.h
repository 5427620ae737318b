// SPDX-License-Identifier: MIT
/*
 * The little JSON that is written in /.cdrfs. Pure.
 */
#ifndef CDRFS_FS_JSON_H
#define CDRFS_FS_JSON_H

#include "api/util.h"

/* A text in quotes; bytes that are no printable ASCII become '?'. */
void json_put_text(struct buf *out, const char *s);

/* The same; null for "" and for NULL. */
void json_put_text_or_null(struct buf *out, const char *s);

/* UTC seconds as "2026-05-26T13:32:06Z"; null for 0 and for INT64_MAX. */
void json_put_time(struct buf *out, int64_t t);

#endif
