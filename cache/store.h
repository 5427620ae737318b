// SPDX-License-Identifier: MIT
/*
 * The embedded store: calls, their bytes, and coverage, in one SQLite file an account. The only
 * code that knows SQLite.
 *
 * One thread writes (store_begin .. store_commit); any number read, each with a reader taken from a
 * pool. Readers see what was committed. A call's row id never changes and is never given to another
 * call, so it can serve as a node id.
 *
 * Errors: -EIO for a store that fails; when writing also -ENOSPC, -EDQUOT, -EFBIG, -EROFS and
 * -EBUSY (another program has locked it); -ENOMEM. store_trouble() has the words. What is damaged
 * is -EIO, never -ENOENT and never less.
 */
#ifndef CDRFS_CACHE_STORE_H
#define CDRFS_CACHE_STORE_H

#include "api/failure.h"
#include "cache/cover.h"

#define STORE_TEXT_MAX 512

/* What a directory entry and a stat need. */
struct entry {
    int64_t id;
    char uuid[CALL_UUID_MAX];
    int64_t end_time; /* UTC seconds */
    int64_t mtime;    /* end_time, or when the API was seen to have amended the record */
    int64_t size;     /* bytes of the file */
};

struct store;

/*
 * Opens or makes the store at path (directory must exist), mode 0600. One that is there and cannot
 * be written is opened all the same, frozen. On failure says why in error: -EBUSY another process
 * has it (error names its process id), -EPROTO written by a newer cdrfs, -EIO, -EACCES, -EROFS,
 * -ENOSPC, -ENOMEM.
 */
int store_open(const char *path, struct store **ret, char *error, size_t cap) MUST_CHECK;

/* True when it can only be read: writing is -EROFS. */
bool store_is_frozen(const struct store *s);

/* What a person should know of how it was opened; "" when there is nothing. */
const char *store_warning(const struct store *s);

/*
 * What reading (or writing) meets, with what can be done about it; ret->err is -EIO, or 0 when all
 * is well; ret->repeated: store_tell_trouble() has had it. Any thread.
 */
void store_trouble(struct store *s, bool writing, struct failure *ret);

/* The same, to be told: false when that was done before, or there is none. */
bool store_tell_trouble(struct store *s, bool writing, struct failure *ret);

/* All readers must have been given back. Accepts NULL. */
void store_close(struct store *s);

/* When the store was made, UTC seconds. */
int64_t store_created(const struct store *s);

/* --- writing: one thread --- */

int store_begin(struct store *s) MUST_CHECK;
int store_commit(struct store *s) MUST_CHECK;
void store_rollback(struct store *s);

enum put { PUT_NEW, PUT_SAME, PUT_AMENDED };

/* Adds a call, or amends the one of that uuid when its bytes differ (mtime then becomes now). */
int store_put_call(struct store *s, const struct call *c, int64_t now, enum put *ret,
                   int64_t *ret_id) MUST_CHECK;

/* Remembers a span, and sets its id. */
int store_put_span(struct store *s, struct span *span) MUST_CHECK;

/* Forgets a span. */
int store_drop_span(struct store *s, int64_t id) MUST_CHECK;

/* Drops at most `most` calls that ended before the day of that second. */
int store_purge(struct store *s, int64_t before, int most, int *ret_dropped) MUST_CHECK;

#define WALKED_MAX 256 /* walks that were cut off; of more, those of the oldest windows go */

/* Remembers which pages of a walk of q came, for when it is cut off; empty pages forget it. */
int store_put_walked(struct store *s, const struct query *q, int64_t total,
                     struct slice pages) MUST_CHECK;

/* What is remembered of a walk of exactly q; the caller frees ret_pages->p. -ENOENT. */
int store_walked(struct store *s, const struct query *q, int64_t *ret_total,
                 struct slice *ret_pages) MUST_CHECK;

/*
 * Bodies are kept packed (pack.h). Once there are enough calls a dictionary is made of them; then
 * those that were kept before it are packed too, at most `most` at a time. ret_more: there is more
 * to do. It is a transaction of its own, and changes nothing that can be read.
 */
int store_pack(struct store *s, int most, bool *ret_more) MUST_CHECK;

/* Whether store_pack() has anything to do; idle: also what can wait. Costs nothing. */
bool store_wants_pack(const struct store *s, bool idle);

/* Facts: small numbers that outlive a mount. */
#define FACT_OLDEST_FIRST "oldest_first" /* the host lists the oldest calls first: 1 */
#define FACT_STRAYS "strays"             /* it has listed calls outside the window asked for: 1 */
#define FACT_TIER "tier"                 /* the number of the shared tier this store belongs to */
int store_put_fact(struct store *s, const char *name, int64_t value) MUST_CHECK;
int store_fact(struct store *s, const char *name, int64_t *ret) MUST_CHECK; /* 0: none */

/* Calls held that match q, as the transaction under way sees it. */
int store_count_now(struct store *s, const struct query *q, int64_t *ret) MUST_CHECK;

