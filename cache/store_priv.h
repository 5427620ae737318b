// SPDX-License-Identifier: MIT
/* Shared by the store's own files: opening (store.c), writing and reading. */
#ifndef CDRFS_CACHE_STORE_PRIV_H
#define CDRFS_CACHE_STORE_PRIV_H

#include <pthread.h>

#include "cache/db.h"
#include "cache/store.h"

#define SQL_MAX 2048

struct store {
    char *path;
    int lock_fd;
    int64_t created;
    struct db *writer; /* of the writing thread */

    pthread_mutex_t lock; /* guards readers */
    struct db *readers;   /* connections nobody uses now */
};

/* A connection for one reading call; NULL when none can be made. */
struct db *store_take_reader(struct store *s);
void store_give_reader(struct store *s, struct db *d);

#endif
