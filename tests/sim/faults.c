// SPDX-License-Identifier: MIT
#include "faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [FAULT_STATUS] = "status",     [FAULT_RESET] = "reset", [FAULT_TRUNCATE] = "truncate",
    [FAULT_STALL] = "stall",       [FAULT_DRIP] = "drip",   [FAULT_BODY] = "body",
    [FAULT_REDIRECT] = "redirect", [FAULT_CLOSE] = "close",
};

const char *fault_name(enum fault_kind kind)
{
    return names[kind];
}

void faults_init(struct faults *f)
{
    *f = (struct faults){0};
    pthread_mutex_init(&f->lock, NULL);
}

void faults_release(struct faults *f)
{
    faults_clear(f);
    pthread_mutex_destroy(&f->lock);
}

static void destroy(struct fault *fault)
{
    free(fault->match);
    free(fault->location);
    text_release(&fault->body);
    json_decref(fault->headers);
    free(fault);
}

static void unref_locked(struct fault *fault)
{
    if (--fault->refs == 0)
        destroy(fault);
}

static const char *read_kind(struct fault *fault, const json_t *value)
{
    const char *name = json_string_value(value);

    for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        fault->kind = (enum fault_kind)i;
        return NULL;
    }
    return "kind: status, reset, truncate, stall, drip, body, redirect or close";
}

static const char *read_headers(struct fault *fault, const json_t *value)
{
    const char *key;
    json_t *text;

    if (!json_is_object(value))
        return "headers: an object of strings";
    json_object_foreach((json_t *)value, key, text)
    {
        if (!json_is_string(text))
            return "headers: an object of strings";
    }
    fault->headers = json_deep_copy(value);
    return fault->headers ? NULL : "out of memory";
}

static const char *read_body(struct fault *fault, const json_t *value)
{
    if (!json_is_string(value))
        return "body: a string";
    text_add(&fault->body, json_string_value(value), json_string_length(value));
    fault->has_body = true;
    return fault->body.err ? "body: too long" : NULL;
}

static const char *read_body_repeat(struct fault *fault, const json_t *value)
{
    const json_t *text = json_object_get(value, "text"), *times = json_object_get(value, "times");

    if (!json_is_string(text) || !json_is_integer(times) || json_integer_value(times) < 0)
        return "body_repeat: {text, times}";
    for (json_int_t i = json_integer_value(times); i > 0 && !fault->body.err; i--)
        text_add(&fault->body, json_string_value(text), json_string_length(text));
    fault->has_body = true;
    return fault->body.err ? "body_repeat: too long" : NULL;
}

static const char *read_string(char **out, const json_t *value)
{
    if (!json_is_string(value))
        return "match, location: a string";
    free(*out);
    *out = strdup(json_string_value(value));
    return *out ? NULL : "out of memory";
}

static const char *read_number(struct fault *fault, const char *key, const json_t *value)
{
    json_int_t n = json_integer_value(value);

    if (!json_is_integer(value))
        return "status, skip, count: an integer";
    if (strcmp(key, "skip") == 0) {
        fault->skip = n;
        return n >= 0 ? NULL : "skip: not negative";
    }
    if (strcmp(key, "count") == 0) {
        fault->count = n;
        return n >= -1 ? NULL : "count: -1 or more";
    }
    fault->status = (int)n;
    return n >= 200 && n <= 599 ? NULL : "status: 200 to 599";
}

static const char *read_member(struct fault *fault, const char *key, const json_t *value)
{
    if (strcmp(key, "kind") == 0)
        return read_kind(fault, value);
    if (strcmp(key, "headers") == 0)
        return read_headers(fault, value);
    if (strcmp(key, "body") == 0)
        return read_body(fault, value);
    if (strcmp(key, "body_repeat") == 0)
        return read_body_repeat(fault, value);
    if (strcmp(key, "match") == 0)
        return read_string(&fault->match, value);
    if (strcmp(key, "location") == 0)
        return read_string(&fault->location, value);
    if (strcmp(key, "skip") == 0 || strcmp(key, "count") == 0 || strcmp(key, "status") == 0)
        return read_number(fault, key, value);
    return "unknown member of a fault";
}

static const char *read_fault(struct fault *fault, const json_t *object)
{
    const char *key, *reason = NULL;
    json_t *value;

    if (!json_object_get(object, "kind"))
        return "kind: missing";
    json_object_foreach((json_t *)object, key, value)
    {
        reason = read_member(fault, key, value);
        if (reason)
            return reason;
    }
    if (fault->kind == FAULT_STATUS && !fault->status)
        return "status: missing";
    if (fault->kind == FAULT_REDIRECT && !fault->location)
        return "location: missing";
    return NULL;
}

static int append(struct faults *f, struct fault *fault)
{
    struct fault **at = &f->head;
    int err = 0;

    pthread_mutex_lock(&f->lock);
    while (*at)
        at = &(*at)->next;
    if (f->n < FAULTS_MAX) {
        *at = fault;
        f->n++;
    } else {
        err = -ENOSPC;
    }
    pthread_mutex_unlock(&f->lock);
    return err;
}

int faults_add(struct faults *f, const json_t *object, const char **ret_reason)
{
    struct fault *fault = calloc(1, sizeof *fault);
    int err;

    if (!fault)
        return -ENOMEM;
    text_init(&fault->body, FAULT_BODY_MAX);
    fault->count = 1;
    fault->refs = 1;
    *ret_reason = read_fault(fault, object);
    err = *ret_reason ? -EINVAL : append(f, fault);
    if (err < 0)
        destroy(fault);
    return err;
}

static void unlink_locked(struct faults *f, struct fault **at)
{
    struct fault *fault = *at;

    *at = fault->next;
    fault->next = NULL;
    f->n--;
    unref_locked(fault);
}

/* Whether the fault wants this request; a request it skips is left to the faults after it. */
static bool wants_locked(struct fault *fault, const char *url)
{
    if (fault->match && !strstr(url, fault->match))
        return false;
    if (fault->skip > 0) {
        fault->skip--;
        return false;
    }
    return fault->count != 0;
}

struct fault *faults_take(struct faults *f, const char *url)
{
    struct fault *found = NULL;

    pthread_mutex_lock(&f->lock);
    for (struct fault **at = &f->head; *at && !found; at = &(*at)->next) {
        if (!wants_locked(*at, url))
            continue;
        found = *at;
        found->refs++;
        if (found->count > 0 && --found->count == 0)
            unlink_locked(f, at);
        break;
    }
    pthread_mutex_unlock(&f->lock);
    return found;
}

void faults_put(struct faults *f, struct fault *fault)
{
    if (!fault)
        return;
    pthread_mutex_lock(&f->lock);
    unref_locked(fault);
    pthread_mutex_unlock(&f->lock);
}

void faults_clear(struct faults *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->head)
        unlink_locked(f, &f->head);
    pthread_mutex_unlock(&f->lock);
}
