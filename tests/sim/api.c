// SPDX-License-Identifier: MIT
#include "api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "args.h"
#include "query.h"
#include "rng.h"
#include "store.h"

#define ACCOUNTS "/v1/Account/"

enum route_kind { ROUTE_UNKNOWN, ROUTE_LIST, ROUTE_SINGLE, ROUTE_NO_SLASH };

/* Where a path leads. */
struct route {
    enum route_kind kind;
    enum dialect dialect;
    bool own_account;
    char uuid[64];
};

/* One request on its way. */
struct call_in {
    struct sim *sim;
    const struct api_request *req;
    struct reply *reply;
    struct route route;
    char api_id[UUID_SIZE];
};

static bool starts(const char **s, const char *prefix)
{
    size_t len = strlen(prefix);

    if (strncmp(*s, prefix, len) != 0)
        return false;
    *s += len;
    return true;
}

/* What follows `.../Call`: nothing, a slash, or a slash and an uuid. */
static void route_tail(struct route *r, const char *rest)
{
    size_t len = strcspn(rest, "?");

    if (len <= 1) {
        r->kind = len == 0 ? ROUTE_NO_SLASH : *rest == '/' ? ROUTE_LIST : ROUTE_UNKNOWN;
        return;
    }
    if (*rest != '/' || r->dialect == DIALECT_LEGACY || len >= sizeof r->uuid)
        return;
    memcpy(r->uuid, rest + 1, len - 1);
    r->kind = r->uuid[len - 2] == '/' ? ROUTE_SINGLE : ROUTE_NO_SLASH;
    if (r->kind == ROUTE_SINGLE)
        r->uuid[len - 2] = '\0';
    if (strchr(r->uuid, '/'))
        r->kind = ROUTE_UNKNOWN;
}

static struct route route_of(const struct options *o, const char *uri)
{
    struct route r = {.kind = ROUTE_UNKNOWN};
    const char *account;
    size_t len;

    if (!starts(&uri, ACCOUNTS))
        return r;
    account = uri;
    len = strcspn(uri, "/?");
    uri += len;
    r.own_account = len == AUTH_ID_LEN && memcmp(account, o->auth_id, len) == 0;
    if (o->latest && starts(&uri, "/Zentrunk/Call")) {
        route_tail(&r, uri);
    } else if (o->legacy && starts(&uri, "/Call")) {
        r.dialect = DIALECT_LEGACY;
        route_tail(&r, uri);
    }
    return r;
}

static bool is_authorized(const struct call_in *c)
{
    const char *have = c->req->authorization, *want = c->sim->authorization;

    return c->route.own_account && have && strncasecmp(have, want, 6) == 0 &&
           strcmp(have + 6, want + 6) == 0;
}

/* The error shape most refusals have. Its key really is app_id. */
static void refuse(struct call_in *c, int status, const char *reason)
{
    struct text *t = &c->reply->body;

    text_release(t);
    c->reply->status = status;
    text_fmt(t, "{\"%s\": \"%s\", \"status\": \"error\", \"error\": ",
             status == 400 ? "app_id" : "api_id", c->api_id);
    text_json(t, reason, strlen(reason));
    text_str(t, "}");
}

static void redirect(struct call_in *c)
{
    size_t path = strcspn(c->req->uri, "?"), len;
    struct text to;
    char *location;

    text_init(&to, 65536);
    text_add(&to, c->req->uri, path);
    text_char(&to, '/');
    text_str(&to, c->req->uri + path);
    location = text_take(&to, &len);
    c->reply->status = 301;
    c->reply->type = "text/html; charset=utf-8";
    if (location)
        reply_header(c->reply, "Location", location);
    free(location);
}

static void put_link(struct call_in *c, bool has, int64_t limit, int64_t offset)
{
    struct text *t = &c->reply->body;
    enum next_form form = c->req->settings->next;

    if (form == NEXT_ALWAYS_TRUE)
        text_str(t, "true");
    else if (form == NEXT_GARBAGE)
        text_str(t, "\"http://127.0.0.1:1/elsewhere/?limit=-1&offset=none\"");
    else if (c->route.dialect == DIALECT_LEGACY)
        text_str(t, has ? "true" : "false");
    else if (!has)
        text_str(t, "null");
    else
        text_fmt(t, "\"v1/Account/%s/Zentrunk/Call/?limit=%lld&offset=%lld\"",
                 c->sim->options.auth_id, (long long)limit, (long long)offset);
}

static int64_t shown_total(const struct settings *s, int64_t total)
{
    int64_t shown = s->has_total_fixed ? s->total_fixed : total + s->total_delta;

    return shown < 0 ? 0 : shown;
}

