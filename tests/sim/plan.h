// SPDX-License-Identifier: MIT
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "options.h"
#include "store.h"

/* Fills the store with the calls the options ask for, as seen from virtual second `now`: --calls
 * over the last
 * --days with the rush of office hours, none of them in a day of --day-counts, and the exact number
 * in those. Deterministic. Returns 0, -ENOMEM, or -ERANGE when --day-counts leave --calls no day.
 */
int plan_fill(struct store *s, const struct options *o, int64_t now);

#endif
