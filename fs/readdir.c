// SPDX-License-Identifier: MIT
/*
 * Reading directories. The offset behind an entry is 1 for `.`, 2 for `..`, then in a window the
 * call's row id + 2, else its place in the listing + 3. Row ids only grow, so a window may be read
 * while it is still being fetched: what comes later stands later, and nothing comes twice.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <utlist.h>

#include "fs/attr.h"
#include "fs/crawlers.h"
#include "fs/handlers.h"
#include "fs/listing.h"
#include "fs/options.h"
#include "fs/park.h"
#include "fs/push.h"

#define DOTS 2
#define FEW_CALLS 200   /* as many as ten requests bring */
#define ENTRY_BYTES 200 /* of a READDIRPLUS, of a call whose id has 36 characters */

/* An open directory. The kernel reads one handle from one thread at a time. */
struct dirh {
    struct node_info info;
    uint64_t node;
    struct listing listing;
    atomic_bool whole; /* all of it was held at some moment since the last rewind; or, of dates,
                          that was tried */
    bool ready;        /* opendir has waited for all of it */
    bool crawler;      /* a window whose reader, at the last rewind, was one */
    uint64_t since;    /* from cache_since(), at the last rewind */
    struct dirh *prev, *next;
};

/* A reply being filled. */
struct filling {
    struct fs *fs;
    fuse_req_t req;
    const struct dirh *dirh;
    bool plus;
    char *buf;
    size_t size, used;
    int64_t first, last; /* ids of the calls in it; 0: none */
    size_t calls;
};

static void add_handle(struct fs *fs, struct dirh *h)
{
    pthread_mutex_lock(&fs->dirhs_lock);
    DL_APPEND(fs->dirhs, h);
    pthread_mutex_unlock(&fs->dirhs_lock);
}

static void free_handle(struct fs *fs, struct dirh *h)
{
    pthread_mutex_lock(&fs->dirhs_lock);
    DL_DELETE(fs->dirhs, h);
    pthread_mutex_unlock(&fs->dirhs_lock);
    listing_release(&h->listing);
    free(h);
}

void dirhs_free(struct fs *fs)
{
    while (fs->dirhs)
        free_handle(fs, fs->dirhs);
}

/* Nothing at all has changed, or nothing of these calls, which to sum up costs some time. */
static bool is_unchanged(struct fs *fs, const struct query *q, const struct kept *then,
                         struct kept *now)
{
    *now = (struct kept){.ever = true, .changes = cache_changes(fs->cache)};
    if (!then->ever)
        return false;
    if (then->changes == now->changes) {
        *now = *then;
        return true;
    }
    now->marked = cache_mark(fs->cache, q, &now->mark) == 0;
    return then->marked && now->marked && memcmp(&then->mark, &now->mark, sizeof(now->mark)) == 0;
}

/* A window that is known may be listed from the kernel's memory: what it keeps from before, if no
 * call of it has come or changed since. */
static void let_keep(struct fs *fs, const struct dirh *h, struct fuse_file_info *fi)
{
    const struct query *q = &h->info.dir.q;
    if (h->info.dir.kind != DIR_WINDOW || !cache_known(fs->cache, q))
        return;
    struct kept now, then = nodes_kept(fs->nodes, h->node);
    fi->cache_readdir = 1;
    fi->keep_cache = is_unchanged(fs, q, &then, &now);
    nodes_keep(fs->nodes, h->node, &now);
}

static void reply_opendir(fuse_req_t req, struct dirh *h)
{
    struct fs *fs = fs_of(req);
    struct fuse_file_info fi = {.fh = (uint64_t)(uintptr_t)h};
    let_keep(fs, h, &fi);
    add_handle(fs, h);
    if (fuse_reply_open(req, &fi) < 0)
        free_handle(fs, h);
}

