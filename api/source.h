// SPDX-License-Identifier: MIT
/*
 * The seam between the cache and where calls come from. In life the source is the Plivo client
 * (plivo.h); in unit tests it is a fake.
 *
 * fetch_page() and fetch_call() may be called from any thread and never wait. Each ends in exactly
 * one call of its function, on a thread of the source, with a page (then owned by the callee) or a
 * failure. -EAGAIN: the source has learned that it can be asked less than it thought; narrowest()
 * says what, and the question may be put again (the detail is empty when that was said before).
 * After destroy() returns, none is called any more; those still out have been called with
 * -ECANCELED.
 */
#ifndef CDRFS_API_SOURCE_H
#define CDRFS_API_SOURCE_H

#include "api/http.h"
#include "api/page.h"

struct source;

/* page is NULL exactly when failure->err is not 0; failure->date is set either way. */
typedef void source_fn(void *arg, const struct failure *failure, struct page *page);

struct source_ops {
    /* The narrowest question this source can be asked that holds all of q. */
    struct query (*narrowest)(struct source *s, const struct query *q);
    /* Rows [offset, offset + API_PAGE_LIMIT) of a query made by narrowest(); u as in http.h. */
    void (*fetch_page)(struct source *s, const struct query *q, int64_t offset,
                       const struct urgency *u, source_fn *done, void *arg);
    /* One call by its uuid, or NULL where there is no such request. A call that does not exist is
     * -ENOENT. */
    void (*fetch_call)(struct source *s, const char *uuid, source_fn *done, void *arg);
    /* From now on may(arg, now_ms) is asked before each request goes out, retries included, on the
     * network thread: 0, and it may, or the milliseconds after which to ask again. NULL: no more;
     * when this returns it is not being asked. A source without a rate of its own has NULL here. */
    void (*share_rate)(struct source *s, int64_t (*may)(void *arg, int64_t now_ms), void *arg);
    void (*destroy)(struct source *s);
};

struct source {
    const struct source_ops *ops;
};

#endif
