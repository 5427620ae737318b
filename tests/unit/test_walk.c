// SPDX-License-Identifier: MIT
#include "cache/walk.h"

#include "tests/unit/check_util.h"

#define LIMIT 20
#define ROWS_MAX 2000 /* that a host ever has */
#define AT_ONCE 8     /* pages under way */
#define PAGE_MAX 200  /* rows of a page of a host that ignores `limit` */
#define PAGES_MAX 1000000

/* --- a host that may misbehave --- */

struct host {
    struct rng rng;
    int rows[ROWS_MAX]; /* numbers of its rows, as it lists them */
    int n;
    int next_id;    /* of a new row */
    bool ascending; /* new rows come last */
    int64_t lie;    /* added to total_count */
    int moving;     /* total_count is off at one in so many answers; 0: never */
    int arrivals;   /* rows still to come */
    bool late;      /* they come anywhere */
    int departures; /* rows still to go */
    int most;       /* rows a page gives whatever was asked; 0: as asked */
    int hole;       /* this page is always empty; -1: none */
    int thin;       /* this page always lacks its last row; -1: none */
    int repeated;   /* this page always answers with the rows of the one before; -1: none */
    int slips;      /* one page in so many misbehaves, each offset but once; 0: none */
    bool slipped[ROWS_MAX / LIMIT + 10];
};

static struct host host_of(int n)
{
    struct host h = {.rng = {(uint64_t)n}, .n = n, .next_id = n};
    h.hole = h.thin = h.repeated = -1;
    for (int i = 0; i < n; i++)
        h.rows[i] = i;
    return h;
}

static void host_arrival(struct host *h)
{
    int place = h->late ? rng_below(&h->rng, h->n + 1) : h->ascending ? h->n : 0;
    memmove(h->rows + place + 1, h->rows + place, (size_t)(h->n - place) * sizeof(int));
    h->rows[place] = h->next_id++;
    h->n++;
    h->arrivals--;
}

static void host_departure(struct host *h)
{
    int place = rng_one_in(&h->rng, 2) ? h->n - 1 : rng_below(&h->rng, h->n);
    h->n--;
    memmove(h->rows + place, h->rows + place + 1, (size_t)(h->n - place) * sizeof(int));
    h->departures--;
}

static void host_lives(struct host *h)
{
    while (h->arrivals && h->n < ROWS_MAX && rng_one_in(&h->rng, 3))
        host_arrival(h);
    while (h->departures && h->n && rng_one_in(&h->rng, 3))
        host_departure(h);
}

static int64_t host_total(struct host *h)
{
    int64_t total = h->n + h->lie;
    if (h->moving && rng_one_in(&h->rng, h->moving))
        total += rng_below(&h->rng, 7) - 3;
    return total < 0 ? 0 : total;
}

/* Copies the page's row numbers; returns how many. */
static int host_page(struct host *h, int64_t offset, int *ids)
{
    int page = (int)(offset / LIMIT), most = h->most ? h->most : LIMIT, n = 0;
    bool slip = h->slips && page < (int)ARRAY_LEN(h->slipped) && !h->slipped[page] &&
                rng_one_in(&h->rng, h->slips);
    if (slip)
        h->slipped[page] = true;
    if (page == h->hole || (slip && rng_one_in(&h->rng, 2)))
        return 0;
    if ((page == h->repeated || slip) && offset >= LIMIT)
        offset -= LIMIT;
    for (int64_t i = offset; i < h->n && n < most; i++)
        ids[n++] = h->rows[i];
    return page == h->thin && n ? n - 1 : n;
}

/* --- a walk over it --- */

struct outcome {
    enum walk_state state;
    int64_t pages;
    bool in_order;  /* the last pass was */
    bool saw_all;   /* rows the host had at its last answer */
    bool saw_first; /* rows the host had when the last pass began, and still has */
};

struct run {
    struct host *host;
    struct walk walk;
    struct rng rng;
    int64_t out[AT_ONCE]; /* offsets asked for */
    int nout;
    bool seen[2 * ROWS_MAX];
    bool first[2 * ROWS_MAX]; /* had when the pass began */
};

static uint64_t row_of(int id)
{
    char uuid[32];
    snprintf(uuid, sizeof(uuid), "call-%d", id);
    return walk_row(uuid);
}

