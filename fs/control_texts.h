// SPDX-License-Identifier: MIT
/*
 * The texts of /.cdrfs, by file. Each appends; control.c masks the token. Any thread; none costs a
 * request. Private to control.c.
 */
#ifndef CDRFS_FS_CONTROL_TEXTS_H
#define CDRFS_FS_CONTROL_TEXTS_H

#include "fs/fs.h"

void status_put(struct fs *fs, struct buf *out);  /* status.c */
void metrics_put(struct fs *fs, struct buf *out); /* metrics.c */
void config_put(struct fs *fs, struct buf *out);  /* config.c */

/* explain.c; uuid not "": of that call in d. */
int explain_put(struct fs *fs, const struct dir *d, const char *uuid, struct buf *out) MUST_CHECK;

/* explain.c: how long so many requests take when a connection gives an answer each so many seconds.
 * Pure. */
double explain_seconds(int64_t requests, double rate, int connections, double latency_s);

/* progress.c: a line of JSON for each wish to read ahead; for people the same in status. */
void progress_put(struct fs *fs, struct buf *out);
void progress_put_running(struct fs *fs, struct buf *out);

/* progress.c: calls that all of it should have, by what is read of it; -1 while nothing is known.
 * Pure. */
int64_t progress_expected(const struct prefetch *p);

#endif
