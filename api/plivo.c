// SPDX-License-Identifier: MIT
#include "api/plivo.h"

#include <errno.h>
#include <string.h>

struct plivo {
    struct source source;
    const struct dialect *dialect;
    char *api_url, *auth_id;
    struct http *http;
    struct source_ops ops;
};

/* One request on its way: whom to tell, and which kind of body to expect. */
struct ask {
    source_fn *done;
    void *arg;
    bool one_call;
};

static struct plivo *plivo_of(struct source *s)
{
    return (struct plivo *)s;
}

static void on_answer(void *arg, const struct http_answer *a)
{
    struct ask *ask = arg;
    struct failure f = a->failure;
    struct page *page = NULL;
    int rc = f.err;
    if (rc == 0)
        rc = ask->one_call ? page_decode_call(a->body, a->n, &page, &f)
                           : page_decode(a->body, a->n, &page, &f);
    else if (ask->one_call && f.http == 404)
        f.err = -ENOENT;
    f.date = a->failure.date;
    ask->done(ask->arg, &f, page);
    free(ask);
}

static void send_ask(struct plivo *p, struct buf *url, enum urgency u, bool one_call,
                     source_fn *done, void *arg)
{
    struct failure f;
    struct ask *ask = buf_error(url) ? NULL : malloc(sizeof(*ask));
    if (!ask) {
        failure_set(&f, -ENOMEM, 0, "no memory for a request");
        done(arg, &f, NULL);
    } else {
        *ask = (struct ask){done, arg, one_call};
        http_get(p->http, url->p, u, on_answer, ask);
    }
    buf_release(url);
}

static struct query narrowest(struct source *s, const struct query *q)
{
    return dialect_narrowest(plivo_of(s)->dialect, 0, q);
}

static void fetch_page(struct source *s, const struct query *q, int64_t offset, enum urgency u,
                       source_fn *done, void *arg)
{
    struct plivo *p = plivo_of(s);
    struct buf url = buf_make(URL_MAX_BYTES);
    dialect_list_url(&url, p->dialect, p->api_url, p->auth_id, q, offset, API_PAGE_LIMIT);
    send_ask(p, &url, u, false, done, arg);
}

static void fetch_call(struct source *s, const char *uuid, source_fn *done, void *arg)
{
    struct plivo *p = plivo_of(s);
    struct buf url = buf_make(URL_MAX_BYTES);
    dialect_call_url(&url, p->dialect, p->api_url, p->auth_id, uuid);
    send_ask(p, &url, URGENT, true, done, arg);
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
        .destroy = destroy,
    };
    p->source.ops = &p->ops;
    p->dialect = o->dialect;
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

struct http_stats plivo_stats(struct source *s)
{
    return http_stats(plivo_of(s)->http);
}
