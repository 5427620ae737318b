// SPDX-License-Identifier: MIT
#include "respond.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DRIP_US INT64_C(1000000)

/* A body that leaves in an unusual way. */
struct slow_body {
    struct request *request;
    char *data;
    size_t len;
    bool drip; /* else cut off half way */
};

static ssize_t read_slow(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct slow_body *b = cls;
    size_t end = b->drip ? b->len : b->len / 2, n = end - (size_t)pos;
    enum gate_event event = GATE_OPENED;

    if (pos >= end)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (b->drip && pos > 0)
        event = gate_wait(&b->request->waiter, b->request->sock, DRIP_US);
    if (event == GATE_LEFT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (b->drip && (pos == 0 || event == GATE_TIME))
        n = 1;
    n = n > max ? max : n;
    memcpy(buf, b->data + pos, n);
    return (ssize_t)n;
}

static void free_slow(void *cls)
{
    struct slow_body *b = cls;

    free(b->data);
    free(b);
}

static struct MHD_Response *slow_response(struct request *r, struct reply *reply)
{
    struct slow_body *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->request = r;
    b->drip = reply->mode == REPLY_DRIP;
    if (reply->lent)
        text_add(&reply->body, reply->lent->data, reply->lent->len);
    b->data = text_take(&reply->body, &b->len);
    return MHD_create_response_from_callback(b->len, 16384, read_slow, b, free_slow);
}

static struct MHD_Response *whole_response(struct reply *reply)
{
    size_t len;
    char *data;

    if (reply->lent)
        return MHD_create_response_from_buffer(reply->lent->len, reply->lent->data,
                                               MHD_RESPMEM_PERSISTENT);
    data = text_take(&reply->body, &len);
    if (!data)
        return MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
}

static struct MHD_Response *stream_response(struct reply *reply)
{
    MHD_ContentReaderFreeCallback done = reply->read_free;

    reply->read_free = NULL;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, reply->read,
                                             reply->read_state, done);
}

static struct MHD_Response *response_of(struct request *r, struct reply *reply)
{
    if (reply->mode == REPLY_STREAM)
        return stream_response(reply);
    if (reply->mode == REPLY_WHOLE)
        return whole_response(reply);
    return slow_response(r, reply);
}

/* Dissolving the association makes the kernel send RST at once, before libmicrohttpd can send a
 * FIN. */
static void reset(int sock)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    setsockopt(sock, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)connect(sock, &none, sizeof none);
}

enum MHD_Result respond(struct request *r, struct reply *reply)
{
    struct MHD_Response *response = NULL;
    enum MHD_Result queued = MHD_NO;

    if (reply->mode == REPLY_RESET)
        reset(r->sock);
    else if (reply->mode != REPLY_CLOSE && !reply->body.err)
        response = response_of(r, reply);
    if (response) {
        MHD_add_response_header(response, "Content-Type", reply->type);
        for (int i = 0; i < reply->n_headers; i++)
            MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
        queued = MHD_queue_response(r->conn, (unsigned)reply->status, response);
        MHD_destroy_response(response);
    }
    reply_release(reply);
    return queued;
}

static void replace_body(const struct fault *f, struct reply *reply)
{
    text_release(&reply->body);
    reply->lent = f->body.data ? &f->body : NULL;
}

static void forget_rows(struct reply *reply)
{
    struct outcome *o = &reply->outcome;

    o->rows = o->total = o->offset = o->limit = REQLOG_NONE;
}

static void add_headers(const struct fault *f, struct reply *reply)
{
    const char *key;
    json_t *value;

    json_object_foreach(f->headers, key, value)
    {
        reply_header(reply, key, json_string_value(value));
    }
}

/* The part of a fault that changes what is said. */
static void change_content(const struct fault *f, struct reply *reply)
{
    if (f->kind == FAULT_STATUS || f->kind == FAULT_REDIRECT)
        reply_error(reply, f->kind == FAULT_REDIRECT ? 302 : f->status, "simulated fault");
    if (f->kind == FAULT_BODY)
        reply->status = 200;
    if (f->has_body || f->kind == FAULT_BODY)
        replace_body(f, reply);
    if (f->has_body || f->kind == FAULT_STATUS || f->kind == FAULT_BODY ||
        f->kind == FAULT_REDIRECT)
        forget_rows(reply);
    if (f->status)
        reply->status = f->status;
    if (f->kind == FAULT_REDIRECT)
        reply_header(reply, "Location", f->location);
    add_headers(f, reply);
}

/* The part that changes how it is said. */
static void change_manner(struct request *r, const struct fault *f, struct reply *reply)
{
    if (f->kind == FAULT_RESET || f->kind == FAULT_CLOSE) {
        reply->mode = f->kind == FAULT_RESET ? REPLY_RESET : REPLY_CLOSE;
        reply->status = 0;
        forget_rows(reply);
    } else if (f->kind == FAULT_TRUNCATE) {
        reply->mode = REPLY_TRUNCATE;
    } else if (f->kind == FAULT_DRIP && r->waiter.fd >= 0) {
        reply->mode = REPLY_DRIP;
    } else if (f->kind == FAULT_STALL && r->waiter.fd >= 0) {
        if (gate_wait(&r->waiter, r->sock, -1) == GATE_LEFT)
            reply->mode = REPLY_CLOSE;
    }
}

void respond_fault(struct request *r, struct reply *reply)
{
    if (r->fault) {
        change_content(r->fault, reply);
        change_manner(r, r->fault, reply);
        reply->outcome.fault = fault_name(r->fault->kind);
    }
    reply->outcome.status = reply->status;
}
