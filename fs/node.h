// SPDX-License-Identifier: MIT
/*
 * Node ids. A call's is its row id in the store with NODE_CALL set, so files need no table and
 * forgetting one is free. Directories are kept here, one for each path the kernel knows, by the
 * count of its look-ups. Any thread.
 */
#ifndef CDRFS_FS_NODE_H
#define CDRFS_FS_NODE_H

#include "cache/store.h"
#include "fs/path.h"

#define NODE_ROOT 1u
#define NODE_CALL ((uint64_t)1 << 62)

struct nodes;

/* With the root in it. NULL: no memory. */
struct nodes *nodes_create(void);
void nodes_destroy(struct nodes *n); /* accepts NULL */

struct node_info {
    struct dir dir;
    uint64_t parent; /* id of the directory above; of the root, its own */
    uint64_t ino;    /* st_ino: a function of the path alone */
};

/* What the directory of that id is. -ENOENT for an id never given or forgotten. */
int nodes_get(struct nodes *n, uint64_t id, struct node_info *ret) MUST_CHECK;

/* True when that directory stands in a tree's root, so that no condition precedes it. */
bool nodes_is_view(struct nodes *n, uint64_t id);

/* What a directory's calls were when it was last opened with leave to keep its listing. */
struct kept {
    bool ever;
    uint64_t changes; /* cache_changes() then */
    bool marked;      /* they were summed up, too */
    struct mark mark;
};

struct kept nodes_kept(struct nodes *n, uint64_t id);
void nodes_keep(struct nodes *n, uint64_t id, const struct kept *kept);

/* The id of parent's child of that name, made if need be; counts one look-up. -ENOMEM. */
int nodes_intern(struct nodes *n, uint64_t parent, const char *name, const struct dir *dir,
                 uint64_t *ret) MUST_CHECK;

/* The kernel forgets that many look-ups. */
void nodes_forget(struct nodes *n, uint64_t id, uint64_t lookups);

/* How many directories there are; for tests and status. */
size_t nodes_count(struct nodes *n);

/* st_ino of a directory, from its parent's and its name; of a call, from its uuid alone. Those of
 * the dates of one directory are in the order of time: cp and borg go by inode numbers, and who
 * goes from date to date has the next ones read ahead. */
uint64_t inode_of_dir(uint64_t parent_ino, const char *name);
uint64_t inode_of_date(uint64_t parent_ino, const char *name);
uint64_t inode_of_call(const char *uuid);

#endif
