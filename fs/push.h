// SPDX-License-Identifier: MIT
/*
 * The push: when somebody reads the files of a listed directory one after another, their contents
 * are put into the kernel's page cache before it asks (DESIGN.md section 8). A cold grep is then as
 * good as without a message for each file.
 *
 * Who lists tells which calls the kernel was given, in the order of their ids. A second read in one
 * directory, or the first soon after others that came to many, is kept waiting while the calls
 * behind it are pushed, a run of them; then it is answered. Behind the run stands the next file
 * that is asked for, and the next run, twice as long. So nothing is pushed that nobody is on the
 * way to, and it ends when nobody reads.
 *
 * The kernel locks the pages that it asks for, and a push to such a page waits until the request is
 * answered, not to be interrupted by anything: not even by the end of this process, which would
 * then never come. So a run is pushed only while the one reader there is waits; where several
 * threads read at once (rg) nothing is. And only one request is ever kept: all others are answered
 * at once, so that what a push may be waiting for is always on its way. Pushes come from a thread
 * of their own.
 *
 * A record that is amended: push_pause() waits until no older contents are on their way, so that
 * what the kernel is then told to forget stays forgotten.
 */
#ifndef CDRFS_FS_PUSH_H
#define CDRFS_FS_PUSH_H

#include <fuse_lowlevel.h>

#include "fs/fs.h"

struct push;

/* Starts the thread; it uses fs only when it is told something. NULL: no memory or no thread. */
struct push *push_create(struct fs *fs);

/* The kernel took entries of the directory q with ids from first to last; anew: from its beginning.
 */
void push_listed(struct push *p, const struct query *q, bool anew, int64_t first, int64_t last);

/*
 * The kernel asks for the contents of a call, which are body from that offset on. Answers req, or
 * has it answered a little later; takes body over.
 */
void push_read(struct push *p, fuse_req_t req, int64_t id, char *body, size_t from, size_t n);

/* The kernel may be told now that a call has changed: between these two nothing is pushed. */
void push_pause(struct push *p);
void push_resume(struct push *p);

/* How many contents were pushed so far. */
uint64_t push_count(struct push *p);

/*
 * Ends the thread; to be called while the session is still served, since the thread may be waiting
 * for a request (end.h), or when it is unmounted.
 */
void push_stop(struct push *p);

/* After push_stop(), or when there never was a session. Accepts NULL. */
void push_destroy(struct push *p);

#endif
