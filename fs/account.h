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
 * credential `cdrfs.token`, or PLIVO_AUTH_TOKEN, which is wiped from the environment in place in
 * any case. One line for the user in error, which never has the token: -EINVAL, -ENOMEM, or why the
 * file cannot be used.
 */
int account_find(const struct options *o, struct account *ret, char *error, size_t cap) MUST_CHECK;

/* Wipes the token. */
void account_release(struct account *a);

#endif
