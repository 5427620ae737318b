// SPDX-License-Identifier: MIT
/*
 * The vocabulary of questions: axes, queries and calls.
 *
 * A query is a conjunction over axes. An axis is either a range of whole numbers (times in UTC
 * seconds, durations in seconds, codes, and choices numbered from 1) or a text (numbers, matched
 * by prefix; the trunk id, matched whole). The time a call ended is an axis like the others.
 *
 * One table, `axes`, drives the path grammar (fs/path.c), the URL (api/dialect.c), the SQL
 * (cache/store_read.c) and the manual. All functions are pure.
 */
#ifndef CDRFS_API_QUERY_H
#define CDRFS_API_QUERY_H

#include "api/util.h"

/* Range axes; the order is that of the table and of struct query.num. */
enum {
    AXIS_END_TIME,
    AXIS_INITIATION_TIME,
    AXIS_BILL_DURATION,
    AXIS_DIRECTION,
    AXIS_HANGUP_CAUSE,
    AXIS_HANGUP_SOURCE,
    AXIS_STIR,
    NUM_AXES
};

/* Text axes, behind the range axes in the table. */
enum { AXIS_FROM, AXIS_TO, AXIS_TRUNK, TEXT_AXES };

#define AXES (NUM_AXES + TEXT_AXES)
#define AXIS_TEXT_MAX 24  /* of a value in a query, with its NUL; E.164 has 15 digits */
#define CALL_TEXT_MAX 32  /* room for a value of a call; "" when no query can match it */
#define CALL_UUID_MAX 65  /* API: 36; any id of up to 64 safe characters is taken */
#define QUERY_KEY_MAX 512 /* of query_filter_key, with its NUL */

#define DIRECTION_INBOUND 1
#define DIRECTION_OUTBOUND 2

/* How a path writes the values of an axis. */
enum axis_form {
    FORM_CHOICE,  /* one of a few words */
    FORM_CODE,    /* a whole number */
    FORM_SECONDS, /* a whole number, or gt- gte- lt- lte- before one */
    FORM_TIME,    /* a time, or gt- gte- lt- lte- before one */
    FORM_PREFIX,  /* digits, the beginning of a number */
    FORM_ID       /* digits, all of them */
};

struct axis_choice {
    const char *path; /* in paths */
    const char *api;  /* in the API, compared without case (API.md traps 25, 26) */
};

/* Field and parameter names differ by dialect: [0] is that of the latest host, [1] the legacy one.
 */
struct axis {
    const char *dir;      /* directory name, "by-direction" */
    const char *column;   /* of the store's table */
    const char *field[2]; /* of a record */
    const char *param[2]; /* of the URL; NULL when that host does not filter by it */
    enum axis_form form;
    const struct axis_choice *choices; /* FORM_CHOICE: ends with {NULL}; value = index + 1 */
    const char *doc;
};

extern const struct axis axes[AXES];

/* Half open; unbounded ends are INT64_MIN and INT64_MAX. */
struct range {
    int64_t lo, hi;
};

#define RANGE_ALL ((struct range){INT64_MIN, INT64_MAX})

static inline bool range_is_all(struct range r)
{
    return r.lo == INT64_MIN && r.hi == INT64_MAX;
}

struct query {
    struct range num[NUM_AXES];
    char text[TEXT_AXES][AXIS_TEXT_MAX]; /* "" is any */
    bool none;                           /* a contradiction: no call can match */
};

#define QUERY_ALL                                                                                  \
    ((struct query){                                                                               \
        .num = {RANGE_ALL, RANGE_ALL, RANGE_ALL, RANGE_ALL, RANGE_ALL, RANGE_ALL, RANGE_ALL}})

/* What of a call can be asked for. INT64_MIN in num: the record does not say. */
struct call {
    char uuid[CALL_UUID_MAX];
    int64_t num[NUM_AXES];
    char text[TEXT_AXES][CALL_TEXT_MAX];
    struct slice body; /* the rendered record; owned by the page it came in */
};

/* True for the axes whose directory lists the values seen in the calls held. */
bool axis_lists_seen(int axis);

/* Narrows q by one more condition. A contradiction sets q->none. */
void query_meet_range(struct query *q, int axis, struct range r);
void query_meet_text(struct query *q, int axis, const char *text);

/* Narrows a by all of b. */
void query_meet(struct query *a, const struct query *b);

/*
 * Narrows q by a value as a path writes it ("outbound", "gte-60", "14155"). axis is an index into
 * `axes`. -EINVAL when that is not a value of this axis; q is then untouched.
 */
int query_apply(struct query *q, int axis, const char *value) MUST_CHECK;

/* Index into `axes` of a directory name, or -1. */
int axis_by_dir(const char *dir);

/* Number of the choice whose API spelling is the given text, without case; 0 when there is none. */
int axis_choice_by_api(const struct axis *a, const char *text, size_t n);

/* True when every call that matches a matches b too. */
bool query_implies(const struct query *a, const struct query *b);

/* As query_implies, for all axes but the time the call ended. */
bool query_filters_imply(const struct query *a, const struct query *b);

bool query_match(const struct query *q, const struct call *c);

/* A text for the filters of q, all axes but end time: equal texts, equal filters. "" for none. */
void query_filter_key(const struct query *q, char out[QUERY_KEY_MAX]);

/* The way back, into an otherwise unbounded query. -EINVAL for a text that is no such key. */
int query_from_filter_key(const char *key, struct query *ret) MUST_CHECK;

/* True for 1 to 64 of [0-9A-Za-z_-]: what may become a file name (DESIGN.md section 1). */
bool call_uuid_valid(const char *s, size_t n);

#endif
