// SPDX-License-Identifier: MIT
/*
 * The floor under a filesystem in user space: what the kernel and libfuse cost by themselves. It
 * shows a folder from memory, in the way that is quickest for the kernel, and decides nothing while
 * it serves. What cdrfs takes beyond it is cdrfs; a goal that it misses, too, is not for cdrfs to
 * meet. A peer of scripts/bench, and good for nothing else.
 *
 *     floor TREE MOUNTPOINT
 *
 * All names, attributes and contents are read at the start, and every reply to READDIRPLUS is laid
 * out then. Opens are asked for once. A file that is read has the next ones of its directory
 * brought into the kernel: it is answered when a few are there, and goes on while the others
 * follow. What changes in TREE later is not seen.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/util.h"
#include "fs/channel.h"

#define KEEP_S 86400.0
#define DOTS 2
#define RUN 1024 /* files that are brought into the kernel after one that was read */
#define LEAD 32  /* of these, how many before it is answered */

/* A file or directory. Its inode is its place among all, and 1; those of one directory stand
 * together. */
struct node {
    struct stat st;
    char *name;
    char *body;           /* of a file */
    size_t parent;        /* places */
    size_t first, n;      /* of a directory: where its nodes are, how many */
    char *listing;        /* of a directory: its replies, one behind another */
    atomic_size_t listed; /* of those, how many the kernel has been told of */
    size_t *begins;       /* where the dots and each node begin in it; and the end of all */
};

struct floor {
    struct node *nodes;
    size_t n, room;
    pthread_mutex_t pushing; /* held while files are on their way to the kernel; guards pushed */
    bool *pushed;
    struct fuse_session *session;
};

/* --- reading the tree: -errno, and then the process ends, so that nothing is freed --- */

static int read_body(const char *path, struct node *node)
{
    size_t size = (size_t)node->st.st_size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    node->body = malloc(size + 1);
    ssize_t n = node->body ? read(fd, node->body, size) : -1;
    close(fd);
    return n == (ssize_t)size ? 0 : -EIO;
}

static int add_node(struct floor *f, const char *path, const char *name, size_t parent)
{
    if (f->n == f->room) {
        f->room = f->room ? f->room * 2 : 1024;
        f->nodes = reallocarray(f->nodes, f->room, sizeof(*f->nodes));
        if (!f->nodes)
            return -ENOMEM;
    }
    struct node *node = &f->nodes[f->n++];
    *node = (struct node){.name = strdup(name), .parent = parent};
    if (!node->name)
        return -ENOMEM;
    if (lstat(path, &node->st) < 0)
        return -errno;
    node->st.st_ino = f->n;
    return S_ISREG(node->st.st_mode) ? read_body(path, node) : 0;
}

static int is_no_dot(const struct dirent *d)
{
    return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int join(char **ret, const char *path, const char *name)
{
    return asprintf(ret, "%s/%s", path, name) < 0 ? -ENOMEM : 0;
}

static int add_nodes(struct floor *f, const char *path, size_t place)
{
    struct dirent **names;
    int n = scandir(path, &names, is_no_dot, NULL);
    if (n < 0)
        return -errno;
    f->nodes[place].first = f->n;
    f->nodes[place].n = (size_t)n;
    for (int i = 0; i < n; i++) {
        CLEANUP_FREE char *child = NULL;
        int rc = join(&child, path, names[i]->d_name);
        if (rc == 0)
            rc = add_node(f, child, names[i]->d_name, place);
        if (rc < 0)
            return rc;
        free(names[i]);
    }
    free(names);
    return 0;
}

static struct fuse_entry_param entry_of(const struct node *node)
{
    return (struct fuse_entry_param){
        .ino = node->st.st_ino, .attr = node->st, .attr_timeout = KEEP_S, .entry_timeout = KEEP_S};
}

/* The i-th entry of a directory, dots first; returns its name. */
static const char *entry_at(const struct floor *f, const struct node *dir, size_t i,
                            struct fuse_entry_param *ret)
{
    if (i >= DOTS) {
        const struct node *node = &f->nodes[dir->first + i - DOTS];
        *ret = entry_of(node);
        return node->name;
    }
    *ret = (struct fuse_entry_param){.attr = i == 0 ? dir->st : f->nodes[dir->parent].st};
    return i == 0 ? "." : "..";
}

static int lay_out(const struct floor *f, struct node *dir)
{
    struct fuse_entry_param e;
    size_t n = dir->n + DOTS, used = 0;
    dir->begins = calloc(n + 1, sizeof(*dir->begins));
    if (!dir->begins)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        dir->begins[i + 1] = dir->begins[i] + fuse_add_direntry_plus(
                                                  NULL, NULL, 0, entry_at(f, dir, i, &e), NULL, 0);
    dir->listing = malloc(dir->begins[n]);
    if (!dir->listing)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *name = entry_at(f, dir, i, &e);
        used += fuse_add_direntry_plus(NULL, dir->listing + used, dir->begins[n] - used, name, &e,
                                       (off_t)i + 1);
    }
    return 0;
}

static int load(struct floor *f, const char *path, size_t place)
{
    int rc = add_nodes(f, path, place);
    size_t first = f->nodes[place].first, n = f->nodes[place].n;
    for (size_t i = first; rc == 0 && i < first + n; i++) {
        CLEANUP_FREE char *child = NULL;
        if (!S_ISDIR(f->nodes[i].st.st_mode))
            continue;
        rc = join(&child, path, f->nodes[i].name);
        if (rc == 0)
            rc = load(f, child, i);
    }
    return rc < 0 ? rc : lay_out(f, &f->nodes[place]);
}

