// SPDX-License-Identifier: MIT
#include "api/plivo.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

struct plivo {
    struct source source;
    const struct dialect *dialect;
    char *api_url, *auth_id;
    struct http *http;
    int (*console_east)(int64_t t);
    struct source_ops ops;
    atomic_uint refused; /* bits of the axes this host was seen to refuse */
};

/* One request on its way: whom to tell, and which kind of body to expect. */
struct ask {
    struct plivo *plivo;
    source_fn *done;
    void *arg;
    bool one_call;
    unsigned filters; /* bits of the axes it filters by, besides end time */
};

static struct plivo *plivo_of(struct source *s)
{
    return (struct plivo *)s;
}

static unsigned filters_of(const struct query *q)
{
    unsigned bits = 0;
    for (int i = 0; i < AXES; i++)
        if (i < NUM_AXES ? i != AXIS_END_TIME && !range_is_all(q->num[i]) : *q->text[i - NUM_AXES])
            bits |= 1u << i;
    return bits;
}

/*
 * A 400 may mean that this host does not filter by something (API.md trap 13). What the message
 * names is not asked for again, or, when it names nothing, whatever was asked for; the question is
 * then put anew, wider: -EAGAIN.
 */
static void learn_refusal(const struct ask *ask, struct failure *f)
{
    unsigned named = 0;
    char message[sizeof(f->detail)];
    memcpy(message, f->detail, sizeof(message));
    for (int i = 0; i < AXES; i++) {
        const char *param = axes[i].param[ask->plivo->dialect->id];
        if (ask->filters & (1u << i) && param && strstr(message, param))
            named |= 1u << i;
    }
    if (!named)
        named = ask->filters;
    if (!named)
        return;
    bool known = (atomic_fetch_or(&ask->plivo->refused, named) & named) == named;
    failure_set(
        f, -EAGAIN, 400, "%s%.120s",
        known ? "" : "a filter is refused, and evaluated here from now on: ", known ? "" : message);
}

/* What an answer means: a page, or a failure. -EAGAIN: put anew, wider. */
static struct page *read_answer(const struct ask *ask, const struct http_answer *a,
                                struct failure *f)
{
    struct page *page = NULL;
    int rc = f->err;
    if (rc == 0)
        rc = ask->one_call ? page_decode_call(a->body, a->n, &page, f)
                           : page_decode(a->body, a->n, &page, f);
    else if (ask->one_call && f->http == 404)
        f->err = -ENOENT;
    else if (f->http == 400)
        learn_refusal(ask, f);
    return rc == 0 ? page : NULL;
}

/* An answer that makes no sense may be a passing fault of something in between, so it is asked for
 * again. */
static bool on_answer(void *arg, const struct http_answer *a)
{
    struct ask *ask = arg;
    struct failure f = a->failure;
    struct page *page = read_answer(ask, a, &f);
    bool final = !f.err || f.err == -ENOENT || f.err == -EAGAIN || f.err == -ENOMEM;
    if (!final && a->may_again)
        return true;
    f.date = a->failure.date;
    ask->done(ask->arg, &f, page);
    free(ask);
    return false;
}

static void send_ask(struct plivo *p, struct buf *url, const struct urgency *u, struct ask model)
{
    struct failure f;
    struct ask *ask = buf_error(url) ? NULL : malloc(sizeof(*ask));
    if (!ask) {
        failure_set(&f, -ENOMEM, 0, "no memory for a request");
        model.done(model.arg, &f, NULL);
    } else {
        *ask = model;
        http_get(p->http, url->p, u, on_answer, ask);
    }
    buf_release(url);
}

static struct query narrowest(struct source *s, const struct query *q)
{
    struct plivo *p = plivo_of(s);
    return dialect_narrowest(p->dialect, atomic_load(&p->refused), q);
}

static void put_page_url(struct plivo *p, const struct query *q, int64_t offset, struct buf *out)
{
    struct query asked = *q;
    if (p->console_east && p->dialect->id == DIALECT_LEGACY)
        dialect_to_console(&asked, p->console_east);
    dialect_list_url(out, p->dialect, p->api_url, p->auth_id, &asked, offset, API_PAGE_LIMIT);
}

static void fetch_page(struct source *s, const struct query *q, int64_t offset,
                       const struct urgency *u, source_fn *done, void *arg)
{
    struct plivo *p = plivo_of(s);
    struct buf url = buf_make(URL_MAX_BYTES);
    put_page_url(p, q, offset, &url);
    send_ask(p, &url, u, (struct ask){p, done, arg, false, filters_of(q)});
}

static void fetch_call(struct source *s, const char *uuid, source_fn *done, void *arg)
{
    struct plivo *p = plivo_of(s);
    struct buf url = buf_make(URL_MAX_BYTES);
    dialect_call_url(&url, p->dialect, p->api_url, p->auth_id, uuid);
    send_ask(p, &url, NULL, (struct ask){p, done, arg, true, 0});
}

static void share_rate(struct source *s, int64_t (*may)(void *arg, int64_t now_ms), void *arg)
{
    http_share_rate(plivo_of(s)->http, may, arg);
}

static void destroy(struct source *s)
{
    struct plivo *p = plivo_of(s);
    http_destroy(p->http);
    free(p->api_url);
    free(p->auth_id);
    free(p);
}

int plivo_create(const struct plivo_opts *o, struct source **ret)
{
    struct plivo *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->ops = (struct source_ops){
        .narrowest = narrowest,
        .fetch_page = fetch_page,
        .fetch_call = o->dialect->one_call ? fetch_call : NULL,
        .share_rate = share_rate,
        .destroy = destroy,
    };
    p->source.ops = &p->ops;
    p->dialect = o->dialect;
    p->console_east = o->console_east;
    p->api_url = strdup(o->api_url ? o->api_url : o->dialect->default_url);
    p->auth_id = strdup(o->http.auth_id);
    int rc = p->api_url && p->auth_id ? http_create(&o->http, &p->http) : -ENOMEM;
    if (rc < 0) {
        destroy(&p->source);
        return rc;
    }
    *ret = &p->source;
    return 0;
}

void plivo_stats(struct source *s, struct http_stats *ret)
{
    http_stats(plivo_of(s)->http, ret);
}

void plivo_list_url(struct source *s, const struct query *q, struct buf *out)
{
    put_page_url(plivo_of(s), q, 0, out);
}

void plivo_call_url(struct source *s, const char *uuid, struct buf *out)
{
    struct plivo *p = plivo_of(s);
    if (p->dialect->one_call)
        dialect_call_url(out, p->dialect, p->api_url, p->auth_id, uuid);
}
