// SPDX-License-Identifier: MIT
/*
 * Why a request came to nothing: the errno a reader at the shell will see, and what the log and
 * `.cdrfs/errors` say beside it. Plain data, copied by value; never holds a secret.
 */
#ifndef CDRFS_API_FAILURE_H
#define CDRFS_API_FAILURE_H

#include "api/util.h"

struct failure {
    int err;       /* negative errno; 0: no failure */
    int64_t date;  /* the server's clock when it answered, UTC seconds; 0 unknown */
    int http;      /* status, 0 when none was received */
    bool repeated; /* nothing was asked: this is what an earlier request met, and was told then */
    const char *remedy; /* a constant; NULL: failure_remedy() goes by err */
    char api_id[64];    /* the API's id of the request, if it gave one */
    char detail[192];   /* one line, printable */
};

/* The errno of an HTTP status on a list (DESIGN.md section 5); 0 for 200. */
int failure_errno_of_status(int http);

/* Fills f; the format makes the detail, unprintable bytes in it become '?'. */
void failure_set(struct failure *f, int err, int http, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* What a person can do about it; a short phrase. */
const char *failure_remedy(const struct failure *f);

#endif
