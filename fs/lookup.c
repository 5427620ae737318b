// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "fs/attr.h"
#include "fs/control.h"
#include "fs/errors.h"
#include "fs/handlers.h"
#include "fs/park.h"
#include "fs/query_path.h"
#include "fs/shot.h"
#include "fs/used.h"
#include "fs/worker.h"

#define NAME_MAX_BYTES 255

void entry_of_call(const struct fs *fs, const struct entry *e, struct fuse_entry_param *ret)
{
    *ret = (struct fuse_entry_param){.ino = NODE_CALL | (uint64_t)e->id,
                                     .generation = fs->generation,
                                     .attr_timeout = KEEP_CALL,
                                     .entry_timeout = KEEP_CALL};
    attr_of_call(fs, e, &ret->attr);
}

int entry_of_dir(struct fs *fs, uint64_t parent, const char *name, const struct dir *d,
                 struct fuse_entry_param *ret)
{
    struct node_info info;
    *ret = (struct fuse_entry_param){
        .generation = fs->generation, .attr_timeout = KEEP_DIR, .entry_timeout = KEEP_DIR};
    int rc = nodes_intern(fs->nodes, parent, name, d, &ret->ino);
    if (rc == 0)
        rc = nodes_get(fs->nodes, ret->ino, &info);
    if (rc == 0)
        attr_of_dir(fs, d, info.ino, &ret->attr);
    if (d->kind == FILE_CONTROL)
        ret->attr_timeout = 0; /* the kernel takes what is written for its size */
    return rc;
}

/* True for a date that the API serves no more and of which nothing is held. */
static bool date_is_gone(const struct fs *fs, const struct dir *d)
{
    struct query date = QUERY_ALL;
    int64_t newest;
    if (d->q.none || (d->kind != DIR_WINDOW && d->kind != FILE_RENDERED))
        return false;
    date.num[AXIS_END_TIME] = d->q.num[AXIS_END_TIME];
    return cache_beyond(fs->cache, &date) && cache_newest(fs->cache, &date, &newest) == -ENOENT;
}

static void reply_dir(fuse_req_t req, uint64_t parent, const char *name, const struct dir *d)
{
    struct fs *fs = fs_of(req);
    struct fuse_entry_param e;
    int rc = entry_of_dir(fs, parent, name, d, &e);
    if (rc < 0)
        fuse_reply_err(req, -rc);
    else if (fuse_reply_entry(req, &e) < 0)
        nodes_forget(fs->nodes, e.ino, 1); /* the kernel did not take it */
}

/* --- rendered files --- */

/* A look-up that waits for the worker. */
struct rendering {
    struct fs *fs;
    fuse_req_t req;
    struct dir file;
    uint64_t ino;
};

/* Its name is not kept: the next look-up may find another. */
static void reply_shot(fuse_req_t req, int rc, const struct shot_info *info)
{
    struct fs *fs = fs_of(req);
    struct fuse_entry_param e = {.generation = fs->generation,
                                 .attr_timeout = KEEP_CALL}; /* a snapshot stays as it is */
    if (rc < 0) {
        fuse_reply_err(req, -rc);
        return;
    }
    e.ino = info->id;
    attr_of_shot(fs, info, &e.attr);
    if (fuse_reply_entry(req, &e) < 0)
        shots_forget(fs->shots, info->id, 1);
}

static void tell_unrendered(const struct rendering *r, int rc, bool full)
{
    struct buf path = buf_make(QUERY_PATH_MAX);
    struct failure f;
    log_line(r->fs->log, LOG_LEVEL_ERROR, "a file cannot be rendered: %s%s", strerror(-rc),
             full ? " (make room on the disk of cache_dir=)" : "");
    failure_set(&f, full ? -EIO : rc, 0, "a file cannot be rendered: %s", strerror(-rc));
    f.remedy = full ? "make room on the disk of cache_dir=" : NULL;
    query_path(&r->file.q, "", &path);
    errors_add(r->fs->errors, cache_now(r->fs->cache), path.p ? path.p : "", &f);
    buf_release(&path);
}

static void render_file(void *arg, bool stopping)
{
    struct rendering *r = arg;
    struct shot_info info;
    int rc = stopping ? -ENOTCONN : shots_take(r->fs->shots, r->fs->cache, &r->file, r->ino, &info);
    bool full = rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG;
    if (rc < 0 && rc != -ENOTCONN)
        tell_unrendered(r, rc, full);
    reply_shot(r->req, full ? -EIO : rc, &info); /* the reader's disk is not meant */
    free(r);
}

