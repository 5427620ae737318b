// SPDX-License-Identifier: MIT
#include "tests/unit/fake_source.h"

#include <errno.h>
#include <time.h>
#include <utlist.h>

#include "api/utc.h"
#include "tests/unit/check_util.h"

#define WAIT_S 60

struct fake_ask {
    struct fake_request request;
    source_fn *done;
    void *arg;
    struct fake_ask *prev, *next;
};

static struct fake *fake_of(struct source *s)
{
    return (struct fake *)s;
}

/* --- the table --- */

static char *body_of(const struct call *c, const char *note, size_t *ret_n)
{
    char *text, end[UTC_TEXT_MAX];
    utc_format(c->num[AXIS_END_TIME], end);
    int n = asprintf(&text,
                     "{\n  \"call_uuid\": \"%s\",\n  \"end_time\": \"%s\",\n"
                     "  \"note\": \"%s\"\n}\n",
                     c->uuid, end, note);
    expect(n > 0, "no memory");
    *ret_n = (size_t)n;
    return text;
}

static void make_room(struct fake *f)
{
    if (f->ncalls < f->cap)
        return;
    f->cap = f->cap ? f->cap * 2 : 64;
    f->calls = realloc(f->calls, f->cap * sizeof(*f->calls));
    expect(f->calls, "no memory");
}

void fake_put(struct fake *f, const struct call *c)
{
    size_t i = 0;
    pthread_mutex_lock(&f->lock);
    make_room(f);
    while (i < f->ncalls && f->calls[i].num[AXIS_END_TIME] > c->num[AXIS_END_TIME])
        i++;
    memmove(f->calls + i + 1, f->calls + i, (f->ncalls - i) * sizeof(*c));
    f->calls[i] = *c;
    f->calls[i].body.p = body_of(c, "", &f->calls[i].body.n);
    f->ncalls++;
    pthread_mutex_unlock(&f->lock);
}

struct call fake_call(int number, int64_t end_time)
{
    struct call c = {0};
    snprintf(c.uuid, sizeof(c.uuid), "call-%06d", number);
    for (int i = 0; i < NUM_AXES; i++)
        c.num[i] = INT64_MIN;
    c.num[AXIS_END_TIME] = end_time;
    c.num[AXIS_DIRECTION] = number % 2 ? DIRECTION_OUTBOUND : DIRECTION_INBOUND;
    c.num[AXIS_BILL_DURATION] = number % 7 * 30;
    snprintf(c.text[AXIS_FROM], CALL_TEXT_MAX, "1415555%04d", number % 10000);
    snprintf(c.text[AXIS_TRUNK], CALL_TEXT_MAX, "%d", 100 + number % 3);
    return c;
}

void fake_add(struct fake *f, int number, int64_t end_time)
{
    struct call c = fake_call(number, end_time);
    fake_put(f, &c);
}

void fake_add_many(struct fake *f, int number, int n, int64_t lo, int64_t step)
{
    for (int i = 0; i < n; i++)
        fake_add(f, number + i, lo + i * step);
}

void fake_add_bad(struct fake *f, int64_t end_time)
{
    struct call c = fake_call(0, end_time);
    c.uuid[0] = '\0';
    fake_put(f, &c);
}

void fake_amend(struct fake *f, int number, const char *note)
{
    struct call c = fake_call(number, 0);
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->ncalls; i++)
        if (strcmp(f->calls[i].uuid, c.uuid) == 0) {
            free((char *)f->calls[i].body.p);
            f->calls[i].body.p = body_of(&f->calls[i], note, &f->calls[i].body.n);
        }
    pthread_mutex_unlock(&f->lock);
}

int fake_count(struct fake *f, const struct query *q)
{
    int n = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->ncalls; i++)
        n += query_match(q, &f->calls[i]);
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* --- answers; with the lock held --- */

