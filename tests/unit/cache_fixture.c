// SPDX-License-Identifier: MIT
#include "tests/unit/cache_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <time.h>

#include "cache/keeper.h"

#define WANTS_MAX (1 << 16)
#define WAIT_S 60
#define ROUNDS_MAX 10000

struct fixture fx;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct told v[WANTS_MAX];
    uint64_t last;
} wants = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

/* --- around a test --- */

static void on_report(void *arg, const struct query *q UNUSED, const char *uuid UNUSED,
                      const struct failure *f UNUSED)
{
    struct fixture *x = arg;
    pthread_mutex_lock(&wants.lock);
    x->reports++;
    pthread_mutex_unlock(&wants.lock);
}

static void on_amended(void *arg, int64_t id UNUSED)
{
    struct fixture *x = arg;
    pthread_mutex_lock(&wants.lock);
    x->amended++;
    pthread_mutex_unlock(&wants.lock);
}

void fx_open(void)
{
    char error[256] = "";
    fx.opts.path = fx.path;
    fx.opts.source = fake_start(fx.fake, fx.one_call);
    int rc = cache_create(&fx.opts, &fx.cache, error, sizeof(error));
    ck_assert_msg(rc == 0, "%d: %s", rc, error);
    clock_learn(&fx.cache->clock, fx.fake->date);
}

void fx_close(void)
{
    cache_destroy(fx.cache);
    fx.cache = NULL;
}

void fx_setup(void)
{
    memset(&fx, 0, sizeof(fx));
    memset(wants.v, 0, sizeof(wants.v));
    wants.last = 0;
    snprintf(fx.dir, sizeof(fx.dir), "/tmp/cdrfs-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fx.dir));
    snprintf(fx.path, sizeof(fx.path), "%s/calls.db", fx.dir);
    fx.fake = fake_create(NOON);
    fx.one_call = true;
    fx.opts = (struct cache_opts){.ttl_s = 60,
                                  .settle_s = 48 * HOUR,
                                  .stale_if_error_s = DAY,
                                  .deadline_ms = 30000,
                                  .pages_at_once = 8,
                                  .report = on_report,
                                  .report_arg = &fx,
                                  .amended = on_amended,
                                  .amended_arg = &fx};
    fx_open();
}

static int remove_one(const char *name, const struct stat *st UNUSED, int kind UNUSED,
                      struct FTW *f UNUSED)
{
    return remove(name);
}

void fx_teardown(void)
{
    fx_close();
    fake_free(fx.fake);
    fx.fake = NULL;
    nftw(fx.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void fx_set_now(int64_t t)
{
    FAKE_SET(fx.fake, date, t);
    clock_learn(&fx.cache->clock, t);
}

/* --- queries --- */

struct query fx_between(int64_t lo, int64_t hi)
{
    struct query q = QUERY_ALL;
    q.num[AXIS_END_TIME] = (struct range){lo, hi};
    return q;
}

struct query fx_day(int ago)
{
    return fx_between(TODAY - ago * (int64_t)DAY, TODAY - (ago - 1) * (int64_t)DAY);
}

struct query fx_with(struct query q, int axis, const char *value)
{
    ck_assert_msg(query_apply(&q, axis, value) == 0, "%s", value);
    return q;
}

/* --- wants --- */

static void on_done(uint64_t id, int err, bool whole, void *arg UNUSED)
{
    pthread_mutex_lock(&wants.lock);
    wants.v[id].count++;
    wants.v[id].err = err;
    wants.v[id].whole = whole;
    pthread_cond_broadcast(&wants.wake);
    pthread_mutex_unlock(&wants.lock);
}

uint64_t fx_want_model(struct want w)
{
    pthread_mutex_lock(&wants.lock);
    w.id = ++wants.last;
    expect(w.id < WANTS_MAX, "too many wants");
    wants.v[w.id] = (struct told){0};
    pthread_mutex_unlock(&wants.lock);
    w.done = on_done;
    expect(cache_want(fx.cache, &w) == 0, "no memory");
    return w.id;
}

uint64_t fx_want(const struct query *q, uint64_t seen)
{
    return fx_want_model((struct want){.q = *q, .seen = seen});
}

struct told fx_told(uint64_t id)
{
    pthread_mutex_lock(&wants.lock);
    struct told t = wants.v[id];
    pthread_mutex_unlock(&wants.lock);
    return t;
}

struct told fx_wait(uint64_t id)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&wants.lock);
    while (!wants.v[id].count && rc == 0)
        rc = pthread_cond_timedwait(&wants.wake, &wants.lock, &until);
    struct told t = wants.v[id];
    pthread_mutex_unlock(&wants.lock);
    expect(t.count == 1, "want %d was told %d times", (int)id, t.count);
    return t;
}

void fx_drain(void)
{
    struct query nothing = QUERY_ALL;
    nothing.none = true;
    for (int i = 0; i < 2; i++) { /* pages are asked for behind the answers of the same batch */
        struct told t = fx_wait(fx_want(&nothing, UINT64_MAX));
        expect(t.err == 0 && t.whole, "a contradiction must be known");
    }
}

void fx_settle(void)
{
    for (int n = -1; n != fake_requests(fx.fake);) {
        n = fake_requests(fx.fake);
        fake_wait_answered(fx.fake, n);
        fx_drain();
    }
}

int fx_ask(const struct query *q)
{
    uint64_t since = cache_since(fx.cache);
    for (int i = 0; i < ROUNDS_MAX; i++) {
        uint64_t tick = cache_tick(fx.cache);
        if (cache_known_since(fx.cache, q, since))
            return 0;
        struct told t =
            fx_wait(fx_want_model((struct want){.q = *q, .since = since, .seen = tick}));
        if (t.err || t.whole)
            return t.err;
    }
    ck_abort_msg("no end of progress");
}

int fx_cost(const struct query *q)
{
    int before = fake_requests(fx.fake), rc = fx_ask(q);
    ck_assert_msg(rc == 0, "%s", strerror(-rc));
    return fake_requests(fx.fake) - before;
}

/* --- what is held --- */

struct names {
    char (*v)[CALL_UUID_MAX];
    int n, cap;
};

static void add_name(struct names *l, const char *uuid)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->v = realloc(l->v, (size_t)l->cap * sizeof(*l->v));
        expect(l->v, "no memory");
    }
    snprintf(l->v[l->n++], CALL_UUID_MAX, "%s", uuid);
}

