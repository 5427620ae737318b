// SPDX-License-Identifier: MIT
/* Shared by the store's own files: opening (store.c), writing and reading. */
#ifndef CDRFS_CACHE_STORE_PRIV_H
#define CDRFS_CACHE_STORE_PRIV_H

#include <pthread.h>

#include "cache/db.h"
#include "cache/pack.h"
#include "cache/store.h"

#define SQL_MAX 2048

struct store {
    char *path;
    int lock_fd;
    int64_t created;
    struct db *writer; /* of the writing thread */
    struct pack *pack;
    struct buf packed; /* the writing thread's, for one body */
    int64_t raw;       /* calls kept without a dictionary, about, while there is none */
    int64_t repacked;  /* bodies up to that id need no look any more */

    pthread_mutex_t lock; /* guards readers */
    struct db *readers;   /* connections nobody uses now */
};

/* store_pack.c: reads the dictionaries there are. */
int store_load_dicts(struct store *s) MUST_CHECK;

/* Appends the body in columns `bytes` and `dict` of a row, the first of which is that one. */
int store_open_body(struct store *s, sqlite3_stmt *st, int column, struct buf *out) MUST_CHECK;

/* A connection for one reading call; NULL when none can be made. */
struct db *store_take_reader(struct store *s);
void store_give_reader(struct store *s, struct db *d);

#endif