static struct page *page_new(int rows)
{
    struct page *p = calloc(1, sizeof(*p));
    expect(p, "no memory");
    p->text = buf_make(BODY_MAX_BYTES);
    p->calls = calloc((size_t)rows + 1, sizeof(*p->calls));
    p->bad = calloc((size_t)rows + 1, sizeof(*p->bad));
    expect(p->calls && p->bad, "no memory");
    return p;
}

static void add_row(struct page *p, const struct call *c)
{
    if (*c->uuid) {
        p->calls[p->ncalls++] = *c;
        buf_append(&p->text, c->body.p, c->body.n);
    } else {
        struct bad_row *b = &p->bad[p->nbad++];
        b->index = p->rows;
        snprintf(b->reason, sizeof(b->reason), "call_uuid is missing or no safe name");
    }
    p->rows++;
}

static struct page *finish_page(struct page *p, int64_t total)
{
    const char *at = p->text.p;
    expect(buf_error(&p->text) == 0, "no memory");
    for (int i = 0; i < p->ncalls; i++) {
        p->calls[i].body.p = at;
        at += p->calls[i].body.n;
    }
    p->total = total;
    return p;
}

static struct page *list_page(struct fake *f, const struct fake_request *r)
{
    struct page *p = page_new(API_PAGE_LIMIT);
    int64_t total = 0;
    for (size_t i = 0; i < f->ncalls; i++) {
        const struct call *c = &f->calls[f->oldest_first ? f->ncalls - 1 - i : i];
        if (!query_match(&r->q, c))
            continue;
        if (total >= r->offset && total < r->offset + API_PAGE_LIMIT)
            add_row(p, c);
        total++;
    }
    f->total_off += f->total_step;
    total += f->total_off;
    return finish_page(p, total > 0 ? total : 0);
}

/* NULL: there is no such call. */
static struct page *call_page(struct fake *f, const char *uuid)
{
    for (size_t i = 0; i < f->ncalls; i++) {
        if (strcmp(f->calls[i].uuid, uuid) == 0) {
            struct page *p = page_new(1);
            add_row(p, &f->calls[i]);
            return finish_page(p, 1);
        }
    }
    return NULL;
}

static unsigned filters_of(const struct query *q)
{
    unsigned bits = 0;
    for (int i = 0; i < AXES; i++)
        if (i < NUM_AXES ? i != AXIS_END_TIME && !range_is_all(q->num[i]) : *q->text[i - NUM_AXES])
            bits |= 1u << i;
    return bits;
}

/* The errno this answer is to have; 0: none. */
static int error_now(struct fake *f, const struct fake_request *r)
{
    int err = f->stop ? -ECANCELED : f->fail_all;
    if (f->fail_in && --f->fail_in == 0 && !err)
        err = f->fail_err;
    if (!err && f->refuses & filters_of(&r->q)) {
        f->refused |= f->refuses;
        err = -EAGAIN;
    }
    return err;
}