static void mark_first(struct run *r)
{
    memset(r->first, 0, sizeof(r->first));
    for (int i = 0; i < r->host->n; i++)
        r->first[r->host->rows[i]] = true;
}

static void ask(struct run *r, int at_once)
{
    int64_t offset;
    while (r->nout < at_once && (offset = walk_next(&r->walk)) >= 0) {
        if (offset == 0)
            mark_first(r);
        r->out[r->nout++] = offset;
    }
}

/* As the decoder of a page does: a call that the page has twice is a row set aside. */
static uint64_t row_at(const int *ids, int i, int64_t offset)
{
    for (int k = 0; k < i; k++)
        if (ids[k] == ids[i])
            return walk_bad_row(offset + i);
    return row_of(ids[i]);
}

/* One of the pages under way comes, in any order. */
static void answer(struct run *r)
{
    int ids[PAGE_MAX], pick = rng_below(&r->rng, r->nout);
    uint64_t rows[PAGE_MAX];
    int64_t offset = r->out[pick];
    r->out[pick] = r->out[--r->nout];
    host_lives(r->host);
    int n = host_page(r->host, offset, ids);
    for (int i = 0; i < n; i++) {
        rows[i] = row_at(ids, i, offset);
        r->seen[ids[i]] = true;
    }
    expect(walk_page(&r->walk, offset, host_total(r->host), rows, n, -1) == 0, "no memory");
}

static struct outcome judge(const struct run *r)
{
    struct outcome o = {r->walk.state, r->walk.pages, r->walk.in_order, true, true};
    for (int i = 0; i < r->host->n; i++) {
        int id = r->host->rows[i];
        o.saw_all = o.saw_all && r->seen[id];
        o.saw_first = o.saw_first && (r->seen[id] || !r->first[id]);
    }
    return o;
}

/* Walks to the end, with up to at_once pages under way. */
static struct outcome walk_host(struct host *h, int at_once)
{
    struct run r = {.host = h, .rng = {h->rng.s ^ 0x5555}};
    walk_init(&r.walk, LIMIT);
    for (;;) {
        ask(&r, at_once);
        if (!r.nout)
            break;
        answer(&r);
        expect(r.walk.pages < PAGES_MAX, "a walk without end");
    }
    struct outcome o = judge(&r);
    expect(o.state != WALK_ASKING, "nothing under way, nothing to ask, and no verdict");
    expect(walk_next(&r.walk) == -1, "asks after its end");
    walk_release(&r.walk);
    return o;
}

static int64_t pages_of(int64_t n)
{
    return n ? (n + LIMIT - 1) / LIMIT : 1;
}

/* --- hosts as they should be --- */

static const struct {
    int rows;
    int64_t pages;
} plain[] = {
    {0, 1},  {1, 1},  {19, 1},   {20, 1},   {21, 2},   {39, 2},   {40, 2},
    {41, 3}, {60, 3}, {399, 20}, {400, 20}, {401, 21}, {407, 21}, {1000, 50},
};

START_TEST(a_plain_host_costs_no_page_too_many)
{
    for (int at_once = 1; at_once <= AT_ONCE; at_once++) {
        struct host h = host_of(plain[_i].rows);
        struct outcome o = walk_host(&h, at_once);
        ck_assert_int_eq(o.state, WALK_WHOLE);
        ck_assert_int_eq(o.pages, plain[_i].pages);
        ck_assert(o.saw_all);
    }
}
END_TEST

START_TEST(only_the_first_page_is_asked_before_it_has_come)
{
    struct walk w;
    uint64_t rows[LIMIT];
    walk_init(&w, LIMIT);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_next(&w), -1);
    for (int i = 0; i < LIMIT; i++)
        rows[i] = row_of(i);
    ck_assert_int_eq(walk_page(&w, 0, 70, rows, LIMIT, -1), 0);
    ck_assert_int_eq(w.state, WALK_ASKING);
    ck_assert_int_eq(walk_next(&w), 20);
    ck_assert_int_eq(walk_next(&w), 40);
    ck_assert_int_eq(walk_next(&w), 60);
    ck_assert_int_eq(walk_next(&w), -1);
    walk_release(&w);
}
END_TEST