static void resume_opendir(struct fs *fs, struct parked *p, int err, bool whole)
{
    fuse_req_t req = p->req;
    struct dirh *h = p->dirh;
    p->seen = cache_tick(fs->cache);
    if (!err && !whole) {
        park_wait(fs, p);
        return;
    }
    park_end(fs, p);
    h->ready = true;
    if (!err) {
        reply_opendir(req, h);
        return;
    }
    free(h);
    fuse_reply_err(req, -err);
}

/*
 * Programs that serve files to others, and take an error of readdir for the end of a directory:
 * they are told of it by opendir, which waits until all is held.
 */
#define HEEDLESS "smbd*:sftp-server*:sshd*"

static bool must_wait(const struct fs *fs, fuse_req_t req, const struct dirh *h)
{
    const struct dir *d = &h->info.dir;
    return d->kind == DIR_WINDOW && !cache_known(fs->cache, &d->q) &&
           !cache_beyond(fs->cache, &d->q) && crawlers_match(HEEDLESS, fuse_req_ctx(req)->pid) &&
           !is_from_crawler(req);
}

static void open_when_whole(fuse_req_t req, struct dirh *h)
{
    struct fs *fs = fs_of(req);
    struct query q = h->info.dir.q;
    struct parked model = {.req = req,
                           .q = q,
                           .since = cache_since(fs->cache),
                           .seen = cache_tick(fs->cache),
                           .resume = resume_opendir,
                           .dirh = h};
    struct parked *p = park_new(fs, &model);
    if (p) {
        park_wait(fs, p);
    } else {
        free(h);
        fuse_reply_err(req, ENOMEM);
    }
    cache_visit(fs->cache, &q);
}

void fs_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    struct fs *fs = fs_of(req);
    count_message(req, MESSAGE_OPENDIR);
    struct dirh *h = calloc(1, sizeof(*h));
    int rc = h ? nodes_get(fs->nodes, node, &h->info) : -ENOMEM;
    (void)fi;
    if (rc < 0) {
        free(h);
        fuse_reply_err(req, rc == -ENOENT ? ESTALE : -rc);
        return;
    }
    h->node = node;
    if (must_wait(fs, req, h))
        open_when_whole(req, h);
    else
        reply_opendir(req, h);
}

static struct dirh *dirh_of(const struct fuse_file_info *fi)
{
    return (struct dirh *)(uintptr_t)fi->fh;
}

void fs_releasedir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    (void)node;
    count_message(req, MESSAGE_OTHER);
    free_handle(fs_of(req), dirh_of(fi));
    fuse_reply_err(req, 0);
}

/* False: no room left. */
static bool put(struct filling *f, const char *name, const struct fuse_entry_param *e, off_t next)
{
    size_t room = f->size - f->used, need;
    if (f->plus)
        need = fuse_add_direntry_plus(f->req, f->buf + f->used, room, name, e, next);
    else
        need = fuse_add_direntry(f->req, f->buf + f->used, room, name, &e->attr, next);
    if (need > room)
        return false;
    f->used += need;
    return true;
}

/* `.` and `..`: the kernel takes no look-up of these. */
static bool put_dots(struct filling *f, off_t off)
{
    const struct node_info *here = &f->dirh->info;
    struct node_info above = *here;
    struct fuse_entry_param e = {.attr = {.st_mode = S_IFDIR}};
    if (nodes_get(f->fs->nodes, here->parent, &above) < 0)
        above.ino = here->ino;
    e.attr.st_ino = inode_shown(f->fs, here->ino);
    if (off < 1 && !put(f, ".", &e, 1))
        return false;
    e.attr.st_ino = inode_shown(f->fs, above.ino);
    return off >= DOTS || put(f, "..", &e, DOTS);
}

static bool put_call(void *arg, const struct entry *e)
{
    struct filling *f = arg;
    struct fuse_entry_param param;
    char name[FILE_NAME_MAX];
    path_call_name(e->uuid, name);
    entry_of_call(f->fs, e, &param);
    if (!put(f, name, &param, e->id + DOTS))
        return false;
    f->last = e->id;
    f->calls++;
    if (!f->first)
        f->first = e->id;
    return true;
}

