// SPDX-License-Identifier: MIT
/*
 * The Plivo client: a source over HTTP, in either dialect.
 */
#ifndef CDRFS_API_PLIVO_H
#define CDRFS_API_PLIVO_H

#include "api/dialect.h"
#include "api/source.h"

struct plivo_opts {
    const struct dialect *dialect;
    const char *api_url;            /* no slash at the end; NULL: the dialect's own */
    int (*console_east)(int64_t t); /* as in dialect_to_console(); NULL: the console shows UTC */
    struct http_opts http;
};

/* Starts its thread. The strings of o are copied. -ENOMEM, -EAGAIN. */
int plivo_create(const struct plivo_opts *o, struct source **ret) MUST_CHECK;

/* How its requests fare. Any thread. */
void plivo_stats(struct source *s, struct http_stats *ret);

/* The request for the first page of q as narrowest() made it, with both ends of its end time set;
 * or for one call, where there is such a request (else nothing is added). Any thread. */
void plivo_list_url(struct source *s, const struct query *q, struct buf *out);
void plivo_call_url(struct source *s, const char *uuid, struct buf *out);

#endif
