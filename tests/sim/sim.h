// SPDX-License-Identifier: MIT
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdatomic.h>

#include "arrivals.h"
#include "config.h"
#include "faults.h"
#include "gate.h"
#include "mounts.h"
#include "options.h"
#include "reqlog.h"
#include "store.h"
#include "vclock.h"

/* The whole simulator; each part has its own lock. */
struct sim {
    struct options options;
    struct vclock clock;
    struct store store;
    struct config config;
    struct faults faults;
    struct reqlog reqlog;
    struct gate gate;
    struct arrivals arrivals;
    struct mounts mounts;
    char *authorization; /* the header value of good credentials, constant after init */
    atomic_uint_fast64_t api_ids;
    int wake; /* eventfd of the main loop */
};

/* Builds everything from sim->options, which the caller has filled. Returns 0 or -errno; release in
 * any case. */
int sim_init(struct sim *sim);

/* Ends the arrivals and frees everything, after the server has stopped. */
void sim_release(struct sim *sim);

#endif
