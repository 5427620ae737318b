// SPDX-License-Identifier: MIT
/*
 * The push: when somebody reads the files of a listed directory one after another, their contents
 * are put into the kernel's page cache before it asks (DESIGN.md section 8). A cold grep is then as
 * good as without a message for each file.
 *
 * Who lists tells which calls the kernel was given, in the order of their ids; who reads tells
 * which one it had to ask for. A second read in one directory, or the first after others that came
 * to many, pushes the calls behind it, and leaves out one in the middle of each run of them: when
 * that one is read too, the reader has come so far, and the next run is pushed. So nothing is
 * pushed that nobody is on the way to, and it ends when nobody reads.
 *
 * All is done on a thread of its own, never inside a request: the kernel may keep it waiting for a
 * page that a request of its own is to fill. What is told here may be dropped when there is too
 * much of it; reads then are answered as ever. Any thread.
 *
 * A record that is amended: push_pause() waits until no older contents are on their way, so that
 * what the kernel is then told to forget stays forgotten.
 */
#ifndef CDRFS_FS_PUSH_H
#define CDRFS_FS_PUSH_H

#include "fs/fs.h"

struct push;

/* Starts the thread; it uses fs only when it is told something. NULL: no memory or no thread. */
struct push *push_create(struct fs *fs);

/* The kernel took entries of the directory q with ids from first to last; anew: from its beginning.
 */
void push_listed(struct push *p, const struct query *q, bool anew, int64_t first, int64_t last);

/* The kernel asked for the contents of a call. */
void push_read(struct push *p, int64_t id);

/* The kernel may be told now that a call has changed: between these two nothing is pushed. */
void push_pause(struct push *p);
void push_resume(struct push *p);

/* How many contents were pushed so far. */
uint64_t push_count(struct push *p);

/*
 * Ends the thread; to be called when the session's loop has ended, before it is unmounted. Requests
 * that the kernel still has are served meanwhile, since the thread may be waiting for one of them.
 */
void push_stop(struct push *p);

/* After push_stop(), or when there never was a session. Accepts NULL. */
void push_destroy(struct push *p);

#endif
