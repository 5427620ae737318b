// SPDX-License-Identifier: MIT
/*
 * What else the kernel asks: attributes, contents, space; and every way to write, which is EROFS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs/attr.h"
#include "fs/control.h"
#include "fs/handlers.h"
#include "fs/push.h"
#include "fs/worker.h"

const char *const message_names[MESSAGES] = {"lookup", "forget", "getattr", "opendir", "readdir",
                                             "read",   "statfs", "write",   "other"};

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
    (void)userdata;
    /* Attributes are at hand when names are, so a plain listing never costs more. */
    conn->want |= conn->capable & FUSE_CAP_READDIRPLUS;
    conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
    /* Opens do not reach us, so that truncating must. */
    conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
}

static void reply_attr(fuse_req_t req, fuse_ino_t node)
{
    struct fs *fs = fs_of(req);
    struct stat st;
    struct entry e;
    struct node_info info;
    struct shot_info shot;
    if (node & NODE_CALL) {
        int rc = cache_entry(fs->cache, (int64_t)(node & ~NODE_CALL), &e);
        if (rc < 0) {
            fuse_reply_err(req, rc == -ENOENT ? ESTALE : -rc);
            return;
        }
        attr_of_call(fs, &e, &st);
        fuse_reply_attr(req, &st, KEEP_CALL);
    } else if (node & NODE_SHOT) {
        if (shots_get(fs->shots, node, &shot) < 0) {
            fuse_reply_err(req, ESTALE);
            return;
        }
        attr_of_shot(fs, &shot, &st);
        fuse_reply_attr(req, &st, KEEP_CALL);
    } else if (nodes_get(fs->nodes, node, &info) < 0) {
        fuse_reply_err(req, ESTALE);
    } else {
        attr_of_dir(fs, &info.dir, info.ino, &st);
        fuse_reply_attr(req, &st, info.dir.kind == FILE_CONTROL ? 0 : KEEP_DIR);
    }
}

static void on_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    (void)fi;
    count_message(req, MESSAGE_GETATTR);
    reply_attr(req, node);
}

/* Which file of .cdrfs that is, if it can be written to; else -1. One that is read, too, is a
 * snapshot. */
static int written_at(fuse_req_t req, fuse_ino_t node)
{
    struct node_info info;
    struct shot_info shot;
    if (node & NODE_SHOT)
        return shots_get(fs_of(req)->shots, node, &shot) == 0 ? control_written_at(shot.ino) : -1;
    bool file = !(node & NODE_CALL) && nodes_get(fs_of(req)->nodes, node, &info) == 0 &&
                info.dir.kind == FILE_CONTROL;
    return file ? info.dir.axis : -1;
}

/*
 * No file needs to be opened: every size is exact at its look-up, and nothing is read directly. The
 * kernel does not ask again, for any file, nor does it tell when one is closed; and it keeps what
 * was read for as long as it knows the file.
 */
static void on_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    count_message(req, MESSAGE_OTHER);
    (void)node, (void)fi;
    fuse_reply_err(req, ENOSYS);
}

static void read_shot(fuse_req_t req, uint64_t node, size_t size, off_t off)
{
    CLEANUP_FREE char *buf = malloc(size);
    ssize_t n = buf ? shots_read(fs_of(req)->shots, node, buf, size, off) : -ENOMEM;
    if (n < 0)
        fuse_reply_err(req, n == -ENOENT ? ESTALE : (int)-n);
    else
        fuse_reply_buf(req, buf, (size_t)n);
}

static void on_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    count_message(req, MESSAGE_READ);
    struct fs *fs = fs_of(req);
    int64_t id = (int64_t)(node & ~NODE_CALL);
    char *body = NULL;
    size_t n = 0;
    (void)fi;
    if (node & NODE_SHOT) {
        read_shot(req, node, size, off);
        return;
    }
    if (!(node & NODE_CALL)) { /* one that is written to: there is nothing to read */
        fuse_reply_buf(req, NULL, 0);
        return;
    }
    int rc = cache_body(fs->cache, id, &body, &n);
    if (rc < 0) {
        fuse_reply_err(req, rc == -ENOENT ? ESTALE : -rc);
        return;
    }
    size_t from = (size_t)off < n ? (size_t)off : n;
    push_read(fs->push, req, id, body, from, n - from < size ? n - from : size);
}

static void on_statfs(fuse_req_t req, fuse_ino_t node)
{
    count_message(req, MESSAGE_STATFS);
    int64_t calls, bytes;
    struct statvfs st = {.f_bsize = 512, .f_frsize = 512, .f_namemax = 255, .f_flag = ST_RDONLY};
    (void)node;
    int rc = cache_totals(fs_of(req)->cache, &calls, &bytes);
    if (rc < 0) {
        fuse_reply_err(req, -rc);
        return;
    }
    st.f_blocks = (fsblkcnt_t)(bytes + 511) / 512;
    st.f_files = (fsfilcnt_t)calls;
    fuse_reply_statfs(req, &st);
}

