// SPDX-License-Identifier: MIT
/*
 * The two hosts that serve these records, and how a query becomes a URL on each (API.md sections 1
 * to 3). Pure functions.
 */
#ifndef CDRFS_API_DIALECT_H
#define CDRFS_API_DIALECT_H

#include "api/query.h"

#define API_PAGE_LIMIT 20 /* API.md trap 8 */
#define API_DAYS 90       /* retention, API.md trap 10 */
#define URL_MAX_BYTES 2048

enum dialect_id { DIALECT_LATEST, DIALECT_LEGACY, DIALECTS };

struct dialect {
    enum dialect_id id;
    const char *name;        /* value of the option dialect= */
    const char *default_url; /* up to and including the version, no slash at the end */
    const char *list_path;   /* below {api_url}/Account/{auth_id}/, with its slash */
    bool one_call;           /* GET of one call by its uuid */
};

/* NULL for a name that is no dialect. */
const struct dialect *dialect_by_name(const char *name);

/*
 * The narrowest query that this host can be asked and that holds all of q: axes it does not filter
 * by, and those whose bit (1 << index into `axes`) is set in refused, are dropped.
 */
struct query dialect_narrowest(const struct dialect *d, unsigned refused, const struct query *q);

/*
 * The URL of one page. q comes from dialect_narrowest, with both ends of its end time set: a
 * missing end would mean 30 days, or a refusal (traps 9, 12). Bounds are sent as gte and lt (trap
 * 18).
 */
void dialect_list_url(struct buf *out, const struct dialect *d, const char *api_url,
                      const char *auth_id, const struct query *q, int64_t offset, int limit);

/*
 * The legacy host takes initiation_time in the console's zone (API.md trap 16). Moves that interval
 * of q there; east(t) is the seconds the zone is east of Greenwich at t. Near a change of the
 * zone's offset, where local times are ambiguous, the interval is widened, so that no call is lost.
 */
void dialect_to_console(struct query *q, int (*east)(int64_t t));

/* The URL of one call; only where d->one_call. */
void dialect_call_url(struct buf *out, const struct dialect *d, const char *api_url,
                      const char *auth_id, const char *uuid);

#endif