/* A rendered file's entry is only a name: to know its size it would have to be rendered. */
static bool put_file(struct filling *f, const char *name, off_t next)
{
    struct fuse_entry_param e = {.attr = {.st_mode = S_IFREG}};
    e.attr.st_ino = inode_shown(f->fs, inode_of_dir(f->dirh->info.ino, name));
    return put(f, name, &e, next);
}

static bool put_dir(struct filling *f, const char *name, off_t next)
{
    struct fuse_entry_param e;
    struct dir d;
    const char *reason;
    if (path_child(&f->dirh->info.dir, name, INT64_MAX, &d, &reason) < 0)
        return true;
    if (d.kind == FILE_RENDERED || d.kind == FILE_CONTROL)
        return put_file(f, name, next);
    if (entry_of_dir(f->fs, f->dirh->node, name, &d, &e) < 0)
        return true; /* left out: it cannot be looked up either */
    bool fits = put(f, name, &e, next);
    if (!f->plus || !fits)
        nodes_forget(f->fs->nodes, e.ino, 1);
    return fits;
}

/*
 * The dates of a query that picks few calls, such as one number's: reading all of it at once tells
 * which days hold any, for less than looking into each. Whether that is so is known after one page.
 */
static bool wants_all_first(const struct fs *fs, const struct dirh *h)
{
    const struct dir *d = &h->info.dir;
    bool dates = d->tree == TREE_JSON && !d->explained &&
                 (d->kind == DIR_DATES || d->kind == DIR_FILTERS) && !d->root;
    return dates && !h->whole && cache_selective(fs->cache, &d->q) &&
           cache_much_missing(fs->cache, &d->q);
}

static int fill_listing(struct filling *f, struct dirh *h, off_t off)
{
    int rc = 0;
    if (off == 0 && wants_all_first(f->fs, h))
        return -EAGAIN;
    if (off == 0) {
        listing_release(&h->listing);
        rc = listing_take(f->fs, &h->info.dir, &h->listing);
    }
    if (rc < 0 || !put_dots(f, off))
        return rc;
    for (size_t i = off > DOTS ? (size_t)off - DOTS : 0; i < h->listing.n; i++)
        if (!put_dir(f, h->listing.names[i], (off_t)i + DOTS + 1))
            break;
    return 0;
}

/* -EAGAIN when nothing is there yet and more may come. */
static int fill_window(struct filling *f, struct dirh *h, off_t off, uint64_t *seen)
{
    const struct query *q = &h->info.dir.q;
    struct cache *cache = f->fs->cache;
    *seen = cache_tick(cache);
    if (!h->whole && (cache_known_since(cache, q, h->since) || cache_beyond(cache, q)))
        h->whole = true;
    bool whole = h->whole;
    if (!put_dots(f, off))
        return 0;
    size_t dots = f->used; /* they are not worth a reply of their own */
    int rc = cache_list(cache, q, off > DOTS ? off - DOTS : 0, put_call, f);
    if (rc < 0)
        return rc;
    return f->used > dots || whole ? 0 : -EAGAIN;
}

/* Tries to answer p, which need not be in the park yet; -EAGAIN as above, else it was answered
 * unless rc < 0. */
static int answer(struct fs *fs, struct parked *p, struct filling *f)
{
    struct dirh *h = p->dirh;
    *f = (struct filling){.fs = fs, .req = p->req, .dirh = h, .plus = p->plus, .size = p->size};
    f->buf = malloc(p->size);
    if (!f->buf)
        return -ENOMEM;
    if (h->info.dir.kind == DIR_WINDOW)
        return fill_window(f, h, p->off, &p->seen);
    return fill_listing(f, h, p->off);
}

