// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "control.h"

enum { WAIT_DEFAULT_MS = 10000, WAIT_MAX_MS = 600000 };

static void get_log(const struct control_request *req, struct reply *reply)
{
    reply->type = "application/x-ndjson";
    reqlog_dump(&req->sim->reqlog, &reply->body);
}

static void clear_log(const struct control_request *req, struct reply *reply)
{
    (void)reply;
    reqlog_clear(&req->sim->reqlog);
}

static void get_stats(const struct control_request *req, struct reply *reply)
{
    reqlog_stats(&req->sim->reqlog, &reply->body);
}

/* Reads an optional number of the query; false when it is there and bad. */
static bool optional(const struct args *args, const char *key, int64_t *value)
{
    const char *s = args_get(args, key);

    if (s)
        *value = control_number(s);
    return !s || *value >= 0;
}

static void wait_for(const struct control_request *req, struct reply *reply)
{
    struct condition c = {REQLOG_NONE, REQLOG_NONE, REQLOG_NONE};
    int64_t timeout_ms = WAIT_DEFAULT_MS;

    if (!optional(req->args, "requests", &c.requests) ||
        !optional(req->args, "in_flight", &c.in_flight) || !optional(req->args, "idle", &c.idle) ||
        !optional(req->args, "timeout_ms", &timeout_ms) || timeout_ms > WAIT_MAX_MS) {
        reply_error(reply, 400, "requests, in_flight, idle, timeout_ms: not negative");
        return;
    }
    if (reqlog_wait(&req->sim->reqlog, &c, timeout_ms) < 0)
        reply->status = 408;
    reqlog_stats(&req->sim->reqlog, &reply->body);
}

static void set_config(const struct control_request *req, struct reply *reply)
{
    const char *bad = "";
    char reason[128];

    if (config_update(&req->sim->config, req->body, &bad) == 0)
        return;
    snprintf(reason, sizeof reason, "%.60s: unknown, or a value it cannot have", bad);
    reply_error(reply, 400, reason);
}

static void add_fault(const struct control_request *req, struct reply *reply)
{
    const char *reason = "too many faults";

    if (faults_add(&req->sim->faults, req->body, &reason) < 0)
        reply_error(reply, 400, reason ? reason : "too many faults");
}

static void clear_faults(const struct control_request *req, struct reply *reply)
{
    (void)reply;
    faults_clear(&req->sim->faults);
}

static void release(const struct control_request *req, struct reply *reply)
{
    text_fmt(&reply->body, "{\"released\": %d}", gate_open(&req->sim->gate));
}

static void exit_after_unmount(const struct control_request *req, struct reply *reply)
{
    static const char *const names[] = {"path", NULL};
    const char *path = json_string_value(json_object_get(req->body, "path"));

    if (!control_only(req, reply, names))
        return;
    if (!path || *path != '/') {
        reply_error(reply, 400, "path: an absolute path");
        return;
    }
    if (mounts_watch(&req->sim->mounts, path) < 0)
        reply_error(reply, 409, "not a mount point");
    else
        eventfd_write(req->sim->wake, 1);
}

static const struct control_route routes[] = {
    {"GET", "log", get_log},
    {"POST", "log/clear", clear_log},
    {"GET", "stats", get_stats},
    {"GET", "wait", wait_for},
    {"POST", "config", set_config},
    {"POST", "faults", add_fault},
    {"POST", "faults/clear", clear_faults},
    {"POST", "release", release},
    {"POST", "exit-after-unmount", exit_after_unmount},
};

const struct control_route *control_traffic(size_t *ret_n)
{
    *ret_n = sizeof routes / sizeof routes[0];
    return routes;
}