/* --- writing --- */

/* Without default_permissions this is what access(2) says. */
static void on_access(fuse_req_t req, fuse_ino_t node, int mask)
{
    count_message(req, MESSAGE_OTHER);
    bool writable = written_at(req, node) >= 0, file = writable || node & (NODE_CALL | NODE_SHOT);
    fuse_reply_err(req, mask & W_OK && !writable ? EROFS : file && mask & X_OK ? EACCES : 0);
}

static void on_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int set,
                       struct fuse_file_info *fi)
{
    count_message(req, MESSAGE_OTHER);
    (void)st, (void)fi;
    if (written_at(req, node) >= 0 && !(set & ~(FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MTIME |
                                                FUSE_SET_ATTR_CTIME | FUSE_SET_ATTR_MTIME_NOW)))
        reply_attr(req, node); /* a shell's `>` truncates first */
    else
        fuse_reply_err(req, EROFS);
}

static void on_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
    count_message(req, MESSAGE_OTHER);
    (void)parent, (void)name, (void)mode, (void)dev;
    fuse_reply_err(req, EROFS);
}

static void on_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    count_message(req, MESSAGE_OTHER);
    (void)parent, (void)name, (void)mode;
    fuse_reply_err(req, EROFS);
}

static void on_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    count_message(req, MESSAGE_OTHER);
    (void)parent, (void)name;
    fuse_reply_err(req, EROFS);
}

static void on_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    count_message(req, MESSAGE_OTHER);
    (void)target, (void)parent, (void)name;
    fuse_reply_err(req, EROFS);
}

static void on_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
                      const char *newname, unsigned flags)
{
    count_message(req, MESSAGE_OTHER);
    (void)parent, (void)name, (void)newparent, (void)newname, (void)flags;
    fuse_reply_err(req, EROFS);
}

static void on_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t newparent, const char *newname)
{
    count_message(req, MESSAGE_OTHER);
    (void)node, (void)newparent, (void)newname;
    fuse_reply_err(req, EROFS);
}

static void on_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                      struct fuse_file_info *fi)
{
    count_message(req, MESSAGE_OTHER);
    (void)parent, (void)name, (void)mode, (void)fi;
    fuse_reply_err(req, EROFS);
}

/* A file of which the kernel has pages that somebody has changed. */
struct spoilt {
    struct fs *fs;
    fuse_ino_t node;
};

static void drop_pages(void *arg, bool stopping)
{
    struct spoilt *s = arg;
    if (!stopping) {
        push_pause(s->fs->push);
        fuse_lowlevel_notify_inval_inode(s->fs->session, s->node, 0, 0);
        push_resume(s->fs->push);
    }
    free(s);
}

/* A page changed through a mapping is shown to everybody, and goes on being shown when it cannot be
 * written back: the kernel has to be told to read it anew, when this request is over. */
static void restore(struct fs *fs, fuse_ino_t node)
{
    struct spoilt *s = malloc(sizeof(*s));
    if (!s)
        return;
    *s = (struct spoilt){fs, node};
    if (worker_run(fs->worker, drop_pages, s) < 0)
        free(s);
}

static void on_write(fuse_req_t req, fuse_ino_t node, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    count_message(req, MESSAGE_WRITE);
    (void)off;
    struct fs *fs = fs_of(req);
    int control = written_at(req, node);
    int rc = control < 0 ? -EROFS : control_write(fs, (enum control)control, buf, size);
    bool mapped = fi->writepage;
    if (rc < 0)
        fuse_reply_err(req, -rc);
    else
        fuse_reply_write(req, size);
    if (rc < 0 && mapped)
        restore(fs, node);
}

const struct fuse_lowlevel_ops fs_ops = {
    .init = on_init,
    .lookup = fs_lookup,
    .forget = fs_forget,
    .forget_multi = fs_forget_multi,
    .getattr = on_getattr,
    .open = on_open,
    .read = on_read,
    .opendir = fs_opendir,
    .readdir = fs_readdir,
    .readdirplus = fs_readdirplus,
    .releasedir = fs_releasedir,
    .statfs = on_statfs,
    .access = on_access,
    .setattr = on_setattr,
    .mknod = on_mknod,
    .mkdir = on_mkdir,
    .unlink = on_remove,
    .rmdir = on_remove,
    .symlink = on_symlink,
    .rename = on_rename,
    .link = on_link,
    .create = on_create,
    .write = on_write,
};
