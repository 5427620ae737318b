// SPDX-License-Identifier: MIT
/*
 * cdrfsctl: what its commands share. All they need is the mount.
 */
#ifndef CDRFS_CTL_CTL_H
#define CDRFS_CTL_CTL_H

#include <jansson.h>

#include "ctl/mounts.h"

/* Exit statuses; of several paths the worst. */
enum { CTL_DONE = 0, CTL_CANNOT = 1, CTL_INCOMPLETE = 2 };

/* Where a path is. */
struct place {
    char mount[CTL_PATH_MAX];
    char path[CTL_PATH_MAX]; /* below it; "" is all of it */
};

/* `cdrfsctl: what: why`, on standard error; returns CTL_CANNOT. */
int complain(const char *what, const char *why);

/* The text of a file below .cdrfs; the caller frees. Negative errno. */
int read_control(const struct place *at, const char *name, char **ret) MUST_CHECK;

/* Writes a line to one. Negative errno. */
int write_control(const struct place *at, const char *name, const char *line) MUST_CHECK;

int ctl_explain(const struct place *at, bool json); /* explain.c */
int ctl_prefetch(const struct place *at);           /* prefetch.c */

/* Seconds as 1:02:03 or 2:03. */
void put_clock(char out[32], double seconds);

#endif