/* --- what is held already --- */

static const struct {
    int64_t total, held;
    enum walk_state want;
} held[] = {
    {100, 100, WALK_WHOLE}, {100, 99, WALK_ASKING}, {100, 101, WALK_ASKING},
    {100, 20, WALK_ASKING}, {100, -1, WALK_ASKING},
};

START_TEST(a_refresh_costs_one_page_when_the_counts_agree)
{
    struct walk w;
    uint64_t rows[LIMIT];
    walk_init(&w, LIMIT);
    for (int i = 0; i < LIMIT; i++)
        rows[i] = row_of(i);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_page(&w, 0, held[_i].total, rows, LIMIT, held[_i].held), 0);
    ck_assert_int_eq(w.state, held[_i].want);
    ck_assert_int_eq(walk_next(&w), held[_i].want == WALK_WHOLE ? -1 : 20);
    walk_release(&w);
}
END_TEST

START_TEST(what_is_held_has_a_say_at_the_first_page_only)
{
    struct walk w;
    uint64_t rows[LIMIT];
    walk_init(&w, LIMIT);
    for (int i = 0; i < LIMIT; i++)
        rows[i] = row_of(i);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_page(&w, 0, 60, rows, LIMIT, 20), 0);
    ck_assert_int_eq(walk_next(&w), 20);
    ck_assert_int_eq(walk_next(&w), 40);
    ck_assert_int_eq(walk_page(&w, 40, 60, rows, 0, 60), 0);
    ck_assert_int_eq(w.state, WALK_ASKING);
    walk_release(&w);
}
END_TEST

/* --- calls that come and go --- */

static int64_t page_bound(int rows_at_most)
{
    return WALK_MOVED_PASSES * (pages_of(rows_at_most) + 3);
}

static struct host gen_host(struct rng *r)
{
    static const int sizes[] = {0, 1, 19, 20, 21, 40, 41, 100, 407};
    int n = rng_one_in(r, 2) ? sizes[rng_below(r, (int)ARRAY_LEN(sizes))] : rng_below(r, 300);
    struct host h = host_of(n);
    h.rng.s = rng_next(r);
    h.ascending = rng_one_in(r, 2);
    return h;
}

START_TEST(a_whole_walk_has_every_row_that_was_there_when_it_began)
{
    struct rng r = {61};
    int whole = 0;
    for (int i = 0; i < 20000; i++) {
        struct host h = gen_host(&r);
        if (rng_one_in(&r, 2))
            h.arrivals = rng_below(&r, 60);
        else
            h.departures = rng_below(&r, 60);
        h.late = rng_one_in(&r, 2);
        int most = h.n + h.arrivals;
        struct outcome o = walk_host(&h, 1 + rng_below(&r, AT_ONCE));
        whole += o.state == WALK_WHOLE;
        expect(o.state != WALK_WHOLE || o.saw_first, "host %d of %d rows: whole, but not all", i,
               h.n);
        expect(o.pages <= page_bound(most), "host %d: %d pages", i, (int)o.pages);
    }
    ck_assert_int_gt(whole, 5000);
}
END_TEST

/* Its newest total_count says that there is more. What arrives while a pass goes page by page is
 * not owed by it. */
START_TEST(a_whole_walk_has_every_row_of_an_honest_host)
{
    struct rng r = {62};
    for (int i = 0; i < 20000; i++) {
        struct host h = gen_host(&r);
        h.arrivals = rng_below(&r, 60);
        h.late = rng_one_in(&r, 2);
        struct outcome o = walk_host(&h, 1 + rng_below(&r, AT_ONCE));
        expect(o.state != WALK_WHOLE || (o.in_order ? o.saw_first : o.saw_all),
               "host %d of %d rows: whole, but not all", i, h.n);
    }
}
END_TEST

/* The same in its smallest form: 21 rows; one comes last, between the pages of the first pass, and
 * one comes first, between those of the second. Both passes bring the same 22 of what are then 23.
 */
