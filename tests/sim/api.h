// SPDX-License-Identifier: MIT
#ifndef SIM_API_H
#define SIM_API_H

#include "config.h"
#include "reply.h"
#include "sim.h"

/* A request of the API as it came in. */
struct api_request {
    const char *method;
    const char *uri;           /* path and query, as sent */
    const char *authorization; /* header value or NULL */
    const struct settings *settings;
};

/* Makes the answer the API gives. */
void api_handle(struct sim *sim, const struct api_request *req, struct reply *reply);

#endif
