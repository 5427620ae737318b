// SPDX-License-Identifier: MIT
/*
 * The way back: a path of the tree that is a given query, for messages. Pure.
 */
#ifndef CDRFS_FS_QUERY_PATH_H
#define CDRFS_FS_QUERY_PATH_H

#include "api/query.h"

#define QUERY_PATH_MAX 512

/*
 * Appends a path that is q, without a slash in front: of a date or a range of dates
 * (2026-05-01..2026-05-31) where its interval is one, else with by-end-time. Nothing if q is a
 * contradiction. uuid not "": of that call in it.
 */
void query_path(const struct query *q, const char *uuid, struct buf *out);

/* The same of the whole days that q's interval touches. */
void query_path_days(const struct query *q, const char *uuid, struct buf *out);

#endif
