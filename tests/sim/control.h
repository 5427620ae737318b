// SPDX-License-Identifier: MIT
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

#include <jansson.h>

#include "args.h"
#include "reply.h"
#include "sim.h"
#include "text.h"

/* A request to /control/. */
struct control_request {
    struct sim *sim;
    const struct args *args;
    const json_t *body; /* an object; empty when nothing was sent */
};

typedef void (*control_fn)(const struct control_request *req, struct reply *reply);

/* One endpoint. */
struct control_route {
    const char *method;
    const char *path; /* after /control/ */
    control_fn handle;
};

/* The endpoints that look at requests and shape answers, and those that change the data. *ret_n:
 * how many. */
const struct control_route *control_traffic(size_t *ret_n);
const struct control_route *control_data(size_t *ret_n);

/* Answers a request whose target starts with /control/. */
void control_handle(struct sim *sim, const char *method, const char *uri, const struct text *upload,
                    struct reply *reply);

/* Whether all members of the body are among the NULL-terminated names; else answers 400. */
bool control_only(const struct control_request *req, struct reply *reply, const char *const *names);

/* Reads a whole non-negative decimal number; -1 when it is none. */
int64_t control_number(const char *s);

#endif
