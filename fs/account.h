// SPDX-License-Identifier: MIT
/*
 * Whose calls: the account's id and its token (DESIGN.md section 7, API.md trap 43).
 */
#ifndef CDRFS_FS_ACCOUNT_H
#define CDRFS_FS_ACCOUNT_H

#include "fs/options.h"

struct account {
    char *id;
    char *token;
};

/*
 * Finds both: the id from the options or PLIVO_AUTH_ID; the token from auth_token_file=, a systemd
 * credential `cdrfs.token`, or PLIVO_AUTH_TOKEN, which is wiped from the environment in place. One
 * line for the user in error: -EINVAL, -EACCES, -ENOMEM.
 */
int account_find(const struct options *o, struct account *ret, char *error, size_t cap) MUST_CHECK;

/* Wipes the token. */
void account_release(struct account *a);

/*
 * Where requests go: api_url without slashes at its end, or NULL for the dialect's own. -EINVAL for
 * one that is not https:, nor http: to loopback.
 */
int account_api_url(const char *api_url, char **ret, char *error, size_t cap) MUST_CHECK;

#endif