START_TEST(two_equal_passes_are_no_proof_while_the_total_moves)
{
    struct walk w;
    uint64_t rows[LIMIT], rest[3] = {row_of(19), row_of(20), row_of(21)};
    walk_init(&w, LIMIT);
    for (int i = 0; i < LIMIT; i++)
        rows[i] = row_of(i);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_page(&w, 0, 21, rows, LIMIT, -1), 0);
    ck_assert_int_eq(walk_next(&w), 20);
    ck_assert_int_eq(walk_page(&w, 20, 22, rest + 1, 2, -1), 0);
    ck_assert_int_eq(w.state, WALK_ASKING);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_page(&w, 0, 22, rows, LIMIT, -1), 0);
    ck_assert_int_eq(walk_next(&w), 20);
    ck_assert_int_eq(walk_page(&w, 20, 23, rest, 3, -1), 0);
    ck_assert_int_eq(w.state, WALK_ASKING);
    walk_release(&w);
}
END_TEST

START_TEST(rows_that_equal_a_total_that_moved_are_not_yet_whole)
{
    struct walk w;
    uint64_t rows[LIMIT], last = row_of(20);
    walk_init(&w, LIMIT);
    for (int i = 0; i < LIMIT; i++)
        rows[i] = row_of(i);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_page(&w, 0, 22, rows, LIMIT, -1), 0);
    ck_assert_int_eq(walk_next(&w), 20);
    ck_assert_int_eq(walk_page(&w, 20, 21, &last, 1, -1), 0);
    ck_assert_int_eq(w.state, WALK_ASKING);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_page(&w, 0, 21, rows, LIMIT, -1), 0);
    ck_assert_int_eq(walk_next(&w), 20);
    ck_assert_int_eq(walk_page(&w, 20, 21, &last, 1, -1), 0);
    ck_assert_int_eq(w.state, WALK_WHOLE);
    walk_release(&w);
}
END_TEST

START_TEST(a_few_arrivals_do_not_break_a_walk)
{
    struct rng r = {63};
    for (int i = 0; i < 5000; i++) {
        struct host h = gen_host(&r);
        h.arrivals = rng_below(&r, 4);
        h.late = rng_one_in(&r, 2);
        if (h.n < 100) /* so that they all come within the first passes */
            continue;
        struct outcome o = walk_host(&h, 1 + rng_below(&r, AT_ONCE));
        expect(o.state == WALK_WHOLE && o.saw_first, "host %d of %d rows", i, h.n);
    }
}
END_TEST

/* As many as a walk could ever ask for, between any two pages. */
START_TEST(arrivals_without_end_do_not_break_a_walk)
{
    struct rng r = {67};
    int in_order = 0;
    for (int i = 0; i < 5000; i++) {
        struct host h = gen_host(&r);
        h.arrivals = ROWS_MAX;
        h.late = rng_one_in(&r, 2);
        struct outcome o = walk_host(&h, 1 + rng_below(&r, AT_ONCE));
        expect(o.state == WALK_WHOLE && o.saw_first, "host %d of %d rows, %d passes", i, h.n,
               (int)o.pages);
        in_order += o.in_order;
    }
    ck_assert_int_gt(in_order, 1000);
}
END_TEST

START_TEST(a_page_that_fails_once_is_made_good)
{
    struct rng r = {64};
    int whole = 0;
    for (int i = 0; i < 20000; i++) {
        struct host h = gen_host(&r);
        h.slips = 2 + rng_below(&r, 30);
        struct outcome o = walk_host(&h, 1 + rng_below(&r, AT_ONCE));
        whole += o.state == WALK_WHOLE;
        expect(o.state != WALK_WHOLE || o.saw_all, "host %d of %d rows: whole, but not all", i,
               h.n);
        expect(o.pages <= page_bound(h.n), "host %d: %d pages", i, (int)o.pages);
    }
    ck_assert_int_gt(whole, 10000);
}
END_TEST

/* --- totals that are wrong --- */

/* A walk may stop where what came equals the total: that lie cannot be seen. */
static bool lie_is_seen(int rows, int64_t lie)
{
    int64_t total = rows + lie;
    return total >= rows || total <= 0 || total % LIMIT;
}

