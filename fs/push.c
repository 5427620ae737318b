// SPDX-License-Identifier: MIT
#include "fs/push.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "cache/clock.h"
#include "cache/ivset.h"

#define DIRS 64      /* listed directories that are remembered; the idlest goes */
#define FIRST_RUN 64 /* calls of the first run in a directory */
#define LONGEST_RUN 1024
#define BATCH 64               /* calls pushed while an amendment has to wait */
#define LOST 4                 /* reads of what was pushed: the kernel has dropped it */
#define SIZE_MOST (128u << 10) /* larger records are read as ever */
#define HOT_MS 2000 /* a directory that is read so soon after another needs no second read */
#define ALONE_MS 50 /* a reader is the only one when no other has read for so long */

/* A directory that the kernel has listed. */
struct listed {
    struct query q;
    uint64_t used;
    int64_t first, last; /* ids it was given */
    struct ivset pushed; /* ids */
    int reads, run, lost;
};

/* The one request that is kept waiting. */
struct held {
    fuse_req_t req; /* NULL: none */
    int64_t id;
    char *body;
    size_t from, n;
};

struct push {
    struct fs *fs;
    pthread_t thread;

    pthread_mutex_t lock; /* guards the rest but for what is atomic; signalled by wake */
    pthread_cond_t wake;
    struct listed dirs[DIRS];
    uint64_t uses;
    struct held held;
    bool busy; /* the thread has a request, or has it still to take */
    bool stop;
    pid_t reader;           /* the thread that read last */
    int64_t other_read_ms;  /* when another than that one did */
    int64_t reader_read_ms; /* and when it did */

    pthread_mutex_t pushing; /* held while contents that were read are on their way to the kernel */
    atomic_uint_least64_t count;
    int64_t hot_until_ms; /* the thread's */
};

/* --- what it is told --- */

static struct listed *find_listed(struct push *p, const struct query *q)
{
    for (int i = 0; i < DIRS; i++)
        if (p->dirs[i].used && query_implies(&p->dirs[i].q, q) && query_implies(q, &p->dirs[i].q))
            return &p->dirs[i];
    return NULL;
}

static void forget_listed(struct listed *d)
{
    ivset_release(&d->pushed);
    *d = (struct listed){0};
}

static struct listed *add_listed(struct push *p, const struct query *q, int64_t first)
{
    struct listed *idlest = &p->dirs[0];
    for (int i = 1; i < DIRS; i++)
        if (p->dirs[i].used < idlest->used)
            idlest = &p->dirs[i];
    forget_listed(idlest);
    idlest->q = *q;
    idlest->first = idlest->last = first;
    return idlest;
}

void push_listed(struct push *p, const struct query *q, bool anew, int64_t first, int64_t last)
{
    pthread_mutex_lock(&p->lock);
    struct listed *d = find_listed(p, q);
    if (!d && anew)
        d = add_listed(p, q, first);
    if (d) {
        d->used = ++p->uses;
        if (first < d->first)
            d->first = first;
        if (last > d->last)
            d->last = last;
    }
    pthread_mutex_unlock(&p->lock);
}

/* Whether this thread is the only one that reads; notes that it did. */
static bool is_alone_locked(struct push *p, pid_t reader)
{
    int64_t now = clock_ms();
    if (p->reader != reader) {
        p->other_read_ms = p->reader_read_ms;
        p->reader = reader;
    }
    p->reader_read_ms = now;
    return now - p->other_read_ms > ALONE_MS;
}

static void answer(struct held *h)
{
    fuse_reply_buf(h->req, h->n ? h->body + h->from : NULL, h->n);
    free(h->body);
    *h = (struct held){0};
}

void push_read(struct push *p, fuse_req_t req, int64_t id, char *body, size_t from, size_t n)
{
    struct held h = {req, id, body, from, n};
    pthread_mutex_lock(&p->lock);
    bool keep = is_alone_locked(p, fuse_req_ctx(req)->pid) && !p->busy && !p->stop;
    if (keep) {
        p->held = h;
        p->busy = true;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    if (!keep)
        answer(&h);
}

void push_pause(struct push *p)
{
    pthread_mutex_lock(&p->pushing);
}

void push_resume(struct push *p)
{
    pthread_mutex_unlock(&p->pushing);
}

uint64_t push_count(struct push *p)
{
    return atomic_load(&p->count);
}

/* --- what follows from it --- */

/* A run of calls to be pushed. */
struct run {
    struct query q;
    int64_t after, last; /* ids: behind the one, up to the other */
    int left;
};

static bool has(const struct ivset *s, int64_t id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].lo <= id && id < s->v[i].hi)
            return true;
    return false;
}

/* The first id behind that one which was pushed already; INT64_MAX for none. */
static int64_t next_pushed(const struct ivset *s, int64_t id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].lo > id)
            return s->v[i].lo;
    return INT64_MAX;
}

/* Decides what a read brings about. Reads of what was pushed mean that the kernel no longer has it.
 */
static bool decide_locked(struct listed *d, int64_t id, bool hot, struct run *ret)
{
    d->reads++;
    d->lost = has(&d->pushed, id) ? d->lost + 1 : 0;
    if (d->lost >= LOST) {
        ivset_release(&d->pushed);
        d->lost = d->run = 0;
    }
    int64_t stop = next_pushed(&d->pushed, id);
    int64_t last = stop <= d->last ? stop - 1 : d->last;
    if ((d->reads < 2 && !hot) || id >= last || has(&d->pushed, id + 1))
        return false;
    d->run = d->run ? d->run * 2 : FIRST_RUN;
    if (d->run > LONGEST_RUN)
        d->run = LONGEST_RUN;
    *ret = (struct run){.q = d->q, .after = id, .last = last, .left = d->run};
    return true;
}

