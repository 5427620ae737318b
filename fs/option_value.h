// SPDX-License-Identifier: MIT
/*
 * The value of one option: what it takes, and what is said about any other.
 */
#ifndef CDRFS_FS_OPTION_VALUE_H
#define CDRFS_FS_OPTION_VALUE_H

#include "fs/options.h"

/*
 * Sets the option's member of o; v is NULL when no value was given. from says in the message where
 * the value stood: the option's name, or that of a variable. -EINVAL with one line in error, which
 * repeats the value unless it may hold a password; -ENOMEM.
 */
int option_set(struct options *o, const struct option_def *d, const char *from, const char *v,
               char *error, size_t cap) MUST_CHECK;

/* Whether its member is a text, which options_release() frees. */
bool option_is_text(const struct option_def *d);

#endif