/* --- serving it --- */

static struct floor *floor_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    conn->want |= conn->capable & FUSE_CAP_READDIRPLUS;
    conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    const struct floor *f = floor_of(req);
    const struct node *dir = &f->nodes[parent - 1], *end = f->nodes + dir->first + dir->n;
    const struct node *node = f->nodes + dir->first;
    while (node < end && strcmp(node->name, name) != 0)
        node++;
    struct fuse_entry_param e = node < end ? entry_of(node) : (struct fuse_entry_param){0};
    if (node < end)
        fuse_reply_entry(req, &e);
    else
        fuse_reply_err(req, ENOENT);
}

static void on_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    (void)fi;
    fuse_reply_attr(req, &floor_of(req)->nodes[node - 1].st, KEEP_S);
}

/* The kernel asks no more, and keeps what it has read: of files, and of directories. */
static void on_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    (void)node, (void)fi;
    fuse_reply_err(req, ENOSYS);
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                           struct fuse_file_info *fi)
{
    struct node *dir = &floor_of(req)->nodes[node - 1];
    size_t from = (size_t)off, to = from, n = dir->n + DOTS;
    (void)fi;
    while (to < n && dir->begins[to + 1] - dir->begins[from] <= size)
        to++;
    fuse_reply_buf(req, dir->listing + dir->begins[from], dir->begins[to] - dir->begins[from]);
    if (to > atomic_load(&dir->listed) + DOTS)
        atomic_store(&dir->listed, to - DOTS);
}

static void store(const struct floor *f, size_t place)
{
    const struct node *node = &f->nodes[place];
    struct fuse_bufvec buf = FUSE_BUFVEC_INIT((size_t)node->st.st_size);
    buf.buf[0].mem = node->body;
    fuse_lowlevel_notify_store(f->session, node->st.st_ino, 0, &buf, 0);
}

/* A read that is to be answered. */
struct asked {
    fuse_req_t req;
    size_t place; /* the file's */
    size_t size, from;
};

static void answer(const struct floor *f, const struct asked *a)
{
    const struct node *file = &f->nodes[a->place];
    size_t n = (size_t)file->st.st_size, from = a->from < n ? a->from : n;
    fuse_reply_buf(a->req, file->body + from, n - from < a->size ? n - from : a->size);
}

/* The next ones which the kernel knows and was not given before. Not the file itself: its page is
 * locked until its read is answered. */
static void push_run(struct floor *f, const struct asked *a)
{
    const struct node *dir = &f->nodes[f->nodes[a->place].parent];
    size_t n = atomic_load(&dir->listed), sent = 0;
    f->pushed[a->place] = true;
    for (size_t i = 1; i < n && sent < RUN; i++) {
        size_t next = dir->first + (a->place - dir->first + i) % n;
        if (f->pushed[next] || !f->nodes[next].body)
            continue;
        f->pushed[next] = true;
        store(f, next);
        if (++sent == LEAD)
            answer(f, a);
    }
    if (sent < LEAD)
        answer(f, a);
}

/* One run at a time: it stops at pages that others read until these are answered, by other threads
 * of the loop. */
static void on_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    struct floor *f = floor_of(req);
    const struct asked a = {req, node - 1, size, (size_t)off};
    bool mine = pthread_mutex_trylock(&f->pushing) == 0;
    (void)fi;
    if (mine && !f->pushed[a.place])
        push_run(f, &a);
    else
        answer(f, &a);
    if (mine)
        pthread_mutex_unlock(&f->pushing);
}

static int serve(struct floor *f, const char *mountpoint)
{
    static const struct fuse_lowlevel_ops ops = {.init = on_init,
                                                 .lookup = on_lookup,
                                                 .getattr = on_getattr,
                                                 .open = on_open,
                                                 .opendir = on_open,
                                                 .readdirplus = on_readdirplus,
                                                 .read = on_read};
    char *argv[] = {"floor", "-o", "fsname=floor,subtype=floor", NULL};
    struct fuse_args args = FUSE_ARGS_INIT(3, argv);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    f->session = config ? fuse_session_new(&args, &ops, sizeof(ops), f) : NULL;
    if (!f->session || fuse_set_signal_handlers(f->session) < 0 ||
        channel_mount(f->session, mountpoint) < 0)
        return -EIO;
    int rc = fuse_session_loop_mt(f->session, config);
    fuse_session_unmount(f->session);
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    struct floor f = {.pushing = PTHREAD_MUTEX_INITIALIZER};
    if (argc != 3) {
        fprintf(stderr, "usage: floor TREE MOUNTPOINT\n");
        return 2;
    }
    int rc = add_node(&f, argv[1], "", 0);
    if (rc == 0)
        rc = load(&f, argv[1], 0);
    f.pushed = rc == 0 ? calloc(f.n, sizeof(*f.pushed)) : NULL;
    if (f.pushed)
        rc = serve(&f, argv[2]);
    if (rc < 0 || !f.pushed)
        fprintf(stderr, "floor: %s: %s\n", argv[1], strerror(rc < 0 ? -rc : ENOMEM));
    return rc < 0 || !f.pushed;
}
