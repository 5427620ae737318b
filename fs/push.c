// SPDX-License-Identifier: MIT
#include "fs/push.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "cache/clock.h"
#include "cache/ivset.h"

#define DIRS 64      /* listed directories that are remembered; the idlest goes */
#define READS 256    /* reads that wait to be looked at; more are dropped */
#define FIRST_RUN 64 /* calls of the first run in a directory */
#define LONGEST_RUN 1024
#define BATCH 32               /* calls pushed between two looks at what else there is to do */
#define LOST 16                /* reads of what was pushed: the kernel has dropped it */
#define SIZE_MOST (128u << 10) /* larger records are read as ever */
#define HOT_MS 2000 /* a directory that is read so soon after another needs no second read */
#define DRAIN_MS 5

/* A directory that the kernel has listed. */
struct listed {
    struct query q;
    uint64_t used;
    int64_t first, last; /* ids it was given */
    struct ivset pushed; /* ids */
    uint64_t seq;        /* of the newest read that was looked at */
    uint64_t pushed_seq; /* reads up to this one had come when the last contents were pushed */
    int reads, run, lost;
};

struct read {
    int64_t id;
    uint64_t seq;
};

struct push {
    struct fs *fs;
    pthread_t thread;

    pthread_mutex_t lock; /* guards the rest but for what is atomic; signalled by wake */
    pthread_cond_t wake;
    struct listed dirs[DIRS];
    uint64_t uses;
    struct read reads[READS];
    int nreads;
    uint64_t last_seq;
    bool stop;

    pthread_mutex_t pushing; /* held while contents that were read are on their way to the kernel */
    atomic_bool ended;
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

void push_read(struct push *p, int64_t id)
{
    pthread_mutex_lock(&p->lock);
    if (p->nreads < READS) {
        p->reads[p->nreads++] = (struct read){id, ++p->last_seq};
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
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
    int64_t beacon;      /* this many calls from the beginning stands one that is left out */
    int64_t left;
    int64_t left_out; /* its id, once it was come to */
};

static bool has(const struct ivset *s, int64_t id, struct range *ret)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].lo <= id && id < s->v[i].hi) {
            *ret = s->v[i];
            return true;
        }
    }
    return false;
}

/*
 * Decides what a read brings about. What is pushed already is stepped over; reads that come long
 * after what they want was pushed mean that the kernel no longer has it.
 */
static bool decide_locked(struct listed *d, struct read read, bool hot, struct run *ret)
{
    struct range r;
    int64_t after = read.id;
    d->reads++;
    d->seq = read.seq;
    d->lost = has(&d->pushed, read.id, &r) && read.seq > d->pushed_seq ? d->lost + 1 : 0;
    if (d->lost >= LOST) {
        ivset_release(&d->pushed);
        d->lost = d->run = 0;
    }
    if (d->reads < 2 && !hot)
        return false;
    while (has(&d->pushed, after + 1, &r))
        after = r.hi - 1;
    if (after >= d->last)
        return false;
    d->run = d->run ? d->run * 2 : FIRST_RUN;
    if (d->run > LONGEST_RUN)
        d->run = LONGEST_RUN;
    *ret = (struct run){
        .q = d->q, .after = after, .last = d->last, .left = d->run, .beacon = d->run / 2};
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

/* Looks at a read: whether it was in a directory that was listed, and what follows from it. Of the
 * reads in one directory the newest is looked at first, and older ones say nothing more. */
static bool look_at(struct push *p, struct read r, struct run *ret)
{
    bool hot = clock_ms() < p->hot_until_ms, found = false;
    struct query q;
    for (int i = 0; i < DIRS && !found; i++) {
        if (!candidate(p, i, r.id, &q) || !cache_holds(p->fs->cache, &q, r.id))
            continue;
        pthread_mutex_lock(&p->lock);
        struct listed *d = find_listed(p, &q);
        found = d && r.seq > d->seq && decide_locked(d, r, hot, ret);
        pthread_mutex_unlock(&p->lock);
    }
    return found;
}

static void note_pushed(struct push *p, const struct run *run, int64_t from, int64_t to)
{
    pthread_mutex_lock(&p->lock);
    struct listed *d = find_listed(p, &run->q);
    if (d) {
        ivset_add(&d->pushed, (struct range){from + 1, to + 1});
        if (run->left_out > from && run->left_out <= to)
            ivset_cut(&d->pushed, (struct range){run->left_out, run->left_out + 1});
        d->pushed_seq = p->last_seq;
        if (d->pushed.failed)
            forget_listed(d);
    }
    pthread_mutex_unlock(&p->lock);
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
    buf.buf[0].mem = (void *)(uintptr_t)body.p;
    run->after = id;
    bool beacon = run->left-- == run->beacon;
    if (beacon)
        run->left_out = id;
    if (beacon || body.n > SIZE_MOST)
        return 0;
    /* -ENOENT: the kernel has forgotten the file. */
    int rc = fuse_lowlevel_notify_store(p->fs->session, NODE_CALL | (uint64_t)id, 0, &buf, 0);
    if (rc == 0)
        atomic_fetch_add(&p->count, 1);
    return rc == 0 || rc == -ENOENT ? 0 : rc;
}

/* Returns false when the run is over. */
static bool push_batch(struct push *p, struct run *run)
{
    struct batch batch = {p, run};
    int64_t before = run->after, left = run->left;
    pthread_mutex_lock(&p->pushing);
    int rc = cache_bodies_after(p->fs->cache, &run->q, before, run->last,
                                left < BATCH ? left : BATCH, push_one, &batch);
    pthread_mutex_unlock(&p->pushing);
    if (rc < 0 || run->left == left)
        return false;
    note_pushed(p, run, before, run->after);
    return run->left > 0 && run->after < run->last;
}

static bool stopping(struct push *p)
{
    pthread_mutex_lock(&p->lock);
    bool stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return stop;
}

/* The newest read; false: the end. */
static bool next_read(struct push *p, struct read *ret)
{
    pthread_mutex_lock(&p->lock);
    while (!p->nreads && !p->stop)
        pthread_cond_wait(&p->wake, &p->lock);
    bool stop = p->stop;
    if (!stop)
        *ret = p->reads[--p->nreads];
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

static void *run_thread(void *arg)
{
    struct push *p = arg;
    struct read r;
    struct run run;
    while (next_read(p, &r)) {
        if (!look_at(p, r, &run))
            continue;
        while (push_batch(p, &run) && !stopping(p))
            ;
        p->hot_until_ms = clock_ms() + HOT_MS;
    }
    atomic_store(&p->ended, true);
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
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->pushing, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (pthread_create(&p->thread, NULL, run_thread, p) == 0)
        return p;
    release(p);
    return NULL;
}

/* Serves one request, if there is one soon. */
static void serve_one(struct fuse_session *se)
{
    struct fuse_buf buf = {0};
    struct pollfd fd = {.fd = fuse_session_fd(se), .events = POLLIN};
    if (poll(&fd, 1, DRAIN_MS) == 1 && fd.revents & POLLIN &&
        fuse_session_receive_buf(se, &buf) > 0)
        fuse_session_process_buf(se, &buf);
    free(buf.mem);
}

void push_stop(struct push *p)
{
    pthread_mutex_lock(&p->lock);
    bool stopped = p->stop;
    p->stop = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (stopped)
        return;
    while (p->fs->session && !atomic_load(&p->ended))
        serve_one(p->fs->session);
    pthread_join(p->thread, NULL);
}

void push_destroy(struct push *p)
{
    if (!p)
        return;
    push_stop(p);
    release(p);
}