static bool add_entry(void *arg, const struct entry *e)
{
    add_name(arg, e->uuid);
    return true;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

char (*fx_list(const struct query *q, int *ret_n))[CALL_UUID_MAX]
{
    struct names l = {0};
    expect(cache_list(fx.cache, q, 0, add_entry, &l) == 0, "no list");
    if (l.n)
        qsort(l.v, (size_t)l.n, sizeof(*l.v), compare);
    *ret_n = l.n;
    return l.v;
}

int fx_count(const struct query *q)
{
    int n;
    free(fx_list(q, &n));
    return n;
}

static struct names truth(const struct query *q)
{
    struct names l = {0};
    struct fake *f = fx.fake;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->ncalls; i++)
        if (query_match(q, &f->calls[i]) && *f->calls[i].uuid)
            add_name(&l, f->calls[i].uuid);
    pthread_mutex_unlock(&f->lock);
    if (l.n)
        qsort(l.v, (size_t)l.n, sizeof(*l.v), compare);
    return l;
}

void fx_expect_all(const struct query *q)
{
    int n;
    struct names want = truth(q);
    char(*have)[CALL_UUID_MAX] = fx_list(q, &n);
    for (int i = 0; i < n && i < want.n; i++)
        expect(strcmp(have[i], want.v[i]) == 0, "row %d is %s, not %s", i, have[i], want.v[i]);
    expect(n == want.n, "%d calls are listed, not %d", n, want.n);
    free(have);
    free(want.v);
}
