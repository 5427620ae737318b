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

struct http_stats plivo_stats(struct source *s);

#endif
