// SPDX-License-Identifier: MIT
#ifndef SIM_CONFIG_H
#define SIM_CONFIG_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONFIG_REFUSED = 16, CONFIG_NAME = 32 };

enum next_form { NEXT_NORMAL, NEXT_ALWAYS_TRUE, NEXT_GARBAGE };

/* How the API behaves at the moment. Copied at the start of each request. */
struct settings {
    int64_t latency_ms;
    int64_t jitter_ms;
    int64_t rate; /* requests per 5 s, 0 = any number */
    bool asc;
    int64_t total_delta;
    bool has_total_fixed;
    int64_t total_fixed;
    enum next_form next;
    bool repeat_pages;
    bool wrap_object;
    bool api_id_in_single;
    char refused[CONFIG_REFUSED][CONFIG_NAME];
    size_t n_refused;
    int64_t date_skew_s;
    bool no_date;
};

struct config {
    pthread_mutex_t lock;
    struct settings now; /* lock */
};

/* Well-behaved settings with that latency (ms) and rate (requests per 5 s). Release once. */
void config_init(struct config *c, int64_t latency_ms, int64_t rate);
void config_release(struct config *c);

/* A copy of what holds now. Safe from any thread. */
struct settings config_get(struct config *c);

/* Applies the members of an object, all or none. On -EINVAL, *ret_bad is the member at fault
 * (borrowed from `object`). */
int config_update(struct config *c, const json_t *object, const char **ret_bad);

/* Whether the filter (`name`, or `name__op`) is to be refused. */
bool settings_refuse(const struct settings *s, const char *key);

#endif
