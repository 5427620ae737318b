// SPDX-License-Identifier: MIT
#ifndef SIM_MOUNTS_H
#define SIM_MOUNTS_H

#include <pthread.h>
#include <stdbool.h>

/* Watches a mount point through /proc/self/mountinfo, by event. One thread asks, the main loop
 * looks. */
struct mounts {
    pthread_mutex_t lock;
    char *path; /* lock: what is watched, or NULL */
    int info;   /* mountinfo, to be polled for POLLPRI; fixed from init on */
};

/* Opens the table. Returns 0 or -errno. */
int mounts_init(struct mounts *m);
/* Closes the table; harmless after a failed init. */
void mounts_release(struct mounts *m);

/* Watches `path` from now on. Returns 0, -ENOENT when it is no mount point now, or -errno. */
int mounts_watch(struct mounts *m, const char *path);

/* Whether the watched path is not mounted any more; false when none is watched. */
bool mounts_gone(struct mounts *m);

#endif
