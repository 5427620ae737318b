// SPDX-License-Identifier: MIT
/* Shared by the store's own files: opening (store.c), writing, reading, and what went wrong. */
#ifndef CDRFS_CACHE_STORE_PRIV_H
#define CDRFS_CACHE_STORE_PRIV_H

#include <pthread.h>

#include "cache/db.h"
#include "cache/pack.h"
#include "cache/store.h"

#define SQL_MAX 2048

/* What reading, or writing, met last. */
struct trouble {
    int err; /* 0: nothing */
    bool told;
    char text[DB_TEXT_MAX];
};

struct store {
    char *path;
    int lock_fd;
    int64_t created;
    bool frozen;                  /* it is only read */
    bool no_wal;                  /* readers and the writer wait for each other */
    char warning[STORE_TEXT_MAX]; /* "": all is as it should be */
    struct db *writer;            /* of the writing thread; frozen: it reads, too */
    struct pack *pack;
    struct buf packed; /* the writing thread's, for one body */
    int64_t raw;       /* calls kept without a dictionary, about, while there is none */
    int64_t repacked;  /* bodies up to that id need no look any more */

    pthread_mutex_t lock; /* guards readers and the troubles */
    struct db *readers;   /* connections nobody uses now */
    struct trouble reading, writing;
};

/* store_pack.c: reads the dictionaries there are. */
int store_load_dicts(struct store *s) MUST_CHECK;

/* Appends the body in columns `bytes` and `dict` of a row, the first of which is that one. */
int store_open_body(struct store *s, sqlite3_stmt *st, int column, struct buf *out) MUST_CHECK;

/* A connection for one reading call; NULL when none can be made, which is noted. */
struct db *store_take_reader(struct store *s);
void store_give_reader(struct store *s, struct db *d);

/* After something on d failed: remembers it for store_trouble(), and returns the errno. To readers
 * all but -ENOMEM is -EIO. */
int store_read_failed(struct store *s, struct db *d);
int store_write_failed(struct store *s);

/* What a reader found cannot be: -EIO. */
int store_is_damaged(struct store *s, const char *what);

/* The writer works again. */
void store_write_succeeded(struct store *s);

#endif
