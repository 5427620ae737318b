// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "fs/attr.h"
#include "fs/handlers.h"
#include "fs/park.h"

#define NAME_MAX_BYTES 255

void entry_of_call(const struct fs *fs, const struct entry *e, struct fuse_entry_param *ret)
{
    *ret = (struct fuse_entry_param){
        .ino = NODE_CALL | (uint64_t)e->id, .attr_timeout = KEEP_CALL, .entry_timeout = KEEP_CALL};
    attr_of_call(fs, e, &ret->attr);
}

int entry_of_dir(struct fs *fs, uint64_t parent, const char *name, const struct dir *d,
                 struct fuse_entry_param *ret)
{
    struct node_info info;
    *ret = (struct fuse_entry_param){.attr_timeout = KEEP_DIR, .entry_timeout = KEEP_DIR};
    int rc = nodes_intern(fs->nodes, parent, name, d, &ret->ino);
    if (rc == 0)
        rc = nodes_get(fs->nodes, ret->ino, &info);
    if (rc == 0)
        attr_of_dir(fs, d, info.ino, &ret->attr);
    return rc;
}

bool window_is_gone(const struct fs *fs, const struct query *q)
{
    int64_t newest;
    return cache_beyond(fs->cache, q) && cache_newest(fs->cache, q, &newest) == -ENOENT;
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

static void lookup_dir(fuse_req_t req, uint64_t parent, const char *name, const struct dir *above)
{
    struct fs *fs = fs_of(req);
    struct dir d;
    const char *reason = "";
    struct query day;
    int rc = path_child(above, name, cache_now(fs->cache), &d, &reason);
    if (rc < 0) {
        log_line(fs->log, LOG_LEVEL_DEBUG, "no such directory: %s: %s", name, reason);
        fuse_reply_err(req, -rc);
        return;
    }
    day = QUERY_ALL;
    day.num[AXIS_END_TIME] = d.q.num[AXIS_END_TIME];
    if (d.kind == DIR_WINDOW && window_is_gone(fs, &day))
        fuse_reply_err(req, ENODATA);
    else
        reply_dir(req, parent, name, &d);
}

/* What the store and coverage say of a call's name in a window. */
static int find_call(struct fs *fs, struct parked *p, bool whole, struct entry *ret)
{
    bool matches;
    p->seen = cache_tick(fs->cache);
    bool known = whole || cache_known(fs->cache, &p->q) || cache_beyond(fs->cache, &p->q);
    int rc = cache_find(fs->cache, &p->q, p->uuid, ret, &matches);
    if (rc == 0)
        return matches ? 0 : -ENOENT; /* it is held, and it is elsewhere */
    return rc == -ENOENT && !known ? -EAGAIN : rc;
}

static void reply_call(fuse_req_t req, int rc, const struct entry *e)
{
    struct fuse_entry_param param;
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
    park_end(fs, p);
    reply_call(req, rc, &e);
}

static void lookup_call(fuse_req_t req, const char *name, const struct query *q)
{
    struct fs *fs = fs_of(req);
    struct parked model = {.req = req, .q = *q, .resume = resume_lookup};
    struct entry e;
    int rc = path_call(name, model.uuid);
    if (rc == 0)
        rc = find_call(fs, &model, false, &e);
    if (rc != -EAGAIN) {
        reply_call(req, rc, &e);
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
    if (strlen(name) > NAME_MAX_BYTES)
        fuse_reply_err(req, ENAMETOOLONG);
    else if (nodes_get(fs_of(req)->nodes, parent, &above) < 0)
        fuse_reply_err(req, ESTALE);
    else if (above.dir.kind == DIR_WINDOW)
        lookup_call(req, name, &above.dir.q);
    else
        lookup_dir(req, parent, name, &above.dir);
}

void fs_forget(fuse_req_t req, fuse_ino_t node, uint64_t lookups)
{
    nodes_forget(fs_of(req)->nodes, node, lookups);
    fuse_reply_none(req);
}

void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        nodes_forget(fs_of(req)->nodes, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}
