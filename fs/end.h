// SPDX-License-Identifier: MIT
/*
 * SIGINT and SIGTERM end a mount in an order that cannot hang. Who notifies the kernel (push.h,
 * amended records, changed pages) waits, not to be interrupted by anything, for requests that the
 * kernel makes because of that or made before: a page that is to be dropped may have to be written
 * back, or read, first. So all of these are stopped while the session is still served, by a thread
 * of their own; then its loop is ended. libfuse's own handlers end the loop first, and what its
 * threads have just read then is dropped.
 */
#ifndef CDRFS_FS_END_H
#define CDRFS_FS_END_H

#include <fuse_lowlevel.h>

struct end;

/*
 * From now on the first of these signals has stop(arg) called, and then ends the loop of the
 * calling thread, which may not have begun yet; any further one does nothing. One session a
 * process. NULL: no memory, no descriptor or no thread.
 */
struct end *end_create(struct fuse_session *se, void (*stop)(void *arg), void *arg);

/* The loop has ended, by a signal or an unmount; the signals do nothing any more. Accepts NULL. */
void end_destroy(struct end *e);

#endif