START_TEST(a_total_that_is_simply_wrong_is_seen_through)
{
    for (int n = 1; n < 130; n++) {
        for (int64_t lie = -50; lie <= 50; lie++) {
            struct host h = host_of(n);
            h.lie = lie;
            if (n + lie < 0)
                continue;
            struct outcome o = walk_host(&h, 1 + n % AT_ONCE);
            expect(o.state == WALK_WHOLE, "%d rows, total off by %d: not whole", n, (int)lie);
            expect(o.saw_all || !lie_is_seen(n, lie), "%d rows, total off by %d: not all", n,
                   (int)lie);
            expect(o.pages <= 2 * (pages_of(n) + pages_of(n + lie) + 1), "%d rows, %d: %d pages", n,
                   (int)lie, (int)o.pages);
        }
    }
}
END_TEST

START_TEST(no_rows_are_never_believed_against_the_total)
{
    for (int64_t lie = 1; lie <= 50; lie++) {
        struct host h = host_of(0);
        h.lie = lie;
        struct outcome o = walk_host(&h, 4);
        ck_assert_int_eq(o.state, WALK_BROKEN);
        ck_assert_int_le(o.pages, page_bound((int)lie));
    }
}
END_TEST

START_TEST(a_total_that_moves_never_hides_a_row)
{
    struct rng r = {65};
    for (int i = 0; i < 20000; i++) {
        struct host h = gen_host(&r);
        h.moving = 1 + rng_below(&r, 10);
        /* no total that is a number of full pages, below what there is */
        if (h.n > LIMIT && (h.n - 1) / LIMIT != (h.n - 4) / LIMIT)
            continue;
        struct outcome o = walk_host(&h, 1 + rng_below(&r, AT_ONCE));
        expect(o.state != WALK_WHOLE || o.saw_all, "host %d of %d rows: whole, but not all", i,
               h.n);
        expect(o.pages <= page_bound(h.n + 3), "host %d: %d pages", i, (int)o.pages);
    }
}
END_TEST

static const int64_t absurd[] = {INT64_MAX, 1000000000000000};

START_TEST(a_total_beyond_reason_ends_within_reason)
{
    struct walk w;
    uint64_t rows[5];
    int64_t offset;
    for (int i = 0; i < 5; i++)
        rows[i] = row_of(i);
    walk_init(&w, LIMIT);
    while ((offset = walk_next(&w)) >= 0) {
        expect(walk_page(&w, offset, absurd[_i], rows, offset ? 0 : 5, -1) == 0, "no memory");
        expect(w.pages < PAGES_MAX, "%d pages for 5 rows", PAGES_MAX);
    }
    ck_assert_int_ne(w.state, WALK_ASKING);
    walk_release(&w);
}
END_TEST

START_TEST(rows_without_end_end_within_reason)
{
    struct walk w;
    uint64_t rows[LIMIT];
    int64_t offset;
    walk_init(&w, LIMIT);
    while ((offset = walk_next(&w)) >= 0) {
        for (int i = 0; i < LIMIT; i++)
            rows[i] = walk_bad_row(offset + i);
        expect(walk_page(&w, offset, 30, rows, LIMIT, -1) == 0, "no memory");
        expect(w.pages < PAGES_MAX, "%d pages, and still asking", PAGES_MAX);
    }
    ck_assert_int_ne(w.state, WALK_ASKING);
    walk_release(&w);
}
END_TEST

/* --- pages that are wrong --- */

START_TEST(a_hole_is_never_believed)
{
    for (int n = 41; n < 200; n += 7) {
        for (int hole = 0; hole < (n - 1) / LIMIT; hole++) {
            struct host h = host_of(n);
            h.hole = hole;
            struct outcome o = walk_host(&h, 4);
            expect(o.state == WALK_BROKEN, "%d rows, page %d empty", n, hole);
            expect(o.pages <= page_bound(n), "%d rows, page %d empty: %d pages", n, hole,
                   (int)o.pages);
        }
    }
}
END_TEST

START_TEST(a_page_that_lacks_a_row_is_never_believed)
{
    for (int n = 41; n < 200; n += 7) {
        for (int thin = 0; thin < (n - 1) / LIMIT; thin++) {
            struct host h = host_of(n);
            h.thin = thin;
            struct outcome o = walk_host(&h, 4);
            expect(o.state == WALK_BROKEN, "%d rows, page %d lacks one", n, thin);
        }
    }
}
END_TEST

