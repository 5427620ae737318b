// SPDX-License-Identifier: MIT
/*
 * From options to a running mount, and its end. What happens between the fork into the background
 * and the loop: nothing with a thread is started before.
 */
#ifndef CDRFS_FS_START_H
#define CDRFS_FS_START_H

#include "fs/account.h"

/* Mounts and serves until unmounted or told to end. Returns the exit status. ready() is called
 * once, when the mount can be used. */
int start_and_serve(const struct options *o, struct account *a, void (*ready)(void *arg),
                    void *arg);

#endif
