// SPDX-License-Identifier: MIT
#include "cache/pack.h"

#include <errno.h>
#include <pthread.h>
#include <zdict.h>
#include <zstd.h>

#define LEVEL 3

struct dict {
    int64_t id;
    ZSTD_DDict *unpacks;
    struct dict *next; /* an older one */
};

struct opener {
    ZSTD_DCtx *ctx;
    struct opener *next;
};

struct pack {
    ZSTD_CCtx *ctx;
    ZSTD_CDict *packs; /* of the newest dictionary */

    pthread_mutex_t lock;   /* guards the rest */
    struct dict *dicts;     /* the newest first; what stands in the list stays */
    struct opener *openers; /* contexts that nobody uses */
};

struct pack *pack_create(void)
{
    struct pack *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->ctx = ZSTD_createCCtx();
    /* A checksum, so that a damaged body is never taken for another; which dictionary it was stands
     * beside it. */
    if (p->ctx && !ZSTD_isError(ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_checksumFlag, 1)) &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(p->ctx, ZSTD_c_dictIDFlag, 0)))
        return p;
    pack_destroy(p);
    return NULL;
}

void pack_destroy(struct pack *p)
{
    if (!p)
        return;
    while (p->dicts) {
        struct dict *d = p->dicts;
        p->dicts = d->next;
        ZSTD_freeDDict(d->unpacks);
        free(d);
    }
    while (p->openers) {
        struct opener *o = p->openers;
        p->openers = o->next;
        ZSTD_freeDCtx(o->ctx);
        free(o);
    }
    ZSTD_freeCDict(p->packs);
    ZSTD_freeCCtx(p->ctx);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* Also its tables: of a damaged one zstd makes nothing, as when memory runs out. */
static bool is_dict(struct slice s)
{
    return ZDICT_getDictID(s.p, s.n) && !ZDICT_isError(ZDICT_getDictHeaderSize(s.p, s.n));
}

int pack_add(struct pack *p, int64_t id, struct slice dict)
{
    if (id <= 0 || !is_dict(dict))
        return -EINVAL;
    struct dict *d = calloc(1, sizeof(*d));
    ZSTD_CDict *packs = ZSTD_createCDict(dict.p, dict.n, LEVEL);
    if (d)
        *d = (struct dict){.id = id, .unpacks = ZSTD_createDDict(dict.p, dict.n)};
    if (!d || !d->unpacks || !packs) {
        if (d)
            ZSTD_freeDDict(d->unpacks);
        ZSTD_freeCDict(packs);
        free(d);
        return -ENOMEM;
    }
    ZSTD_CCtx_refCDict(p->ctx, packs);
    ZSTD_freeCDict(p->packs);
    p->packs = packs;
    pthread_mutex_lock(&p->lock);
    d->next = p->dicts;
    p->dicts = d;
    pthread_mutex_unlock(&p->lock);
    return 0;
}

int64_t pack_current(const struct pack *p)
{
    return p->dicts ? p->dicts->id : 0; /* the thread that asks is the one that adds */
}

int pack_body(struct pack *p, struct slice body, struct buf *out, int64_t *ret_dict)
{
    size_t most = ZSTD_compressBound(body.n), n = 0;
    *ret_dict = 0;
    char *room = p->packs ? buf_room(out, most) : NULL;
    if (p->packs && !room)
        return buf_error(out);
    if (room)
        n = ZSTD_compress2(p->ctx, room, most, body.p, body.n);
    if (!room || ZSTD_isError(n) || n >= body.n) {
        buf_append(out, body.p, body.n);
        return buf_error(out);
    }
    buf_filled(out, n);
    *ret_dict = pack_current(p);
    return 0;
}

static ZSTD_DDict *find_dict(struct pack *p, int64_t id)
{
    ZSTD_DDict *found = NULL;
    pthread_mutex_lock(&p->lock);
    for (struct dict *d = p->dicts; d && !found; d = d->next)
        found = d->id == id ? d->unpacks : NULL;
    pthread_mutex_unlock(&p->lock);
    return found;
}

static struct opener *take_opener(struct pack *p)
{
    pthread_mutex_lock(&p->lock);
    struct opener *o = p->openers;
    if (o)
        p->openers = o->next;
    pthread_mutex_unlock(&p->lock);
    if (o)
        return o;
    o = calloc(1, sizeof(*o));
    if (o && (o->ctx = ZSTD_createDCtx()))
        return o;
    free(o);
    return NULL;
}

static void give_opener(struct pack *p, struct opener *o)
{
    pthread_mutex_lock(&p->lock);
    o->next = p->openers;
    p->openers = o;
    pthread_mutex_unlock(&p->lock);
}

int pack_open(struct pack *p, int64_t dict, struct slice packed, struct buf *out)
{
    if (!dict) {
        buf_append(out, packed.p, packed.n);
        return buf_error(out);
    }
    ZSTD_DDict *d = find_dict(p, dict);
    unsigned long long size = ZSTD_getFrameContentSize(packed.p, packed.n);
    if (!d || size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
        size > PACK_MOST)
        return -EBADMSG;
    struct opener *o = take_opener(p);
    char *room = o ? buf_room(out, (size_t)size) : NULL;
    size_t n = 0;
    if (room)
        n = ZSTD_decompress_usingDDict(o->ctx, room, (size_t)size, packed.p, packed.n, d);
    if (o)
        give_opener(p, o);
    if (!room)
        return o ? buf_error(out) : -ENOMEM;
    if (n != size)
        return -EBADMSG;
    buf_filled(out, n);
    return 0;
}

int pack_train(const char *samples, const size_t *sizes, unsigned n, struct buf *out)
{
    char *room = buf_room(out, PACK_DICT_BYTES);
    if (!room)
        return buf_error(out);
    size_t got = ZDICT_trainFromBuffer(room, PACK_DICT_BYTES, samples, sizes, n);
    if (ZDICT_isError(got))
        return -EINVAL;
    buf_filled(out, got);
    return 0;
}