/* The total is right, and the rows that came are fewer: a hole in disguise. */
START_TEST(a_call_in_neighbouring_rows_is_one_call_wherever_pages_are_cut)
{
    for (int copies = 2; copies <= LIMIT / 2; copies++) {
        for (int place = 0; place + copies <= 107; place++) {
            struct host h = host_of(107);
            for (int i = 1; i < copies; i++)
                h.rows[place + i] = h.rows[place];
            struct outcome o = walk_host(&h, 1 + place % AT_ONCE);
            bool cut = place / LIMIT != (place + copies - 1) / LIMIT;
            ck_assert_int_eq(o.state, WALK_WHOLE);
            ck_assert_int_eq(o.pages, cut ? 13 : 6);
            ck_assert(o.saw_all);
        }
    }
}
END_TEST

START_TEST(a_call_in_rows_far_apart_is_never_believed)
{
    struct host h = host_of(107);
    h.rows[90] = h.rows[5];
    ck_assert_int_eq(walk_host(&h, AT_ONCE).state, WALK_BROKEN);
}
END_TEST

START_TEST(a_page_given_twice_in_place_of_another_is_never_believed)
{
    for (int n = 41; n < 200; n += 7) {
        for (int repeated = 1; repeated < (n - 1) / LIMIT; repeated++) {
            struct host h = host_of(n);
            h.repeated = repeated;
            struct outcome o = walk_host(&h, 4);
            expect(o.state == WALK_BROKEN, "%d rows, page %d is page %d again: believed", n,
                   repeated, repeated - 1);
        }
    }
}
END_TEST

START_TEST(offsets_that_have_no_effect_are_never_believed)
{
    for (int n = 21; n < 200; n += 20) {
        struct walk w;
        uint64_t rows[LIMIT];
        int64_t offset;
        for (int i = 0; i < LIMIT; i++)
            rows[i] = row_of(i);
        walk_init(&w, LIMIT);
        while ((offset = walk_next(&w)) >= 0) {
            ck_assert_int_eq(walk_page(&w, offset, n, rows, LIMIT, -1), 0);
            ck_assert_int_lt(w.pages, page_bound(n));
        }
        ck_assert_int_eq(w.state, WALK_BROKEN);
        walk_release(&w);
    }
}
END_TEST

START_TEST(a_host_that_gives_more_than_asked_is_read_whole)
{
    static const int most[] = {21, 25, 40, 50, 100, 200};
    for (size_t i = 0; i < ARRAY_LEN(most); i++) {
        for (int n = 0; n <= 200; n += 5) {
            struct host h = host_of(n);
            h.most = most[i];
            struct outcome o = walk_host(&h, 4);
            expect(o.state == WALK_WHOLE && o.saw_all, "%d rows, %d a page", n, most[i]);
            expect(o.pages <= pages_of(n), "%d rows, %d a page: %d pages", n, most[i],
                   (int)o.pages);
        }
    }
}
END_TEST

START_TEST(a_host_that_gives_less_than_asked_is_never_believed_without_all_rows)
{
    static const int most[] = {1, 5, 10, 19};
    for (size_t i = 0; i < ARRAY_LEN(most); i++) {
        for (int n = 0; n <= 130; n++) {
            struct host h = host_of(n);
            h.most = most[i];
            struct outcome o = walk_host(&h, 4);
            expect(o.state != WALK_WHOLE || o.saw_all,
                   "%d rows and as many announced, at most %d a page: believed", n, most[i]);
            expect(o.pages <= 1000, "%d rows, %d a page: %d pages", n, most[i], (int)o.pages);
        }
    }
}
END_TEST

/* --- ends --- */

START_TEST(a_page_that_will_not_come_breaks_the_walk)
{
    struct walk w;
    uint64_t rows[LIMIT];
    for (int i = 0; i < LIMIT; i++)
        rows[i] = row_of(i);
    walk_init(&w, LIMIT);
    ck_assert_int_eq(walk_next(&w), 0);
    ck_assert_int_eq(walk_page(&w, 0, 60, rows, LIMIT, -1), 0);
    ck_assert_int_eq(walk_next(&w), 20);
    ck_assert_int_eq(walk_next(&w), 40);
    walk_lost(&w);
    ck_assert_int_eq(w.state, WALK_BROKEN);
    ck_assert_int_eq(walk_next(&w), -1);
    ck_assert_int_eq(walk_page(&w, 40, 60, rows, LIMIT, -1), 0);
    ck_assert_int_eq(w.state, WALK_BROKEN);
    ck_assert_int_eq(w.out, 0);
    walk_release(&w);
}
END_TEST