/* h may be gone once the request is answered. */
static void reply(fuse_req_t req, int rc, struct filling *f, off_t off)
{
    struct fs *fs = fs_of(req);
    if (rc < 0) {
        fuse_reply_err(req, -rc);
    } else {
        struct query q = f->dirh->info.dir.q;
        bool listed = f->plus && f->first;
        if (fuse_reply_buf(req, f->buf, f->used) == 0 && listed)
            push_listed(fs->push, &q, off <= DOTS, f->first, f->last);
    }
    free(f->buf);
}

/* What a reply has room for, with names as they are. */
static size_t calls_expected(const struct filling *f)
{
    size_t usual = f->size / ENTRY_BYTES;
    return (f->calls > usual ? f->calls : usual) + 1;
}

/*
 * A reply is on its way to the kernel, and it takes the kernel longer to take it in than to fill
 * the next: meanwhile the rows of that are read. Not where it might hold up anybody else.
 */
static void expect_more(struct fs *fs, const struct query *q, const struct filling *f, off_t off)
{
    if (!fs->options->single && !fuse_session_exited(fs->session) && park_count(fs->park) == 0)
        cache_expect(fs->cache, q, f->last, calls_expected(f), off > DOTS);
}

static void resume_readdir(struct fs *fs, struct parked *p, int err, bool whole)
{
    struct filling f = {0};
    fuse_req_t req = p->req;
    if (p->most && err && err != -EINTR && err != -ENOTCONN)
        err = 0, whole = true; /* too many, or not to be had: then every day is listed */
    if (whole)
        p->dirh->whole = true;
    int rc = err ? err : answer(fs, p, &f);
    if (rc == -EAGAIN) {
        free(f.buf);
        park_wait(fs, p);
        return;
    }
    off_t off = p->off;
    park_end(fs, p);
    reply(req, rc, &f, off);
}

/* Answers, or has it answered later. True when it did with calls, as f says, and more may be asked
 * for. */
static bool read_window_or_dir(fuse_req_t req, size_t size, off_t off, struct dirh *h, bool plus,
                               struct filling *f)
{
    struct fs *fs = fs_of(req);
    struct parked model = {.req = req,
                           .q = h->info.dir.q,
                           .resume = resume_readdir,
                           .dirh = h,
                           .size = size,
                           .off = off,
                           .plus = plus};
    if (h->info.dir.kind != DIR_WINDOW)
        model.most = FEW_CALLS;
    if (off == 0) {
        h->whole = h->ready;
        h->ready = false;
        h->since = cache_since(fs->cache);
    }
    model.since = h->since;
    int rc = answer(fs, &model, f);
    if (off == 0 && h->info.dir.kind == DIR_WINDOW)
        cache_asked(fs->cache, h->whole);
    if (rc == -EAGAIN && is_from_crawler(req)) {
        free(f->buf);
        h->whole = true; /* what is held is all it gets */
        rc = answer(fs, &model, f);
    }
    if (rc != -EAGAIN) {
        bool more = rc == 0 && f->calls && !h->crawler;
        reply(req, rc, f, off);
        return more;
    }
    free(f->buf);
    struct parked *p = park_new(fs, &model);
    if (p)
        park_wait(fs, p);
    else
        fuse_reply_err(req, ENOMEM);
    return false;
}

static void read_dir(fuse_req_t req, size_t size, off_t off, const struct fuse_file_info *fi,
                     bool plus)
{
    struct fs *fs = fs_of(req);
    struct dirh *h = dirh_of(fi);
    count_message(req, MESSAGE_READDIR);
    struct query q = h->info.dir.q; /* h may be gone once the request is answered */
    bool window = h->info.dir.kind == DIR_WINDOW;
    if (off == 0)
        h->crawler = window && is_from_crawler(req);
    bool visit = off == 0 && window && !h->crawler;
    struct filling f;
    bool more = read_window_or_dir(req, size, off, h, plus, &f);
    if (visit)
        cache_visit(fs->cache, &q);
    if (more)
        expect_more(fs, &q, &f, off);
}

void fs_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi)
{
    (void)node;
    read_dir(req, size, off, fi, false);
}

void fs_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    (void)node;
    read_dir(req, size, off, fi, true);
}
