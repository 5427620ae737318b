// SPDX-License-Identifier: MIT
/*
 * One answer of the API, decoded: a page of the list, or one call (API.md sections 3 and 4).
 *
 * Each record is judged and read by jansson on its own, so that one bad record never spoils its
 * page; its bytes come from the response text, re-indented, so that every literal survives. Pure
 * functions but for memory; the caller owns the page.
 */
#ifndef CDRFS_API_PAGE_H
#define CDRFS_API_PAGE_H

#include "api/failure.h"
#include "api/query.h"

#define BODY_MAX_BYTES (4u << 20)
#define PAGE_ROWS_MAX                                                                              \
    1000 /* a host that ignores the limit may send more than 20, but not any number */
#define TOTAL_MAX 5000000 /* calls of one window */

/* A row that cannot be a file: why, and where it stood. */
struct bad_row {
    int index;
    char reason[96];
};

struct page {
    int64_t total; /* total_count; of a single call: 1 */
    int rows;      /* elements of `objects`, bad ones included */
    int ncalls;    /* of them good */
    struct call *calls;
    int nbad;
    struct bad_row *bad;
    struct buf text; /* holds the bodies of the calls */
};

/*
 * Decodes the body of a list answer. On failure sets f (-EBADMSG: the body is not what the API
 * promises; -ENOMEM) and returns f->err.
 */
int page_decode(const char *body, size_t n, struct page **ret, struct failure *f) MUST_CHECK;

/* Decodes the answer for one call, flat or wrapped in `object` (trap 32); api_id is dropped. */
int page_decode_call(const char *body, size_t n, struct page **ret, struct failure *f) MUST_CHECK;

/* Accepts NULL. */
void page_free(struct page *p);

/*
 * The message of an error body, whatever its shape (trap 34), and its api_id; both empty when there
 * is none. For logs only.
 */
void page_error_text(const char *body, size_t n, char *message, size_t cap, char *api_id,
                     size_t id_cap);

#endif