static void start_rendering(fuse_req_t req, const struct dir *file, uint64_t ino)
{
    struct fs *fs = fs_of(req);
    struct rendering *r = malloc(sizeof(*r));
    int rc = r ? 0 : -ENOMEM;
    if (r) {
        *r = (struct rendering){fs, req, *file, ino};
        rc = worker_run(fs->worker, render_file, r);
    }
    if (rc == 0)
        return;
    free(r);
    fuse_reply_err(req, -rc);
}

static void resume_file(struct fs *fs, struct parked *p, int err, bool whole)
{
    fuse_req_t req = p->req;
    struct dir file = p->file;
    uint64_t ino = p->ino;
    p->seen = cache_tick(fs->cache);
    if (!err && !whole) {
        park_wait(fs, p);
        return;
    }
    park_end(fs, p);
    if (err)
        fuse_reply_err(req, -err);
    else
        start_rendering(req, &file, ino);
}

static void lookup_file(fuse_req_t req, const struct dir *file, uint64_t ino)
{
    struct fs *fs = fs_of(req);
    struct parked model = {.req = req,
                           .q = file->q,
                           .since = cache_since(fs->cache),
                           .seen = cache_tick(fs->cache),
                           .resume = resume_file,
                           .file = *file,
                           .ino = ino};
    bool known = cache_known(fs->cache, &file->q);
    cache_asked(fs->cache, known);
    if (known) {
        start_rendering(req, file, ino);
        return;
    }
    if (is_from_crawler(req)) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    struct parked *p = park_new(fs, &model);
    if (p)
        park_wait(fs, p);
    else
        fuse_reply_err(req, ENOMEM);
    cache_visit(fs->cache, &file->q);
}

/* A file of .cdrfs; uuid: of what is explained. */
static void lookup_control(fuse_req_t req, const struct dir *file, const char *uuid, uint64_t ino)
{
    struct fs *fs = fs_of(req);
    struct buf text = buf_make(CONTROL_TEXT_MAX);
    struct shot_info info;
    if (file->explained)
        control_explain(fs, file, uuid, &text);
    else
        control_read(fs, (enum control)file->axis, &text);
    int rc = shots_put_text(fs->shots, &text, ino, cache_now(fs->cache), &info);
    reply_shot(req, rc, &info);
}

static bool is_explanation(const struct dir *d)
{
    return d->explained && (d->kind == DIR_WINDOW || d->kind == FILE_RENDERED);
}

/* What becomes of a question that is known to have no answer is told as other failures are. */
static void note_gone(struct fs *fs, const struct dir *d, const char *reason)
{
    struct buf path = buf_make(QUERY_PATH_MAX);
    struct failure f;
    failure_set(&f, -ENODATA, 0, "%s", reason);
    f.remedy = "calls are kept from the day on which they are read; read each day within 90 days";
    query_path(&d->q, "", &path);
    errors_add(fs->errors, cache_now(fs->cache), path.p ? path.p : "", &f);
    buf_release(&path);
}

/* --- directories --- */

static void lookup_dir(fuse_req_t req, uint64_t parent, const char *name,
                       const struct node_info *above)
{
    struct fs *fs = fs_of(req);
    struct dir d;
    const char *reason = "";
    int rc = path_child(&above->dir, name, cache_now(fs->cache), &d, &reason);
    if (rc == 0 && !d.explained && date_is_gone(fs, &d)) {
        reason = "neither the API nor the store has this date any more";
        rc = -ENODATA;
        note_gone(fs, &d, reason);
    }
    if (rc < 0) {
        log_line(fs->log, LOG_LEVEL_INFO, "%s: %s", name, reason);
        fuse_reply_err(req, -rc);
    } else if (is_explanation(&d)) {
        lookup_control(req, &d, "", inode_of_dir(above->ino, name));
    } else if (d.kind == FILE_RENDERED) {
        lookup_file(req, &d, inode_of_dir(above->ino, name));
    } else if (d.kind == FILE_CONTROL && control_is_read((enum control)d.axis)) {
        lookup_control(req, &d, "", inode_of_dir(above->ino, name));
    } else {
        bool first =
            above->dir.kind == DIR_AXIS && !d.explained && nodes_is_view(fs->nodes, parent);
        if (first)
            used_add(fs->used, above->dir.axis, name);
        reply_dir(req, parent, name, &d);
    }
}

/* --- calls --- */

