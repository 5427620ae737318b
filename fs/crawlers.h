// SPDX-License-Identifier: MIT
/*
 * Programs that read everything there is, such as updatedb: what they do must not cost requests, so
 * they see only what is held (DESIGN.md section 3). A process is known by its name: that of the
 * thread that asks, of its process, and of the file it runs (names of threads are cut at 15 bytes).
 *
 * It costs three reads in /proc, and so is asked only where a request would have to wait for the
 * API.
 */
#ifndef CDRFS_FS_CRAWLERS_H
#define CDRFS_FS_CRAWLERS_H

#include <sys/types.h>

#include "api/util.h"

/* patterns: globs separated by colons. pid may be that of a thread, or 0 for one out of sight. */
bool crawlers_match(const char *patterns, pid_t pid);

/* True when one of the patterns matches the name; pure. */
bool crawlers_name_matches(const char *patterns, const char *name);

#endif
