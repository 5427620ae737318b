// SPDX-License-Identifier: MIT
/*
 * What mount(8) says to mount.fuse.cdrfs, a second name of the command, in the words of cdrfs:
 *
 *     mount.fuse.cdrfs AUTH_ID MOUNTPOINT [-sfnv] [-o OPTIONS] [-t fuse.cdrfs]
 *
 * There -s is "sloppy" and -f "fake", not what they are to cdrfs. Pure.
 */
#ifndef CDRFS_FS_MOUNT_ARGS_H
#define CDRFS_FS_MOUNT_ARGS_H

#include "api/util.h"

struct mount_args {
    bool helper; /* started by that name */
    bool fake;   /* only check what was said, and mount nothing */
    int argc;
    char **argv; /* ends with NULL; it and its lists are owned, the other words borrowed */
    char **lists;
    int lists_count;
};

/*
 * Started by another name, argv is taken as it is. -EINVAL, with one line for the user in error,
 * for what mount(8) can ask and cdrfs cannot do; -ENOMEM. Release in any case.
 */
int mount_args_take(int argc, char **argv, struct mount_args *ret, char *error,
                    size_t cap) MUST_CHECK;
void mount_args_release(struct mount_args *m);

#endif