static void put_meta(struct call_in *c, const struct query *q, int64_t total)
{
    struct text *t = &c->reply->body;
    int64_t before = q->offset > q->limit ? q->offset - q->limit : 0;

    text_fmt(t, "{\"api_id\": \"%s\", \"meta\": {\"limit\": %lld, \"offset\": %lld, ", c->api_id,
             (long long)q->limit, (long long)q->offset);
    text_fmt(t, "\"total_count\": %lld, \"previous\": ",
             (long long)shown_total(c->req->settings, total));
    put_link(c, q->offset > 0, q->limit, before);
    text_str(t, ", \"next\": ");
    put_link(c, q->offset + q->limit < total, q->limit, q->offset + q->limit);
    text_str(t, "}, \"objects\": [");
}

static void send_page(struct call_in *c, const struct query *q)
{
    const struct settings *s = c->req->settings;
    struct page page = {.lo = q->lo, .hi = q->hi, .count = q->limit, .asc = s->asc};
    struct outcome *o = &c->reply->outcome;
    struct text rows;

    page.first = s->repeat_pages && q->offset > 0 ? q->offset - 1 : q->offset;
    page.dialect = c->route.dialect;
    page.filter = &q->filter;
    text_init(&rows, REPLY_BODY_MAX);
    o->rows = store_page(&c->sim->store, &page, &rows, &o->total);
    o->offset = q->offset;
    o->limit = q->limit;
    if (o->rows < 0) {
        refuse(c, 500, "the simulator is out of memory");
    } else {
        put_meta(c, q, o->total);
        text_add(&c->reply->body, rows.data ? rows.data : "", rows.len);
        text_str(&c->reply->body, "]}");
    }
    text_release(&rows);
}

static void list(struct call_in *c)
{
    struct query_rules rules = {.dialect = c->route.dialect,
                                .settings = c->req->settings,
                                .now = vclock_now(&c->sim->clock),
                                .tz_min = c->sim->options.tz_offset_min};
    char reason[QUERY_REASON];
    struct query q;
    struct args args;

    if (args_parse(&args, c->req->uri) < 0)
        refuse(c, 400, "malformed query string");
    else if (query_parse(&q, &rules, &args, reason) < 0)
        refuse(c, 400, reason);
    else
        send_page(c, &q);
    args_release(&args);
}

static void single(struct call_in *c)
{
    const struct settings *s = c->req->settings;
    int64_t now = vclock_now(&c->sim->clock);
    struct text *t = &c->reply->body;
    struct text row;

    text_init(&row, REPLY_BODY_MAX);
    if (store_single(&c->sim->store, c->route.uuid, now - QUERY_RETENTION, now + 1, &row) < 0) {
        refuse(c, 404, "not found");
        text_release(&row);
        return;
    }
    c->reply->outcome.rows = 1;
    if (s->api_id_in_single)
        text_fmt(t, "{\"api_id\": \"%s\", ", c->api_id);
    if (s->wrap_object)
        text_fmt(t, "%s\"object\": ", s->api_id_in_single ? "" : "{");
    if (s->api_id_in_single && !s->wrap_object && row.len)
        text_add(t, row.data + 1, row.len - 1);
    else
        text_add(t, row.data ? row.data : "", row.len);
    if (s->wrap_object)
        text_str(t, "}");
    text_release(&row);
}

static void dispatch(struct call_in *c)
{
    if (c->route.kind == ROUTE_UNKNOWN) {
        refuse(c, 404, "not found");
    } else if (c->route.kind == ROUTE_NO_SLASH) {
        redirect(c);
    } else if (!c->reply->outcome.auth) {
        reply_error(c->reply, 401, "authentication credentials were not provided");
        reply_header(c->reply, "WWW-Authenticate", "Basic realm=\"api\"");
    } else if (strcmp(c->req->method, "GET") != 0) {
        refuse(c, 405, "method not allowed");
    } else if (!reqlog_admit(&c->sim->reqlog, c->req->settings->rate)) {
        refuse(c, 429, "rate limit exceeded");
    } else if (c->route.kind == ROUTE_LIST) {
        list(c);
    } else {
        single(c);
    }
}

void api_handle(struct sim *sim, const struct api_request *req, struct reply *reply)
{
    struct call_in c = {.sim = sim, .req = req, .reply = reply};
    uint64_t n = atomic_fetch_add(&sim->api_ids, 1);

    c.route = route_of(&sim->options, req->uri);
    uuid_format(rng_hash(n, 0, 0), rng_hash(n, 1, 0), c.api_id);
    reply->outcome.auth = is_authorized(&c);
    reply_header(reply, "X-Request-ID", c.api_id);
    dispatch(&c);
}
