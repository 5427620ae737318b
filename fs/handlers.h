// SPDX-License-Identifier: MIT
/*
 * The FUSE handlers that fill `fs_ops`, by file. Each is thin: decode, ask the cache, reply exactly
 * once or park. Private to the FUSE side.
 */
#ifndef CDRFS_FS_HANDLERS_H
#define CDRFS_FS_HANDLERS_H

#include <fuse_lowlevel.h>

#include "fs/crawlers.h"
#include "fs/fs.h"

/* How long the kernel may keep what it was told, in seconds. */
#define KEEP_CALL 86400.0 /* calls do not change; when one is amended, the kernel is told */
#define KEEP_DIR 1.0      /* a date's mtime is that of its newest call */
#define KEEP_ABSENT 60.0  /* a name that is not there, at the most */

static inline struct fs *fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static inline void count_message(fuse_req_t req, enum message m)
{
    atomic_fetch_add_explicit(&fs_of(req)->messages[m], 1, memory_order_relaxed);
}

/* True when the request comes from a program that must cost no request to the API. */
static inline bool is_from_crawler(fuse_req_t req)
{
    return crawlers_match(fs_of(req)->crawlers, fuse_req_ctx(req)->pid);
}

/* What the kernel is told of a call, and of a directory, whose look-up this counts (undo with
 * nodes_forget()). */
void entry_of_call(const struct fs *fs, const struct entry *e, struct fuse_entry_param *ret);
int entry_of_dir(struct fs *fs, uint64_t parent, const char *name, const struct dir *d,
                 struct fuse_entry_param *ret) MUST_CHECK;

/* readdir.c */
void fs_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi);
void fs_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                    struct fuse_file_info *fi);
void fs_releasedir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);

/* Frees the directories that were still open when the mount ended. */
void dirhs_free(struct fs *fs);

/* lookup.c */
void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_forget(fuse_req_t req, fuse_ino_t node, uint64_t lookups);
void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);

#endif
