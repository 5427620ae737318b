// SPDX-License-Identifier: MIT
#include "fs/park.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

struct slot {
    struct parked parked;
    UT_hash_handle hh;
};

struct park {
    pthread_mutex_t lock; /* guards the rest, and interrupted and submitted of every parked */
    struct slot *slots;
    uint64_t last_id;
};

struct park *park_create(void)
{
    struct park *p = calloc(1, sizeof(*p));
    if (p)
        pthread_mutex_init(&p->lock, NULL);
    return p;
}

void park_destroy(struct park *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

size_t park_count(struct park *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = HASH_COUNT(p->slots);
    pthread_mutex_unlock(&p->lock);
    return n;
}

static struct slot *find(struct park *park, uint64_t id)
{
    struct slot *s;
    HASH_FIND(hh, park->slots, &id, sizeof(id), s);
    return s;
}

/* libfuse calls this with the lock of the request held. */
static void on_interrupt(fuse_req_t req, void *data)
{
    struct fs *fs = fuse_req_userdata(req);
    uint64_t id = (uint64_t)(uintptr_t)data;
    pthread_mutex_lock(&fs->park->lock);
    struct slot *s = find(fs->park, id);
    if (s) {
        s->parked.interrupted = true;
        if (s->parked.submitted)
            cache_cancel(fs->cache, id);
    }
    pthread_mutex_unlock(&fs->park->lock);
}

struct parked *park_new(struct fs *fs, const struct parked *model)
{
    struct slot *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->parked = *model;
    s->parked.deadline_ms = cache_deadline(fs->cache);
    pthread_mutex_lock(&fs->park->lock);
    s->parked.id = ++fs->park->last_id;
    HASH_ADD(hh, fs->park->slots, parked.id, sizeof(s->parked.id), s);
    bool added = s->hh.tbl != NULL;
    pthread_mutex_unlock(&fs->park->lock);
    if (!added) {
        free(s);
        return NULL;
    }
    fuse_req_interrupt_func(model->req, on_interrupt, (void *)(uintptr_t)s->parked.id);
    return &s->parked;
}

void park_end(struct fs *fs, struct parked *p)
{
    struct slot *s = (struct slot *)(void *)p;
    pthread_mutex_lock(&fs->park->lock);
    HASH_DEL(fs->park->slots, s);
    pthread_mutex_unlock(&fs->park->lock);
    free(s);
}

static void on_done(uint64_t id, int err, bool whole, void *arg)
{
    struct fs *fs = arg;
    pthread_mutex_lock(&fs->park->lock);
    struct slot *s = find(fs->park, id);
    s->parked.submitted = false;
    pthread_mutex_unlock(&fs->park->lock);
    s->parked.resume(fs, &s->parked, err, whole);
}

void park_wait(struct fs *fs, struct parked *p)
{
    struct want want = {.id = p->id,
                        .q = p->q,
                        .since = p->since,
                        .deadline_ms = p->deadline_ms,
                        .seen = p->seen,
                        .most = p->most,
                        .done = on_done,
                        .arg = fs};
    memcpy(want.uuid, p->uuid, sizeof(want.uuid));
    pthread_mutex_lock(&fs->park->lock);
    int rc = p->interrupted ? -EINTR : cache_want(fs->cache, &want);
    p->submitted = rc == 0;
    pthread_mutex_unlock(&fs->park->lock);
    if (rc < 0)
        p->resume(fs, p, rc, false);
}
