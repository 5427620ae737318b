// SPDX-License-Identifier: MIT
#ifndef SIM_RESPOND_H
#define SIM_RESPOND_H

#include <microhttpd.h>
#include <stdbool.h>

#include "faults.h"
#include "gate.h"
#include "reply.h"
#include "sim.h"
#include "text.h"

/* A request from its first line to the end of its answer. One thread has it. */
struct request {
    struct sim *sim;
    struct MHD_Connection *conn;
    int sock;
    char *uri;
    struct text upload;
    bool is_api;
    bool begun;
    uint64_t seq;
    struct fault *fault;  /* held until the end, or NULL */
    struct waiter waiter; /* of stall and drip */
};

/* Turns the answer into what the request's fault wants; a stall blocks here. */
void respond_fault(struct request *r, struct reply *reply);

/* Queues the answer and releases it. MHD_NO drops the connection. */
enum MHD_Result respond(struct request *r, struct reply *reply);

#endif
