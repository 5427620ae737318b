// SPDX-License-Identifier: MIT
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIX_LEN = sizeof "/control/" - 1 };

int64_t control_number(const char *s)
{
    if (!s || !*s || s[strspn(s, "0123456789")] || strlen(s) > 18)
        return -1;
    return strtoll(s, NULL, 10);
}

bool control_only(const struct control_request *req, struct reply *reply, const char *const *names)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)req->body, key, value)
    {
        int i = 0;

        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (names[i])
            continue;
        reply_error(reply, 400, "unknown member in the body");
        return false;
    }
    return true;
}

/* The endpoint, or NULL with *ret_status 404 or 405. */
static control_fn find(const char *method, const char *path, size_t len, int *ret_status)
{
    *ret_status = 404;
    for (int part = 0; part < 2; part++) {
        size_t n;
        const struct control_route *routes = part ? control_data(&n) : control_traffic(&n);

        for (size_t i = 0; i < n; i++) {
            if (strlen(routes[i].path) != len || strncmp(routes[i].path, path, len) != 0)
                continue;
            *ret_status = 405;
            if (strcmp(routes[i].method, method) == 0)
                return routes[i].handle;
        }
    }
    return NULL;
}

static json_t *read_body(const struct text *upload, json_error_t *error)
{
    if (!upload->len)
        return json_object();
    return json_loadb(upload->data, upload->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, error);
}

void control_handle(struct sim *sim, const char *method, const char *uri, const struct text *upload,
                    struct reply *reply)
{
    const char *path = uri + PREFIX_LEN;
    json_error_t error = {.text = ""};
    struct args args;
    int bad = args_parse(&args, uri), status;
    control_fn handle = find(method, path, strcspn(path, "?"), &status);
    json_t *body = read_body(upload, &error);
    struct control_request req = {.sim = sim, .args = &args, .body = body};

    if (!handle)
        reply_error(reply, status, "no such control endpoint or method");
    else if (bad < 0)
        reply_error(reply, 400, "malformed query string");
    else if (upload->err)
        reply_error(reply, 400, "body too long");
    else if (!json_is_object(body))
        reply_error(reply, 400, *error.text ? error.text : "the body must be a JSON object");
    else
        handle(&req, reply);
    if (strcmp(reply->type, "application/json") == 0 && !reply->body.len)
        text_str(&reply->body, "{}");
    json_decref(body);
    args_release(&args);
}
