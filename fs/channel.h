// SPDX-License-Identifier: MIT
/*
 * The mount itself: checks of the mountpoint, and one repair of libfuse's first message.
 */
#ifndef CDRFS_FS_CHANNEL_H
#define CDRFS_FS_CHANNEL_H

#include <fuse_lowlevel.h>

#include "api/util.h"

/*
 * Makes sure that something can be mounted there: a directory, empty or not; no live mount of ours;
 * a dead one, left behind by a crash, is taken away first; and that this process may mount at all.
 * One line for the user in error: -ENOTDIR, -EBUSY, -errno.
 */
int channel_prepare(const char *mountpoint, char *error, size_t cap) MUST_CHECK;

/*
 * Mounts. libfuse up to 3.16 accepts FUSE_CAP_PARALLEL_DIROPS but does not pass it on (libfuse pull
 * request 861), and without it the kernel lets one caller at a time into a directory: all others
 * would wait, and not be interruptible, while that one waits for the network. So the flag is set in
 * the reply to INIT as it passes. 0 or -EIO.
 */
int channel_mount(struct fuse_session *se, const char *mountpoint) MUST_CHECK;

#endif