/* What the store and coverage say of a call's name in a window. */
static int find_call(struct fs *fs, struct parked *p, bool whole, struct entry *ret)
{
    bool matches;
    p->seen = cache_tick(fs->cache);
    bool known =
        whole || cache_known_since(fs->cache, &p->q, p->since) || cache_beyond(fs->cache, &p->q);
    int rc = cache_find(fs->cache, &p->q, p->uuid, ret, &matches);
    if (rc == 0)
        return matches ? 0 : -ENOENT; /* it is held, and it is elsewhere */
    return rc == -ENOENT && !known ? -EAGAIN : rc;
}

/* The kernel may go on saying so for as long as the window is fresh. */
static void reply_absent(fuse_req_t req, const struct query *q)
{
    struct fuse_entry_param absent = {.entry_timeout = KEEP_ABSENT};
    if (q)
        absent.entry_timeout = (double)cache_known_for(fs_of(req)->cache, q, (int64_t)KEEP_ABSENT);
    fuse_reply_entry(req, &absent);
}

/* q: the window, or NULL for a name that can be no call. */
static void reply_call(fuse_req_t req, int rc, const struct entry *e, const struct query *q)
{
    struct fuse_entry_param param;
    if (rc == -ENOENT) {
        reply_absent(req, q);
        return;
    }
    if (rc < 0) {
        fuse_reply_err(req, -rc);
        return;
    }
    entry_of_call(fs_of(req), e, &param);
    fuse_reply_entry(req, &param);
}

static void resume_lookup(struct fs *fs, struct parked *p, int err, bool whole)
{
    struct entry e;
    fuse_req_t req = p->req;
    int rc = err ? err : find_call(fs, p, whole, &e);
    if (rc == -EAGAIN) {
        park_wait(fs, p);
        return;
    }
    struct query q = p->q;
    park_end(fs, p);
    reply_call(req, rc, &e, &q);
}

/* Of by-uuid below explain/. */
static void explain_call(fuse_req_t req, const char *name, const struct node_info *above)
{
    char uuid[CALL_UUID_MAX];
    if (path_call(name, uuid) < 0)
        fuse_reply_err(req, ENOENT);
    else
        lookup_control(req, &above->dir, uuid, inode_of_dir(above->ino, name));
}

static void lookup_call(fuse_req_t req, const char *name, const struct query *q)
{
    struct fs *fs = fs_of(req);
    struct parked model = {
        .req = req, .q = *q, .since = cache_since(fs->cache), .resume = resume_lookup};
    struct entry e;
    int rc = path_call(name, model.uuid);
    if (rc < 0) {
        reply_call(req, rc, NULL, NULL);
        return;
    }
    rc = find_call(fs, &model, false, &e);
    cache_asked(fs->cache, rc != -EAGAIN);
    if (rc != -EAGAIN) {
        reply_call(req, rc, &e, q);
        return;
    }
    if (is_from_crawler(req)) {
        fuse_reply_err(req, ENOENT); /* which the kernel does not keep */
        return;
    }
    struct parked *p = park_new(fs, &model);
    if (p)
        park_wait(fs, p);
    else
        fuse_reply_err(req, ENOMEM);
}

void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct node_info above;
    count_message(req, MESSAGE_LOOKUP);
    if (strlen(name) > NAME_MAX_BYTES)
        fuse_reply_err(req, ENAMETOOLONG);
    else if (nodes_get(fs_of(req)->nodes, parent, &above) < 0)
        fuse_reply_err(req, ESTALE);
    else if (above.dir.explained && above.dir.kind == DIR_UUID)
        explain_call(req, name, &above);
    else if (above.dir.kind == DIR_WINDOW || above.dir.kind == DIR_UUID)
        lookup_call(req, name, &above.dir.q);
    else
        lookup_dir(req, parent, name, &above);
}

/* Calls need no table, so there is nothing to forget of them. */
static void forget(struct fs *fs, uint64_t node, uint64_t lookups)
{
    if (node & NODE_SHOT)
        shots_forget(fs->shots, node, lookups);
    else if (!(node & NODE_CALL))
        nodes_forget(fs->nodes, node, lookups);
}

void fs_forget(fuse_req_t req, fuse_ino_t node, uint64_t lookups)
{
    count_message(req, MESSAGE_FORGET);
    forget(fs_of(req), node, lookups);
    fuse_reply_none(req);
}

void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    count_message(req, MESSAGE_FORGET);
    for (size_t i = 0; i < count; i++)
        forget(fs_of(req), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}
