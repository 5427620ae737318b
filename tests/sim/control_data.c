// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "oracle.h"
#include "utc.h"

enum { CALLS_AT_ONCE = 1000000, LATE_MAX_S = 90 * 86400 };

#define PER_SECOND_MAX 100000.0

/* Reads an optional time member, whole seconds; `*ret` keeps its value when there is none. */
static bool optional_time(const json_t *body, const char *key, int64_t *ret)
{
    const json_t *value = json_object_get(body, key);
    int64_t us;

    if (!value)
        return true;
    if (!json_is_string(value) || utc_parse(json_string_value(value), &us) < 0)
        return false;
    *ret = us / UTC_SECOND_US;
    return true;
}

/* Reads an optional integer member within [min, max]. */
static bool optional_int(const json_t *body, const char *key, int64_t min, int64_t max,
                         int64_t *ret)
{
    const json_t *value = json_object_get(body, key);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return false;
    *ret = json_integer_value(value);
    return true;
}

static int add_call(struct sim *sim, int64_t end, const json_t *set, struct text *uuid)
{
    struct extra *x = NULL;
    int err;

    if (set) {
        x = extra_create();
        err = x ? extra_set_object(x, set) : -ENOMEM;
        if (err < 0) {
            extra_destroy(x);
            return err;
        }
    }
    return store_insert(&sim->store, end, x, uuid);
}

static void add_calls(const struct control_request *req, struct reply *reply)
{
    static const char *const names[] = {"n", "end_time", "step_s", "set", NULL};
    int64_t n = 1, step = 1, end = vclock_now(&req->sim->clock);
    const json_t *set = json_object_get(req->body, "set");
    int err = 0;

    if (!control_only(req, reply, names))
        return;
    if (!optional_int(req->body, "n", 0, CALLS_AT_ONCE, &n) ||
        !optional_int(req->body, "step_s", -UTC_DAY, UTC_DAY, &step) ||
        !optional_time(req->body, "end_time", &end) || (set && !json_is_object(set))) {
        reply_error(reply, 400, "n, step_s: integers; end_time: a UTC time; set: an object");
        return;
    }
    text_str(&reply->body, "{\"uuids\": [");
    for (int64_t i = 0; i < n && err == 0; i++) {
        if (i)
            text_str(&reply->body, ", ");
        err = add_call(req->sim, end + i * step, set, &reply->body);
    }
    text_str(&reply->body, "]}");
    if (err < 0)
        reply_error(reply, 400, strerror(-err));
}

static void add_raw(const struct control_request *req, struct reply *reply)
{
    static const char *const names[] = {"end_time", "json", NULL};
    const json_t *raw = json_object_get(req->body, "json");
    int64_t end = vclock_now(&req->sim->clock);
    struct extra *x;
    int err;

    if (!control_only(req, reply, names))
        return;
    if (!json_is_string(raw) || !optional_time(req->body, "end_time", &end)) {
        reply_error(reply, 400, "json: a string; end_time: a UTC time");
        return;
    }
    x = extra_create();
    err = x ? extra_set_raw(x, json_string_value(raw), json_string_length(raw)) : -ENOMEM;
    text_str(&reply->body, "{\"uuids\": [");
    if (err < 0)
        extra_destroy(x);
    else
        err = store_insert(&req->sim->store, end, x, &reply->body);
    text_str(&reply->body, "]}");
    if (err < 0)
        reply_error(reply, 400, strerror(-err));
}

static void amend(const struct control_request *req, struct reply *reply)
{
    static const char *const names[] = {"call_uuid", "set", NULL};
    const char *uuid = json_string_value(json_object_get(req->body, "call_uuid"));
    const json_t *set = json_object_get(req->body, "set");
    int err;

    if (!control_only(req, reply, names))
        return;
    if (!uuid || !json_is_object(set)) {
        reply_error(reply, 400, "call_uuid: a string; set: an object");
        return;
    }
    err = store_amend(&req->sim->store, uuid, set);
    if (err == -ENOENT)
        reply_error(reply, 404, "no such call");
    else if (err < 0)
        reply_error(reply, 400, "set: members are strings of JSON text, or null");
}

static void delete (const struct control_request *req, struct reply *reply)
{
    static const char *const names[] = {"call_uuid", NULL};
    const char *uuid = json_string_value(json_object_get(req->body, "call_uuid"));

    if (!control_only(req, reply, names))
        return;
    if (!uuid)
        reply_error(reply, 400, "call_uuid: a string");
    else if (store_delete(&req->sim->store, uuid) < 0)
        reply_error(reply, 404, "no such call");
}

static void arrivals(const struct control_request *req, struct reply *reply)
{
    static const char *const names[] = {"per_second", "late_max_s", NULL};
    const json_t *rate = json_object_get(req->body, "per_second");
    double per_second = json_number_value(rate);
    int64_t late = 0;

    if (!control_only(req, reply, names))
        return;
    if (!json_is_number(rate) || per_second < 0 || per_second > PER_SECOND_MAX ||
        !optional_int(req->body, "late_max_s", 0, LATE_MAX_S, &late)) {
        reply_error(reply, 400, "per_second: 0 to 100000; late_max_s: seconds");
        return;
    }
    arrivals_set(&req->sim->arrivals, per_second, late);
}

static void move_clock(const struct control_request *req, struct reply *reply)
{
    static const char *const names[] = {"now", "advance_s", NULL};
    const json_t *now = json_object_get(req->body, "now");
    const json_t *advance = json_object_get(req->body, "advance_s");
    char shown[UTC_SIZE];
    int64_t us;

    if (!control_only(req, reply, names))
        return;
    if (!now == !advance || (advance && !json_is_number(advance)) ||
        (now && (!json_is_string(now) || utc_parse(json_string_value(now), &us) < 0))) {
        reply_error(reply, 400, "either now, a UTC time, or advance_s, a number");
        return;
    }
    if (now)
        vclock_set(&req->sim->clock, us);
    else
        vclock_advance(&req->sim->clock, (int64_t)(json_number_value(advance) * 1e6));
    utc_format(vclock_now(&req->sim->clock), shown);
    text_fmt(&reply->body, "{\"now\": \"%s\"}", shown);
}

static const struct control_route routes[] = {
    {"POST", "calls", add_calls},     {"POST", "raw", add_raw},       {"POST", "amend", amend},
    {"POST", "delete", delete},       {"POST", "arrivals", arrivals}, {"POST", "clock", move_clock},
    {"GET", "oracle", oracle_answer},
};

const struct control_route *control_data(size_t *ret_n)
{
    *ret_n = sizeof routes / sizeof routes[0];
    return routes;
}