/* The query of a remembered directory that may hold that call; false for none at that place. */
static bool candidate(struct push *p, int place, int64_t id, struct query *ret)
{
    pthread_mutex_lock(&p->lock);
    const struct listed *d = &p->dirs[place];
    bool inside = d->used && id >= d->first && id <= d->last;
    if (inside)
        *ret = d->q;
    pthread_mutex_unlock(&p->lock);
    return inside;
}

/* Looks at a read: whether it was in a directory that was listed, and what follows from it. */
static bool look_at(struct push *p, int64_t id, struct run *ret)
{
    bool hot = clock_ms() < p->hot_until_ms, found = false;
    struct query q;
    for (int i = 0; i < DIRS && !found; i++) {
        if (!candidate(p, i, id, &q) || !cache_holds(p->fs->cache, &q, id))
            continue;
        pthread_mutex_lock(&p->lock);
        struct listed *d = find_listed(p, &q);
        found = d && decide_locked(d, id, hot, ret);
        pthread_mutex_unlock(&p->lock);
    }
    return found;
}

static void note_pushed(struct push *p, const struct run *run, int64_t from)
{
    pthread_mutex_lock(&p->lock);
    struct listed *d = find_listed(p, &run->q);
    if (d) {
        ivset_add(&d->pushed, (struct range){from + 1, run->after + 1});
        if (d->pushed.failed)
            forget_listed(d);
    }
    pthread_mutex_unlock(&p->lock);
}

/* Whether another reader has come, or the end; then what is left of a run stays. */
static bool must_leave(struct push *p)
{
    pthread_mutex_lock(&p->lock);
    bool leave = p->stop || clock_ms() - p->other_read_ms <= ALONE_MS;
    pthread_mutex_unlock(&p->lock);
    return leave;
}

struct batch {
    struct push *push;
    struct run *run;
};

static int push_one(void *arg, int64_t id, struct slice body)
{
    struct push *p = ((struct batch *)arg)->push;
    struct run *run = ((struct batch *)arg)->run;
    struct fuse_bufvec buf = FUSE_BUFVEC_INIT(body.n);
    if (must_leave(p))
        return -ECANCELED;
    buf.buf[0].mem = (void *)(uintptr_t)body.p;
    run->after = id;
    run->left--;
    if (body.n > SIZE_MOST)
        return 0;
    /* -ENOENT: the kernel has forgotten the file. */
    int rc = fuse_lowlevel_notify_store(p->fs->session, NODE_CALL | (uint64_t)id, 0, &buf, 0);
    if (rc == 0)
        atomic_fetch_add(&p->count, 1);
    return rc == 0 || rc == -ENOENT ? 0 : rc;
}

/* Returns false when the run is over. Who has paused it may be waiting for the very request that is
 * kept, so that it must not be waited for. */
static bool push_batch(struct push *p, struct run *run)
{
    struct batch batch = {p, run};
    int64_t before = run->after;
    int left = run->left;
    if (pthread_mutex_trylock(&p->pushing) != 0)
        return false;
    int rc = cache_bodies_after(p->fs->cache, &run->q, before, run->last,
                                left < BATCH ? left : BATCH, push_one, &batch);
    pthread_mutex_unlock(&p->pushing);
    if (run->left < left)
        note_pushed(p, run, before);
    return rc >= 0 && run->left < left && run->left > 0 && run->after < run->last;
}

/* False: the end. What is held then is still to be answered. */
static bool next_read(struct push *p, struct held *ret)
{
    pthread_mutex_lock(&p->lock);
    while (!p->held.req && !p->stop)
        pthread_cond_wait(&p->wake, &p->lock);
    *ret = p->held;
    p->held = (struct held){0};
    bool go_on = ret->req != NULL;
    pthread_mutex_unlock(&p->lock);
    return go_on;
}

/* Before the reader goes on: what it asks for next may be held again. */
static void be_free(struct push *p)
{
    pthread_mutex_lock(&p->lock);
    p->busy = false;
    pthread_mutex_unlock(&p->lock);
}

static void *run_thread(void *arg)
{
    struct push *p = arg;
    struct held h;
    struct run run;
    while (next_read(p, &h)) {
        if (look_at(p, h.id, &run)) {
            while (push_batch(p, &run))
                ;
            p->hot_until_ms = clock_ms() + HOT_MS;
        }
        be_free(p);
        answer(&h);
    }
    return NULL;
}

/* --- beginning and end --- */

static void release(struct push *p)
{
    for (int i = 0; i < DIRS; i++)
        forget_listed(&p->dirs[i]);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->pushing);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct push *push_create(struct fs *fs)
{
    struct push *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->fs = fs;
    p->other_read_ms = p->reader_read_ms = INT64_MIN / 2;
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->pushing, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (pthread_create(&p->thread, NULL, run_thread, p) == 0)
        return p;
    release(p);
    return NULL;
}

void push_stop(struct push *p)
{
    pthread_mutex_lock(&p->lock);
    bool stopped = p->stop;
    p->stop = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (!stopped)
        pthread_join(p->thread, NULL);
}

void push_destroy(struct push *p)
{
    if (!p)
        return;
    push_stop(p);
    release(p);
}
