// SPDX-License-Identifier: MIT
#ifndef SIM_REPLY_H
#define SIM_REPLY_H

#include <microhttpd.h>
#include <stdint.h>

#include "reqlog.h"
#include "text.h"

enum { REPLY_HEADERS = 16, REPLY_BODY_MAX = 512 << 20 };

/* How the answer leaves. */
enum reply_mode { REPLY_WHOLE, REPLY_TRUNCATE, REPLY_DRIP, REPLY_CLOSE, REPLY_RESET, REPLY_STREAM };

/* An answer being made. */
struct reply {
    int status;
    struct text body;
    const struct text *lent; /* the body instead, when not NULL; it outlives the answer */
    const char *type;        /* content type, constant text */
    struct {
        char *name;
        char *value;
    } headers[REPLY_HEADERS];
    int n_headers;
    enum reply_mode mode;
    struct outcome outcome;
    MHD_ContentReaderCallback read; /* REPLY_STREAM */
    void *read_state;
    MHD_ContentReaderFreeCallback read_free;
};

/* An empty 200 of JSON. */
void reply_init(struct reply *r);

/* Frees body, headers and an unused stream. */
void reply_release(struct reply *r);

/* Adds a header (both texts are copied); more than REPLY_HEADERS are dropped. */
void reply_header(struct reply *r, const char *name, const char *value);

/* Replaces the body by {"error": reason} and sets the status. */
void reply_error(struct reply *r, int status, const char *reason);

#endif