/* Hands every remembered span to fn; a span that cannot be read is left out. */
int store_spans(struct store *s, int (*fn)(void *arg, const struct span *span),
                void *arg) MUST_CHECK;

/* --- what the shared tier has still to be given (store_shared.c) --- */

/*
 * From here on the store notes every call and span that comes from the API, until store_shared() is
 * told that the tier has it; so it goes on in later mounts, also without a tier. When this is
 * another tier than before, all that is held is noted. In a transaction.
 */
int store_join(struct store *s, int64_t tier) MUST_CHECK;

/* Adds a call as the tier has it, and does not note it; PUT_SAME when what is held is newer, since
 * the tier has still to be given it. In a transaction. */
int store_import_call(struct store *s, const struct call *c, int64_t mtime, int64_t now,
                      enum put *ret, int64_t *ret_id) MUST_CHECK;

/* The same of a span. */
int store_import_span(struct store *s, struct span *span) MUST_CHECK;

/* Forgets notes: the tier has what they are of, as it was when they were read. In a transaction. */
int store_shared(struct store *s, const int64_t *notes, size_t n) MUST_CHECK;

/* Any thread: a call that is noted, or a span. fn returns 0, or an error that ends it. */
typedef int store_unshared_call_fn(void *arg, int64_t note, const struct call *c, int64_t mtime,
                                   int64_t read_at);
typedef int store_unshared_span_fn(void *arg, int64_t note, const struct span *span);

/* At most `most` calls with notes above that one, in the order of the notes. */
int store_unshared_calls(struct store *s, int64_t above, int most, store_unshared_call_fn *fn,
                         void *arg) MUST_CHECK;

/* Every call of q above that id, noted or not, as if it were: notes are 0. */
int store_calls_of(struct store *s, const struct query *q, int64_t above, int most,
                   store_unshared_call_fn *fn, void *arg) MUST_CHECK;
int store_unshared_spans(struct store *s, store_unshared_span_fn *fn, void *arg) MUST_CHECK;

/* How many calls are noted, and calls held that match q. */
int store_unshared_count(struct store *s, int64_t *ret) MUST_CHECK;
int store_count(struct store *s, const struct query *q, int64_t *ret) MUST_CHECK;

/* --- reading: any thread --- */

/* Returns false to stop. */
typedef bool store_entry_fn(void *arg, const struct entry *e);

/* Calls matching q with an id above after, in the order of their ids. */
int store_list(struct store *s, const struct query *q, int64_t after, store_entry_fn *fn,
               void *arg) MUST_CHECK;

/* The call of that name, whatever query it matches; matches says whether q holds it. -ENOENT. */
int store_find(struct store *s, const struct query *q, const char *uuid, struct entry *ret,
               bool *matches) MUST_CHECK;

/* -ENOENT. */
int store_entry(struct store *s, int64_t id, struct entry *ret) MUST_CHECK;

/* The bytes of a call's file; the caller frees. -ENOENT. */
int store_body(struct store *s, int64_t id, char **ret, size_t *ret_size) MUST_CHECK;

/* The newest end_time of the calls matching q; -ENOENT when there is none. */
int store_newest(struct store *s, const struct query *q, int64_t *ret) MUST_CHECK;

/* The oldest end_time of all calls held; -ENOENT. */
int store_oldest(struct store *s, int64_t *ret) MUST_CHECK;

/* Midnight of the first day after that second's day that holds a call; -ENOENT. */
int store_next_day(struct store *s, int64_t after, int64_t *ret) MUST_CHECK;

/* The values of an axis (index into `axes`) seen in calls, in the order of their texts. */
int store_seen(struct store *s, int axis, int (*fn)(void *arg, const char *value),
               void *arg) MUST_CHECK;

/*
 * Hands the bytes of every call matching q to fn, in the order of end_time, then uuid; all from one
 * moment of the store. fn returns 0, or an error that ends it.
 */
int store_bodies(struct store *s, const struct query *q, int (*fn)(void *arg, struct slice body),
                 void *arg) MUST_CHECK;

/* Hands the bytes of at most `most` calls matching q with ids above after and up to last to fn, in
 * the order of their ids. */
typedef int store_body_fn(void *arg, int64_t id, struct slice body);
int store_bodies_after(struct store *s, const struct query *q, int64_t after, int64_t last,
                       int most, store_body_fn *fn, void *arg) MUST_CHECK;

/* True when the call of that id is held and matches q. */
bool store_holds(struct store *s, const struct query *q, int64_t id);

/* Two equal marks of q: nothing of it changed in between. (But for an amendment within one second
 * of another that keeps the size.) */
struct mark {
    int64_t calls, last_id, bytes, mtime;
};

int store_mark(struct store *s, const struct query *q, struct mark *ret) MUST_CHECK;

/* Calls held and the sum of their sizes. */
int store_totals(struct store *s, int64_t *ret_calls, int64_t *ret_bytes) MUST_CHECK;

#endif
