// SPDX-License-Identifier: MIT
/*
 * What the FUSE handlers share. One struct fs a mount; no globals.
 */
#ifndef CDRFS_FS_FS_H
#define CDRFS_FS_FS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "cache/cache.h"
#include "fs/log.h"
#include "fs/node.h"

struct dirh;
struct errors;
struct options;
struct park;
struct push;
struct shots;
struct used;
struct source;
struct worker;
struct fuse_lowlevel_ops;
struct fuse_session;

/* Messages of the kernel, as they are counted. */
enum message {
    MESSAGE_LOOKUP,
    MESSAGE_FORGET,
    MESSAGE_GETATTR,
    MESSAGE_OPENDIR,
    MESSAGE_READDIR,
    MESSAGE_READ,
    MESSAGE_STATFS,
    MESSAGE_WRITE,
    MESSAGE_OTHER,
    MESSAGES
};

extern const char *const message_names[MESSAGES];

struct fs {
    struct cache *cache;
    struct source *source; /* the Plivo client; the cache's, and there as long as that is */
    struct errors *errors;
    const struct options *options;
    const char *auth_id, *api_url; /* in force */
    char *store_dir;               /* the folder of the store */
    atomic_uint_least64_t messages[MESSAGES];
    struct fuse_session *session; /* NULL until it is made */
    struct nodes *nodes;
    struct park *park;
    struct push *push;
    struct shots *shots;
    struct used *used;
    struct worker *worker;
    pthread_mutex_t dirhs_lock; /* guards dirhs */
    struct dirh *dirhs;         /* open directories: their release may never come */
    struct log *log;
    uid_t uid;
    gid_t gid;
    mode_t umask;         /* bits taken from 0444 and 0555 */
    bool inode32;         /* inode numbers of 32 bits */
    uint32_t generation;  /* of this mount's node ids: another's handles are not ours */
    const char *crawlers; /* programs that see only what is held (crawlers.h) */
};

/* The handlers; their userdata is a struct fs. */
extern const struct fuse_lowlevel_ops fs_ops;

#endif
