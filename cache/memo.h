// SPDX-License-Identifier: MIT
/*
 * A small memory of texts that expires: what the API said is not there, or is too much to be read
 * whole, or how often something was asked for. The oldest goes when it is full. Not locked; the
 * times are milliseconds of the caller's clock.
 */
#ifndef CDRFS_CACHE_MEMO_H
#define CDRFS_CACHE_MEMO_H

#include "api/query.h"

#define MEMO_SIZE 256

struct memo {
    struct {
        char key[QUERY_KEY_MAX];
        int64_t until_ms;
        int times; /* of memo_count() */
    } v[MEMO_SIZE];
    int next;
};

void memo_put(struct memo *m, const char *key, int64_t until_ms);
bool memo_has(const struct memo *m, const char *key, int64_t now_ms);

/* Puts the text, and returns how many times that was done since it last was not known. */
int memo_count(struct memo *m, const char *key, int64_t now_ms, int64_t until_ms) MUST_CHECK;

#endif
