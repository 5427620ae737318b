// SPDX-License-Identifier: MIT
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum { FAULT_BODY_MAX = 128 << 20, FAULTS_MAX = 1024 };

enum fault_kind {
    FAULT_STATUS,
    FAULT_RESET,
    FAULT_TRUNCATE,
    FAULT_STALL,
    FAULT_DRIP,
    FAULT_BODY,
    FAULT_REDIRECT,
    FAULT_CLOSE,
};

/* One planned misbehaviour. Constant once made, except the two counters, which the list's lock
 * guards. */
struct fault {
    char *match; /* substring of the url; NULL: any */
    enum fault_kind kind;
    int status;
    json_t *headers; /* object of strings, or NULL */
    struct text body;
    bool has_body;
    char *location;
    int64_t skip;
    int64_t count; /* -1: for ever */
    int refs;      /* lock of the list */
    struct fault *next;
};

struct faults {
    pthread_mutex_t lock;
    struct fault *head; /* lock */
    int n;              /* lock */
};

/* An empty list; release it when no fault is taken any more. */
void faults_init(struct faults *f);
void faults_release(struct faults *f);

/* Appends the fault an object describes. Returns 0, -ENOMEM, -ENOSPC, or -EINVAL with *ret_reason a
 * constant text. */
int faults_add(struct faults *f, const json_t *object, const char **ret_reason);

/* The fault that applies to a request of `url`, used up by one, or NULL. To be put back with
 * faults_put(). */
struct fault *faults_take(struct faults *f, const char *url);

/* Ends the use of a fault; NULL is allowed. */
void faults_put(struct faults *f, struct fault *fault);

/* Forgets all faults. */
void faults_clear(struct faults *f);

/* The name of a kind as used on the wire. */
const char *fault_name(enum fault_kind kind);

#endif
