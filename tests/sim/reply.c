// SPDX-License-Identifier: MIT
#include "reply.h"

#include <stdlib.h>
#include <string.h>

void reply_init(struct reply *r)
{
    *r = (struct reply){.status = 200, .type = "application/json"};
    r->outcome.rows = r->outcome.total = r->outcome.offset = r->outcome.limit = REQLOG_NONE;
    text_init(&r->body, REPLY_BODY_MAX);
}

void reply_release(struct reply *r)
{
    for (int i = 0; i < r->n_headers; i++) {
        free(r->headers[i].name);
        free(r->headers[i].value);
    }
    r->n_headers = 0;
    text_release(&r->body);
    if (r->read_free)
        r->read_free(r->read_state);
    r->read_free = NULL;
}

void reply_header(struct reply *r, const char *name, const char *value)
{
    if (r->n_headers == REPLY_HEADERS)
        return;
    r->headers[r->n_headers].name = strdup(name);
    r->headers[r->n_headers++].value = strdup(value);
}

void reply_error(struct reply *r, int status, const char *reason)
{
    text_release(&r->body);
    r->status = status;
    text_str(&r->body, "{\"error\": ");
    text_json(&r->body, reason, strlen(reason));
    text_str(&r->body, "}");
}
