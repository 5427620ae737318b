// SPDX-License-Identifier: MIT
#include "fs/node.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define PLACES 0x3ffffffu /* years to 5041, with months, days and hours */
#define KEY_MAX 300       /* a parent's id and a name of at most 255 bytes */

struct node {
    uint64_t id;
    uint64_t lookups;
    uint64_t children; /* nodes that name this one as their parent */
    struct node_info info;
    struct kept kept;
    UT_hash_handle by_id, by_key;
    char key[];
};

struct nodes {
    pthread_mutex_t lock; /* guards the rest */
    struct node *by_id, *by_key;
    uint64_t last_id;
};

static uint64_t hash_bytes(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    return h >> 1 > 2 ? h >> 1 : 3; /* positive, and none of the small numbers */
}

uint64_t inode_of_call(const char *uuid)
{
    return hash_bytes(0xcbf29ce484222325u, uuid);
}

uint64_t inode_of_dir(uint64_t parent_ino, const char *name)
{
    return hash_bytes(parent_ino * 0x9e3779b97f4a7c15u + 1, name);
}

/* The last bits are the date. A name is YYYY-MM, with -DD and THH behind it or not. */
uint64_t inode_of_date(uint64_t parent_ino, const char *name)
{
    unsigned year = 0, month = 0, date = 0, hour = 0;
    int n = sscanf(name, "%u-%u-%uT%u", &year, &month, &date, &hour);
    uint64_t place = ((year * 13 + month) * 32 + date) * 32 + (n == 4 ? hour + 1 : 0);
    return (inode_of_dir(parent_ino, "") & ~(uint64_t)PLACES) | (place & PLACES);
}

static void make_key(uint64_t parent, const char *name, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%llu/%s", (unsigned long long)parent, name);
}

static struct node *find(struct nodes *n, uint64_t id)
{
    struct node *node;
    HASH_FIND(by_id, n->by_id, &id, sizeof(id), node);
    return node;
}

static struct node *add(struct nodes *n, const char *key, const struct node_info *info)
{
    struct node *node = calloc(1, sizeof(*node) + strlen(key) + 1);
    if (!node)
        return NULL;
    node->id = ++n->last_id;
    node->info = *info;
    memcpy(node->key, key, strlen(key) + 1);
    HASH_ADD(by_id, n->by_id, id, sizeof(node->id), node);
    if (node->by_id.tbl)
        HASH_ADD_KEYPTR(by_key, n->by_key, node->key, strlen(node->key), node);
    if (!node->by_id.tbl || !node->by_key.tbl) {
        if (node->by_id.tbl)
            HASH_DELETE(by_id, n->by_id, node);
        free(node);
        return NULL;
    }
    struct node *up = find(n, info->parent);
    if (up && up != node)
        up->children++;
    return node;
}

struct nodes *nodes_create(void)
{
    struct nodes *n = calloc(1, sizeof(*n));
    struct node_info root = {.dir = path_root(), .parent = NODE_ROOT, .ino = NODE_ROOT};
    if (!n)
        return NULL;
    pthread_mutex_init(&n->lock, NULL);
    struct node *node = add(n, "", &root);
    if (!node) {
        nodes_destroy(n);
        return NULL;
    }
    node->lookups = 1; /* the root is never forgotten */
    return n;
}

void nodes_destroy(struct nodes *n)
{
    struct node *node, *tmp;
    if (!n)
        return;
    HASH_CLEAR(by_key, n->by_key);
    HASH_ITER (by_id, n->by_id, node, tmp) {
        HASH_DELETE(by_id, n->by_id, node);
        free(node);
    }
    pthread_mutex_destroy(&n->lock);
    free(n);
}

int nodes_get(struct nodes *n, uint64_t id, struct node_info *ret)
{
    pthread_mutex_lock(&n->lock);
    struct node *node = find(n, id);
    if (node)
        *ret = node->info;
    pthread_mutex_unlock(&n->lock);
    return node ? 0 : -ENOENT;
}

struct kept nodes_kept(struct nodes *n, uint64_t id)
{
    pthread_mutex_lock(&n->lock);
    struct node *node = find(n, id);
    struct kept kept = node ? node->kept : (struct kept){0};
    pthread_mutex_unlock(&n->lock);
    return kept;
}

void nodes_keep(struct nodes *n, uint64_t id, const struct kept *kept)
{
    pthread_mutex_lock(&n->lock);
    struct node *node = find(n, id);
    if (node)
        node->kept = *kept;
    pthread_mutex_unlock(&n->lock);
}

bool nodes_is_view(struct nodes *n, uint64_t id)
{
    struct node_info here, above;
    return nodes_get(n, id, &here) == 0 && nodes_get(n, here.parent, &above) == 0 && above.dir.root;
}

int nodes_intern(struct nodes *n, uint64_t parent, const char *name, const struct dir *dir,
                 uint64_t *ret)
{
    char key[KEY_MAX];
    struct node *node;
    make_key(parent, name, key);
    pthread_mutex_lock(&n->lock);
    HASH_FIND(by_key, n->by_key, key, strlen(key), node);
    struct node *up = node ? NULL : find(n, parent);
    if (up) {
        uint64_t ino = dir->kind == DIR_WINDOW ? inode_of_date(up->info.ino, name)
                                               : inode_of_dir(up->info.ino, name);
        struct node_info info = {*dir, parent, ino};
        node = add(n, key, &info);
    }
    if (node) {
        node->lookups++;
        *ret = node->id;
    }
    pthread_mutex_unlock(&n->lock);
    return node ? 0 : -ENOMEM;
}

/* Drops a node nobody knows, and then its parent if that was only kept for it. */
static void drop_unknown(struct nodes *n, struct node *node)
{
    while (node && node->id != NODE_ROOT && !node->lookups && !node->children) {
        struct node *up = find(n, node->info.parent);
        HASH_DELETE(by_id, n->by_id, node);
        HASH_DELETE(by_key, n->by_key, node);
        free(node);
        if (up)
            up->children--;
        node = up;
    }
}

void nodes_forget(struct nodes *n, uint64_t id, uint64_t lookups)
{
    if (id & NODE_CALL || id == NODE_ROOT)
        return;
    pthread_mutex_lock(&n->lock);
    struct node *node = find(n, id);
    if (node) {
        node->lookups -= lookups < node->lookups ? lookups : node->lookups;
        drop_unknown(n, node);
    }
    pthread_mutex_unlock(&n->lock);
}

size_t nodes_count(struct nodes *n)
{
    pthread_mutex_lock(&n->lock);
    size_t count = HASH_CNT(by_id, n->by_id);
    pthread_mutex_unlock(&n->lock);
    return count;
}
