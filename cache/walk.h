// SPDX-License-Identifier: MIT
/*
 * The page walk: which pages of a window to ask for, and when the rows that came are the whole of
 * it (DESIGN.md section 3, API.md traps 4 to 8 and 21). Pure but for memory: the caller fetches and
 * stores; this decides.
 *
 *     ASKING --first page--> ASKING the rest in parallel --all came--> WHOLE
 *                                   |                                    ^
 *                                   | counts disagree: another pass -----+ (two equal passes are
 *                                   v                                       the truth of a host
 *                                 BROKEN after WALK_PASSES                  whose total is wrong)
 *
 * Two equal passes count only when total_count stood still in both, no row came twice, full pages
 * came first, then at most one that is not full, then nothing; and when a last page, asked for
 * right behind the rows that came, is empty. So a host that leaves holes, repeats pages, or gives
 * fewer rows a page than asked is never believed without its own total, and neither is one that has
 * calls by its total and gives none.
 *
 * After a pass in which rows came twice the next one cuts its pages elsewhere: a call that the host
 * has in two neighbouring rows, on two pages, is then on one, where the page's decoder sees that it
 * is no sign of rows that moved, and sets the second aside.
 *
 * While calls arrive all the time no two answers agree, and pages asked for side by side may miss a
 * call that an arrival pushed from the one to the other. After a few such passes one goes page by
 * page: arrivals only push a call on, to pages still to come, so that a pass in order brings each
 * call that was there when it began. It is believed when its totals never fell, each page but the
 * last was full, the last ended where its own total says, no page repeated more rows than had
 * arrived since the one before, and all rows together are no fewer than the first total.
 *
 * A row is known by a number: a hash of its call_uuid, or walk_bad_row() for one without. Rows are
 * counted once, however often they come. `next` is never looked at.
 */
#ifndef CDRFS_CACHE_WALK_H
#define CDRFS_CACHE_WALK_H

#include "api/query.h"

#define WALK_PASSES 4       /* while counts disagree */
#define WALK_MOVED_PASSES 8 /* while they disagree because calls arrive */
#define WALK_IN_ORDER 4     /* the first of these that goes page by page */
#define WALK_PAGES_MAX                                                                             \
    250000 /* of one pass: five million calls; more is no window but a mistake                     \
            */

enum walk_state { WALK_ASKING, WALK_WHOLE, WALK_BROKEN };

struct walk {
    int limit; /* rows a full page has */
    enum walk_state state;
    int pass;           /* from 1 */
    int64_t total;      /* the newest total_count; -1 before the first page of a pass */
    bool moved;         /* total_count changed within this pass */
    int64_t next;       /* offset of the next page to ask for */
    int64_t end;        /* offsets below are to be asked in this pass */
    int64_t shift;      /* rows by which this pass's second page overlaps its first */
    int64_t short_at;   /* the lowest page that was not full; INT64_MAX: none */
    int64_t last;       /* the highest page that had rows; -1: none */
    bool in_order;      /* this pass asks for one page after the other */
    bool in_doubt;      /* and is no proof */
    int64_t least;      /* its first total */
    int out;            /* pages asked and not yet come */
    int64_t doubles;    /* rows that came again in this pass */
    int64_t probe;      /* offset of the page behind all rows; -1 while it is not wanted */
    int64_t most_total; /* the greatest total_count seen */
    int64_t
        full_end;  /* where end goes when the pages that should hold what is new do not suffice */
    int64_t look;  /* offset of the page that is looked at first; -1: none */
    uint8_t *done; /* pages of the first pass that came, a bit each */
    size_t done_bytes;
    int64_t resumed; /* the total of the walk that is gone on with; -1: none */
    int64_t pages;   /* that came, in all passes */
    uint64_t *rows;  /* open-addressed set of this pass's rows; 0 is free */
    size_t nrows, cap;
    uint64_t sum;        /* of the rows, to compare passes */
    int64_t before_rows; /* the pass before: how many rows, their sum; -1 for none */
    uint64_t before_sum;
};

void walk_init(struct walk *w, int limit);

/*
 * A refresh of a host that lists the oldest first: the first page is asked for at that offset,
 * behind the calls that are held, where new ones are. When that does not make the count agree, the
 * walk begins at 0 as usual.
 */
void walk_look_first(struct walk *w, int64_t offset);

/*
 * Goes on where an earlier walk of the same window was cut off: its pages, as walk_done() gave
 * them, are not asked for again while total_count is still the same. -ENOMEM.
 */
int walk_resume(struct walk *w, int64_t total, struct slice pages) MUST_CHECK;

/* Which pages of the first pass came, a bit each from the lowest of the first byte; and, with at
 * least one of them, their total. Empty when a resumed walk would make no sense. */
struct slice walk_done(const struct walk *w, int64_t *ret_total);

/*
 * True when the page that comes next decides, if the calls held are counted: the first one, those
 * that should hold what is new, and, once the total has moved, each one, since while calls arrive
 * all the time no pass ends with the total it began with. What is held must not have come from an
 * answer that is newer than this page: the walk sees to that for its own pages (a smaller total
 * than one seen before decides nothing), the caller for those of other walks.
 */
bool walk_wants_count(const struct walk *w, int64_t offset);
void walk_release(struct walk *w);

/* The offset to ask for next, which then counts as asked; -1 when none may be asked now. */
int64_t walk_next(struct walk *w);

/*
 * Page `offset` came with n rows. held is the number of calls of the window that the store has,
 * this page's included, when walk_wants_count() was true and none of them had to be set aside, else
 * -1: when that is equal to the total, all is known. -ENOMEM; else look at w->state.
 */
int walk_page(struct walk *w, int64_t offset, int64_t total, const uint64_t *rows, int n,
              int64_t held) MUST_CHECK;

/* A page that was asked for will not come: the walk is broken, unless it was over already. */
void walk_lost(struct walk *w);

/* Nothing is asked for any more: broken, unless it was over already. */
void walk_break(struct walk *w);

/* The number that stands for a row without a usable id, at its place in the window. */
uint64_t walk_bad_row(int64_t place);

/* The number that stands for a call. */
uint64_t walk_row(const char *uuid);

#endif