START_TEST(rows_without_an_id_count_once_each)
{
    struct walk w;
    uint64_t rows[LIMIT];
    walk_init(&w, LIMIT);
    ck_assert_int_eq(walk_next(&w), 0);
    for (int i = 0; i < LIMIT; i++)
        rows[i] = i % 2 ? row_of(i) : walk_bad_row(i);
    ck_assert_int_eq(walk_page(&w, 0, 22, rows, LIMIT, -1), 0);
    ck_assert_int_eq(walk_next(&w), 20);
    rows[0] = walk_bad_row(20);
    rows[1] = walk_bad_row(21);
    ck_assert_int_eq(walk_page(&w, 20, 22, rows, 2, -1), 0);
    ck_assert_int_eq(w.state, WALK_WHOLE);
    walk_release(&w);
}
END_TEST

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

START_TEST(numbers_of_rows_differ_and_are_not_zero)
{
    int n = 100000;
    uint64_t *rows = malloc(2 * (size_t)n * sizeof(*rows));
    for (int i = 0; i < n; i++) {
        rows[2 * i] = row_of(i);
        rows[2 * i + 1] = walk_bad_row(i);
    }
    qsort(rows, 2 * (size_t)n, sizeof(*rows), by_value);
    expect(rows[0] != 0, "a row is zero");
    for (int i = 1; i < 2 * n; i++)
        expect(rows[i] != rows[i - 1], "two rows of one number");
    ck_assert(walk_row("a") == walk_row("a"));
    ck_assert(walk_row("") != 0);
    free(rows);
}
END_TEST

START_TEST(a_walk_that_never_began_can_be_released)
{
    struct walk w;
    walk_init(&w, LIMIT);
    walk_release(&w);
    walk_release(&w);
    ck_assert_ptr_null(w.rows);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(a_plain_host_costs_no_page_too_many, plain),
        ONCE(only_the_first_page_is_asked_before_it_has_come),
        EACH(a_refresh_costs_one_page_when_the_counts_agree, held),
        ONCE(what_is_held_has_a_say_at_the_first_page_only),
        ONCE(a_whole_walk_has_every_row_that_was_there_when_it_began),
        ONCE(a_whole_walk_has_every_row_of_an_honest_host),
        ONCE(two_equal_passes_are_no_proof_while_the_total_moves),
        ONCE(rows_that_equal_a_total_that_moved_are_not_yet_whole),
        ONCE(a_few_arrivals_do_not_break_a_walk),
        ONCE(arrivals_without_end_do_not_break_a_walk),
        ONCE(a_page_that_fails_once_is_made_good),
        ONCE(a_total_that_is_simply_wrong_is_seen_through),
        ONCE(no_rows_are_never_believed_against_the_total),
        ONCE(a_total_that_moves_never_hides_a_row),
        EACH(a_total_beyond_reason_ends_within_reason, absurd),
        ONCE(rows_without_end_end_within_reason),
        ONCE(a_hole_is_never_believed),
        ONCE(a_page_that_lacks_a_row_is_never_believed),
        ONCE(a_call_in_neighbouring_rows_is_one_call_wherever_pages_are_cut),
        ONCE(a_call_in_rows_far_apart_is_never_believed),
        ONCE(a_page_given_twice_in_place_of_another_is_never_believed),
        ONCE(offsets_that_have_no_effect_are_never_believed),
        ONCE(a_host_that_gives_more_than_asked_is_read_whole),
        ONCE(a_host_that_gives_less_than_asked_is_never_believed_without_all_rows),
        ONCE(a_page_that_will_not_come_breaks_the_walk),
        ONCE(rows_without_an_id_count_once_each),
        ONCE(numbers_of_rows_differ_and_are_not_zero),
        ONCE(a_walk_that_never_began_can_be_released),
    };
    return RUN_SUITE("walk", tests);
}
