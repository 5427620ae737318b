// SPDX-License-Identifier: MIT
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plan.h"

/* The `Basic` header value for id:token, malloc'd. */
static char *basic(const char *id, const char *token)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct text plain, out;
    size_t len;

    text_init(&plain, 4096);
    text_init(&out, 8192);
    text_fmt(&plain, "%s:%s", id, token);
    text_str(&out, "Basic ");
    for (size_t i = 0; i < plain.len; i += 3) {
        size_t have = plain.len - i < 3 ? plain.len - i : 3;
        unsigned bits = 0;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < have ? (unsigned char)plain.data[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            text_char(&out, k <= have ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
    text_release(&plain);
    return text_take(&out, &len);
}

int sim_init(struct sim *sim)
{
    const struct options *o = &sim->options;
    int64_t now_us = o->now_us == INT64_MIN ? real_now_us() : o->now_us;
    int err;

    vclock_init(&sim->clock, now_us, o->frozen);
    store_init(&sim->store, o->seed);
    config_init(&sim->config, o->latency_ms, o->rate);
    faults_init(&sim->faults);
    reqlog_init(&sim->reqlog);
    gate_init(&sim->gate);
    atomic_init(&sim->api_ids, (uint_fast64_t)real_now_us());
    sim->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sim->authorization = basic(o->auth_id, o->auth_token);
    err = mounts_init(&sim->mounts);
    if (err == 0)
        err = plan_fill(&sim->store, o, vclock_now(&sim->clock));
    if (err == 0)
        err = arrivals_start(&sim->arrivals, &sim->store, &sim->clock);
    return err || !sim->authorization || sim->wake < 0 ? (err ? err : -ENOMEM) : 0;
}

void sim_release(struct sim *sim)
{
    arrivals_stop(&sim->arrivals);
    mounts_release(&sim->mounts);
    gate_release(&sim->gate);
    reqlog_release(&sim->reqlog);
    faults_release(&sim->faults);
    config_release(&sim->config);
    store_release(&sim->store);
    vclock_release(&sim->clock);
    free(sim->authorization);
    if (sim->wake >= 0)
        close(sim->wake);
}