static void answer(struct fake *f, struct fake_ask *a)
{
    struct failure failure = {0};
    struct page *page = NULL;
    pthread_mutex_lock(&f->lock);
    int err = error_now(f, &a->request);
    if (!err)
        page = *a->request.uuid ? call_page(f, a->request.uuid) : list_page(f, &a->request);
    if (!err && !page)
        err = -ENOENT;
    if (err)
        failure_set(&failure, err, 0, "the fake fails");
    failure.date = f->date;
    pthread_mutex_unlock(&f->lock);
    a->done(a->arg, &failure, page);
    free(a);
    pthread_mutex_lock(&f->lock);
    f->answered++;
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

/* --- the thread --- */

static struct fake_ask *next_ask(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    while (!f->stop && (!f->asks || f->let == 0))
        pthread_cond_wait(&f->wake, &f->lock);
    struct fake_ask *a = f->asks;
    if (a)
        DL_DELETE(f->asks, a);
    if (f->let > 0)
        f->let--;
    pthread_mutex_unlock(&f->lock);
    return a;
}

static void *run(void *arg)
{
    struct fake *f = arg;
    struct fake_ask *a;
    while ((a = next_ask(f))) {
        pthread_mutex_lock(&f->lock);
        void (*hook)(struct fake *, const struct fake_request *) = f->stop ? NULL : f->hook;
        pthread_mutex_unlock(&f->lock);
        if (hook)
            hook(f, &a->request);
        answer(f, a);
    }
    return NULL;
}

static void take(struct fake *f, struct fake_request request, source_fn *done, void *arg)
{
    struct fake_ask *a = calloc(1, sizeof(*a));
    if (!a) {
        struct failure failure;
        failure_set(&failure, -ENOMEM, 0, "no memory for a request");
        done(arg, &failure, NULL);
        return;
    }
    *a = (struct fake_ask){.request = request, .done = done, .arg = arg};
    pthread_mutex_lock(&f->lock);
    if (f->nlog < FAKE_LOG_MAX)
        f->log[f->nlog] = request;
    f->nlog++;
    DL_APPEND(f->asks, a);
    pthread_cond_broadcast(&f->wake);
    pthread_mutex_unlock(&f->lock);
}

/* --- the source --- */

static struct query narrowest(struct source *s, const struct query *q)
{
    struct fake *f = fake_of(s);
    static const char *const names[] = {"latest", "legacy"};
    pthread_mutex_lock(&f->lock);
    struct query asked = dialect_narrowest(dialect_by_name(names[f->filter]), f->refused, q);
    pthread_mutex_unlock(&f->lock);
    return asked;
}

static void fetch_page(struct source *s, const struct query *q, int64_t offset,
                       const struct urgency *u UNUSED, source_fn *done, void *arg)
{
    take(fake_of(s), (struct fake_request){.q = *q, .offset = offset}, done, arg);
}

static void fetch_call(struct source *s, const char *uuid, source_fn *done, void *arg)
{
    struct fake_request r = {.q = QUERY_ALL};
    snprintf(r.uuid, sizeof(r.uuid), "%s", uuid);
    take(fake_of(s), r, done, arg);
}

static void destroy(struct source *s)
{
    struct fake *f = fake_of(s);
    FAKE_SET(f, stop, true);
    pthread_join(f->thread, NULL);
    f->running = false;
}

struct source *fake_start(struct fake *f, bool one_call)
{
    expect(!f->running, "started twice");
    f->stop = false;
    f->ops = (struct source_ops){.narrowest = narrowest,
                                 .fetch_page = fetch_page,
                                 .fetch_call = one_call ? fetch_call : NULL,
                                 .destroy = destroy};
    f->source.ops = &f->ops;
    expect(pthread_create(&f->thread, NULL, run, f) == 0, "no thread");
    f->running = true;
    return &f->source;
}

struct fake *fake_create(int64_t date)
{
    struct fake *f = calloc(1, sizeof(*f));
    expect(f, "no memory");
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->wake, NULL);
    f->date = date;
    f->let = -1;
    return f;
}

void fake_free(struct fake *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->ncalls; i++)
        free((char *)f->calls[i].body.p);
    free(f->calls);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* --- what was asked --- */

int fake_requests(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    int n = f->nlog;
    pthread_mutex_unlock(&f->lock);
    return n;
}

struct fake_request fake_request(struct fake *f, int i)
{
    expect(i < fake_requests(f) && i < FAKE_LOG_MAX, "no request %d", i);
    pthread_mutex_lock(&f->lock);
    struct fake_request r = f->log[i];
    pthread_mutex_unlock(&f->lock);
    return r;
}

static void wait_count(struct fake *f, const int *count, int n)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&f->lock);
    while (*count < n && rc == 0)
        rc = pthread_cond_timedwait(&f->wake, &f->lock, &until);
    int have = *count;
    pthread_mutex_unlock(&f->lock);
    expect(have >= n, "%d of %d came", have, n);
}

void fake_wait_asked(struct fake *f, int n)
{
    wait_count(f, &f->nlog, n);
}

void fake_wait_answered(struct fake *f, int n)
{
    wait_count(f, &f->answered, n);
}
