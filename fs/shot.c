// SPDX-License-Identifier: MIT
#include "fs/shot.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uthash.h>

#include "fs/render.h"

#define BLOCK 4096
#define WRITE_BYTES (256u << 10) /* rendered text is written in pieces of about that size */
#define ROW_BYTES (64u << 20)    /* a rendered call is never larger: its record came in 4 MiB */

struct shot {
    struct shot_info info;
    int64_t at;       /* where in the file */
    char *text;       /* not NULL: it stands in memory instead */
    struct mark mark; /* of its calls when it was made */
    uint64_t changes; /* of the cache then, or when the mark was last found the same */
    uint64_t lookups;
    bool current; /* the newest of its path, in by_ino */
    UT_hash_handle by_id, by_ino;
};

struct shots {
    int fd;
    enum dialect_id dialect;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards the rest */
    struct shot *by_id, *by_ino;
    uint64_t last_id;
    int64_t end; /* of the file */
};

/* A file without a name in that folder; or in memory, if the folder is there and none can be made:
 * it is read-only, its disk full, or its filesystem has no such files. */
static int open_unnamed(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 && errno != ENOENT ? memfd_create("cdrfs", MFD_CLOEXEC) : fd;
}

struct shots *shots_create(const char *dir, enum dialect_id dialect)
{
    struct shots *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->dialect = dialect;
    s->fd = open_unnamed(dir);
    if (s->fd < 0) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void shots_destroy(struct shots *s)
{
    struct shot *shot, *tmp;
    if (!s)
        return;
    HASH_CLEAR(by_ino, s->by_ino);
    HASH_ITER (by_id, s->by_id, shot, tmp) {
        HASH_DELETE(by_id, s->by_id, shot);
        free(shot->text);
        free(shot);
    }
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void shots_stop(struct shots *s)
{
    atomic_store(&s->stop, true);
}

/* --- rendering --- */

struct writing {
    struct shots *shots;
    enum tree tree;
    int64_t at, size;
    struct buf buf;
};

static int flush(struct writing *w)
{
    size_t done = 0;
    while (done < w->buf.len) {
        ssize_t n = pwrite(w->shots->fd, w->buf.p + done, w->buf.len - done, w->at + w->size);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            done += (size_t)n;
            w->size += n;
        }
    }
    w->buf.len = 0;
    return 0;
}

static int add_row(void *arg, struct slice body)
{
    struct writing *w = arg;
    int rc = 0;
    if (atomic_load(&w->shots->stop))
        return -ENOTCONN;
    if (w->tree == TREE_CSV)
        rc = render_csv_row(&w->buf, w->shots->dialect, body);
    else
        render_ndjson_row(&w->buf, body);
    if (rc == 0)
        rc = buf_error(&w->buf);
    return rc == 0 && w->buf.len >= WRITE_BYTES ? flush(w) : rc;
}

static int render(struct shots *s, struct cache *c, const struct dir *d, struct shot *shot)
{
    struct writing w = {
        .shots = s, .tree = d->tree, .at = shot->at, .buf = buf_make(WRITE_BYTES + ROW_BYTES)};
    if (d->tree == TREE_CSV)
        render_csv_header(&w.buf, s->dialect);
    int rc = cache_bodies(c, &d->q, add_row, &w);
    if (rc == 0)
        rc = flush(&w);
    buf_release(&w.buf);
    shot->info.size = w.size;
    if (rc < 0 && ftruncate(s->fd, shot->at) < 0)
        return rc; /* what was written of it takes room until the next one */
    return rc;
}

/* --- the table --- */

/* Snapshots begin at whole blocks, so that punching one out frees all of it. */
static int64_t whole_blocks(int64_t bytes)
{
    return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static struct shot *find(struct shots *s, uint64_t id)
{
    struct shot *shot;
    HASH_FIND(by_id, s->by_id, &id, sizeof(id), shot);
    return shot;
}

static void retire(struct shots *s, struct shot *shot)
{
    if (shot->current)
        HASH_DELETE(by_ino, s->by_ino, shot);
    shot->current = false;
}

static void drop(struct shots *s, struct shot *shot)
{
    retire(s, shot);
    HASH_DELETE(by_id, s->by_id, shot);
    if (shot->info.size && !shot->text)
        fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, shot->at,
                  whole_blocks(shot->info.size));
    free(shot->text);
    free(shot);
}

/* The snapshot of that path, if nothing of it changed since; counts the look-up. */
static bool reuse(struct shots *s, uint64_t ino, uint64_t changes, const struct mark *mark,
                  struct shot_info *ret)
{
    struct shot *shot;
    pthread_mutex_lock(&s->lock);
    HASH_FIND(by_ino, s->by_ino, &ino, sizeof(ino), shot);
    bool same = shot && (shot->changes == changes ||
                         (mark && memcmp(mark, &shot->mark, sizeof(*mark)) == 0));
    if (same) {
        shot->changes = changes;
        shot->lookups++;
        *ret = shot->info;
    }
    pthread_mutex_unlock(&s->lock);
    return same;
}

static int publish_locked(struct shots *s, struct shot *shot)
{
    shot->info.id = NODE_SHOT | ++s->last_id;
    shot->lookups = 1;
    HASH_ADD(by_id, s->by_id, info.id, sizeof(shot->info.id), shot);
    return shot->by_id.tbl ? 0 : -ENOMEM;
}

static int publish(struct shots *s, struct shot *shot)
{
    struct shot *before;
    pthread_mutex_lock(&s->lock);
    HASH_FIND(by_ino, s->by_ino, &shot->info.ino, sizeof(shot->info.ino), before);
    if (before)
        retire(s, before);
    s->end = whole_blocks(shot->at + shot->info.size);
    int rc = publish_locked(s, shot);
    if (rc == 0) {
        HASH_ADD(by_ino, s->by_ino, info.ino, sizeof(shot->info.ino), shot);
        shot->current = shot->by_ino.tbl != NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int shots_put_text(struct shots *s, struct buf *text, uint64_t ino, int64_t mtime,
                   struct shot_info *ret)
{
    struct shot *shot = buf_error(text) ? NULL : calloc(1, sizeof(*shot));
    int rc = shot ? 0 : buf_error(text) ? buf_error(text) : -ENOMEM;
    if (rc == 0) {
        shot->text = text->p ? text->p : strdup("");
        shot->info = (struct shot_info){.ino = ino, .size = (int64_t)text->len, .mtime = mtime};
        *text = buf_make(text->max);
        rc = shot->text ? 0 : -ENOMEM;
    }
    pthread_mutex_lock(&s->lock);
    if (rc == 0)
        rc = publish_locked(s, shot);
    if (rc == 0)
        *ret = shot->info;
    pthread_mutex_unlock(&s->lock);
    if (rc < 0 && shot) {
        free(shot->text);
        free(shot);
    }
    buf_release(text);
    return rc;
}

static int make(struct shots *s, struct cache *c, const struct dir *d, uint64_t ino,
                uint64_t changes, const struct mark *mark, struct shot_info *ret)
{
    CLEANUP_FREE struct shot *shot = calloc(1, sizeof(*shot));
    if (!shot)
        return -ENOMEM;
    shot->mark = *mark;
    shot->changes = changes;
    shot->info.ino = ino;
    shot->info.mtime = mark->calls ? mark->mtime : d->q.num[AXIS_END_TIME].lo;
    pthread_mutex_lock(&s->lock);
    shot->at = s->end;
    pthread_mutex_unlock(&s->lock);
    int rc = render(s, c, d, shot);
    if (rc == 0)
        rc = publish(s, shot);
    if (rc < 0)
        return rc;
    *ret = shot->info;
    shot = NULL;
    return 0;
}

int shots_take(struct shots *s, struct cache *c, const struct dir *d, uint64_t ino,
               struct shot_info *ret)
{
    uint64_t changes = cache_changes(c);
    struct mark mark;
    if (atomic_load(&s->stop))
        return -ENOTCONN;
    if (reuse(s, ino, changes, NULL, ret))
        return 0;
    int rc = cache_mark(c, &d->q, &mark);
    if (rc < 0)
        return rc;
    if (reuse(s, ino, changes, &mark, ret))
        return 0;
    return make(s, c, d, ino, changes, &mark, ret);
}

int shots_get(struct shots *s, uint64_t id, struct shot_info *ret)
{
    pthread_mutex_lock(&s->lock);
    struct shot *shot = find(s, id);
    if (shot)
        *ret = shot->info;
    pthread_mutex_unlock(&s->lock);
    return shot ? 0 : -ENOENT;
}

ssize_t shots_read(struct shots *s, uint64_t id, void *buf, size_t size, int64_t off)
{
    int64_t at = 0;
    size_t n = 0;
    bool in_file = false;
    pthread_mutex_lock(&s->lock);
    struct shot *shot = find(s, id);
    if (shot) {
        int64_t left = off < shot->info.size ? shot->info.size - off : 0;
        n = (int64_t)size < left ? size : (size_t)left;
        at = shot->at + off;
        in_file = !shot->text;
        if (shot->text && n)
            memcpy(buf, shot->text + off, n);
    }
    pthread_mutex_unlock(&s->lock);
    if (!shot)
        return -ENOENT;
    ssize_t got = in_file ? pread(s->fd, buf, n, at) : (ssize_t)n;
    return got < 0 ? -errno : got;
}

void shots_forget(struct shots *s, uint64_t id, uint64_t lookups)
{
    pthread_mutex_lock(&s->lock);
    struct shot *shot = find(s, id);
    if (shot) {
        shot->lookups -= lookups < shot->lookups ? lookups : shot->lookups;
        if (!shot->lookups)
            drop(s, shot);
    }
    pthread_mutex_unlock(&s->lock);
}
