// SPDX-License-Identifier: MIT
/*
 * Every allocation fails in turn, once or from then on. Linked with --wrap of the allocating
 * functions, so that this reaches all that our own code asks for, and jansson through its hooks.
 */
#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>

#include "api/page.h"
#include "cache/walk.h"
#include "fs/node.h"
#include "fs/render.h"
#include "tests/unit/cache_fixture.h"
#include "tests/unit/records.h"

#define TRIES_MAX 100000

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

/* The allocation of that number from now fails; 0: none. Threads may be left out. */
static atomic_long fail_at;
static atomic_bool fail_on; /* and all behind it */
static atomic_bool failed;
static _Thread_local bool spared;

static bool fails(void)
{
    if (spared || atomic_load(&fail_at) <= 0)
        return false;
    if (atomic_fetch_sub(&fail_at, 1) != 1)
        return false;
    atomic_store(&failed, true);
    if (atomic_load(&fail_on))
        atomic_store(&fail_at, 1);
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

static void arm(int n, bool on)
{
    atomic_store(&failed, false);
    atomic_store(&fail_on, on);
    atomic_store(&fail_at, n);
}

/* Returns whether an allocation failed since arm(). */
static bool disarm(void)
{
    atomic_store(&fail_at, 0);
    return atomic_load(&failed);
}

/* Runs step with each allocation failing in turn, until none is left to fail. */
static void each_in_turn(void (*step)(int n), bool on)
{
    for (int n = 1;; n++) {
        expect(n < TRIES_MAX, "no end");
        arm(n, on);
        step(n);
        if (!disarm())
            return;
    }
}

/* --- pages --- */

static const char body[] = "{\"meta\":{\"limit\":20,\"total_count\":3},\"objects\":[" REAL26
                           "," SEED "," LEG_REAL "],\"api_id\":\"x\"}";

static void decode(int n)
{
    struct page *page = NULL;
    struct failure f = {0};
    int rc = page_decode(body, sizeof(body) - 1, &page, &f);
    bool out = disarm();
    expect(rc == 0 || (out && rc == -ENOMEM), "allocation %d: %d, %s", n, rc, f.detail);
    if (rc < 0)
        expect(f.err == rc, "allocation %d: %d in the failure", n, f.err);
    if (rc == 0)
        expect(page->total == 3 && page->ncalls == 3 && page->nbad == 0,
               "allocation %d: %d calls, %d set aside: %s", n, page->ncalls, page->nbad,
               page->nbad ? page->bad[0].reason : "");
    if (rc == 0)
        page_free(page);
    atomic_store(&failed, out);
}

/* A row that is whole must not be taken for a bad one: it would be left out of a listing that then
 * counts as whole. */
static void count_rows(int n)
{
    struct page *page = NULL;
    struct failure f;
    int rc = page_decode(body, sizeof(body) - 1, &page, &f);
    bool out = disarm();
    if (rc == 0)
        expect(page->nbad == 0, "allocation %d: %s", n, page->bad[0].reason);
    if (rc == 0)
        page_free(page);
    atomic_store(&failed, out);
}

START_TEST(no_row_is_set_aside_for_want_of_memory)
{
    each_in_turn(count_rows, _i);
}
END_TEST

static void decode_call(int n)
{
    struct page *page = NULL;
    struct failure f = {0};
    int rc = page_decode_call(REAL26, sizeof(REAL26) - 1, &page, &f);
    bool out = disarm();
    expect(rc == 0 || (out && rc == -ENOMEM), "allocation %d: %d, %s", n, rc, f.detail);
    if (rc == 0)
        page_free(page);
    atomic_store(&failed, out);
}

START_TEST(a_page_is_decoded_whole_or_there_is_no_memory)
{
    each_in_turn(decode, _i);
}
END_TEST

START_TEST(one_call_is_decoded_or_there_is_no_memory)
{
    each_in_turn(decode_call, _i);
}
END_TEST

static void error_text(int n)
{
    char message[100], id[64];
    const char *text = "{\"api_id\":\"x\",\"error\":{\"a\":[1,2,3]}}";
    page_error_text(text, strlen(text), message, sizeof(message), id, sizeof(id));
    expect(strlen(message) < 100 && strlen(id) < 64, "allocation %d", n);
}

START_TEST(a_message_is_never_a_crash)
{
    each_in_turn(error_text, _i);
}
END_TEST

static void render(int n)
{
    struct buf b = buf_make(1 << 16);
    int rc = render_csv_row(&b, DIALECT_LATEST, slice_of(SEED));
    bool out = disarm();
    expect(rc == 0 || (out && rc == -ENOMEM), "allocation %d: %d", n, rc);
    buf_release(&b);
    atomic_store(&failed, out);
}

START_TEST(a_row_is_rendered_whole_or_there_is_no_memory)
{
    each_in_turn(render, _i);
}
END_TEST

/* --- coverage --- */

static struct span span_of(int i)
{
    struct span s = {.q = fx_between(i * 100, i * 100 + 50), .fetched_at = 1000000, .seq = 1};
    if (i % 3)
        query_meet_range(&s.q, AXIS_DIRECTION, (struct range){i % 3, i % 3 + 1});
    return s;
}

static void add_spans(int n)
{
    struct cover c = {0};
    size_t added = 0;
    for (int i = 0; i < 200; i++) {
        struct span s = span_of(i);
        int rc = cover_add(&c, &s);
        expect(rc == 0 || rc == -ENOMEM, "allocation %d: %d", n, rc);
        added += rc == 0;
        expect(c.n == added, "allocation %d: %zu of %zu", n, c.n, added);
    }
    cover_release(&c);
}

START_TEST(a_span_is_added_or_there_is_no_memory)
{
    each_in_turn(add_spans, _i);
}
END_TEST

static int64_t length(const struct ivset *s)
{
    int64_t sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->v[i].hi - s->v[i].lo;
    return sum;
}

static void remainder_of(int n)
{
    static struct cover c;
    struct cover_rule rule = {.ttl = 60, .settle = 100};
    struct cover_when when = {.now = 1000001, .after_seq = UINT64_MAX};
    struct query q = fx_between(0, 20000);
    CLEANUP_IVSET struct ivset out = {0};
    if (!c.n) {
        spared = true;
        for (int i = 0; i < 200; i++) {
            struct span s = span_of(i);
            expect(cover_add(&c, &s) == 0, "no memory");
        }
        spared = false;
    }
    cover_remainder(&c, rule, when, &q, &out);
    /* 67 spans hold all filters; the rest each lack the other direction */
    expect(out.failed || length(&out) >= 20000 - 67 * 50, "allocation %d: claims too much", n);
}

START_TEST(coverage_without_memory_claims_nothing)
{
    each_in_turn(remainder_of, _i);
}
END_TEST

static void fill_ivset(int n)
{
    struct ivset s = {0};
    for (int i = 0; i < 100; i++)
        ivset_add(&s, (struct range){i * 10, i * 10 + 5});
    ivset_cut(&s, (struct range){12, 13});
    expect(s.failed ? s.n == 0 : length(&s) == 499, "allocation %d: %zu intervals", n, s.n);
    ivset_add(&s, (struct range){1, 2});
    expect(!s.failed || s.n == 0, "allocation %d: a failed set holds something", n);
    ivset_release(&s);
}

START_TEST(a_set_without_memory_is_marked_and_empty)
{
    each_in_turn(fill_ivset, _i);
}
END_TEST

/* --- walks --- */

static void walk(int n)
{
    struct walk w;
    int64_t offset;
    int rc = 0;
    walk_init(&w, 20);
    while (rc == 0 && (offset = walk_next(&w)) >= 0) {
        uint64_t rows[20];
        for (int i = 0; i < 20; i++)
            rows[i] = walk_bad_row(offset + i);
        rc = walk_page(&w, offset, 2000, rows, 20, -1);
    }
    expect(rc == 0 ? w.state == WALK_WHOLE : rc == -ENOMEM, "allocation %d: %d", n, rc);
    walk_release(&w);
}

START_TEST(a_walk_is_whole_or_there_is_no_memory)
{
    each_in_turn(walk, _i);
}
END_TEST

/* --- directories --- */

static void intern(int n)
{
    struct nodes *nodes = nodes_create();
    struct dir d = path_root();
    size_t known = 1;
    if (!nodes)
        return;
    for (int i = 0; i < 400; i++) {
        char name[16];
        uint64_t id = 0;
        snprintf(name, sizeof(name), "%d", i);
        int rc = nodes_intern(nodes, NODE_ROOT, name, &d, &id);
        expect(rc == 0 ? id != 0 : rc == -ENOMEM, "allocation %d: %d", n, rc);
        known += rc == 0;
        expect(nodes_count(nodes) == known, "allocation %d: %zu nodes", n, nodes_count(nodes));
    }
    for (uint64_t id = 2; known > 1 && id < 1000; id++) {
        struct node_info info;
        known -= nodes_get(nodes, id, &info) == 0;
        nodes_forget(nodes, id, 1);
    }
    expect(nodes_count(nodes) == 1, "allocation %d: %zu left", n, nodes_count(nodes));
    nodes_destroy(nodes);
}

START_TEST(a_directory_is_interned_or_there_is_no_memory)
{
    each_in_turn(intern, _i);
}
END_TEST

/* --- the whole cache --- */

static void spare_this_thread(struct fake *f UNUSED, const struct fake_request *r UNUSED)
{
    spared = true;
}

/* A day is whole or an error comes, and afterwards all is as ever. */
static void read_a_day(int n)
{
    struct query q = fx_day(n % 80 + 1);
    int rc = fx_ask(&q);
    bool out = disarm();
    expect(rc == 0 || rc == -ENOMEM || rc == -EIO || rc == -ETIMEDOUT, "allocation %d: %d", n, rc);
    if (rc == 0)
        fx_expect_all(&q);
    rc = fx_ask(&q); /* this one may have joined a walk that was about to fail */
    expect(rc == 0 || rc == -ENOMEM || rc == -EIO || rc == -ETIMEDOUT, "after allocation %d: %d", n,
           rc);
    if (rc < 0)
        rc = fx_ask(&q);
    expect(rc == 0, "later after allocation %d: %d", n, rc);
    fx_expect_all(&q);
    atomic_store(&failed, out);
}

START_TEST(a_day_is_read_whole_or_an_error_comes)
{
    spared = true;
    fx_setup();
    fx_close();
    fx.opts.deadline_ms = 200;
    fx_open();
    FAKE_SET(fx.fake, hook, spare_this_thread);
    for (int ago = 1; ago <= 80; ago++)
        fake_add_many(fx.fake, ago * 100, 45, TODAY - ago * (int64_t)DAY, 60);
    each_in_turn(read_a_day, _i);
    fx_teardown();
    spared = false;
}
END_TEST

struct listed {
    int n;
    int64_t last;
};

static bool count_entry(void *arg, const struct entry *e)
{
    struct listed *l = arg;
    expect(e->id > l->last, "%s comes twice", e->uuid);
    l->last = e->id;
    return ++l->n % 50;
}

/* What cannot be made ready is read when it is asked for; or an error comes. */
static void list_with_expectations(int n)
{
    struct query q = fx_day(1);
    struct listed l = {0};
    int rc = 0, before = -1;
    while (rc == 0 && l.n > before) {
        before = l.n;
        rc = cache_list(fx.cache, &q, l.last, count_entry, &l);
        cache_expect(fx.cache, &q, l.last, 51, true);
    }
    bool out = disarm();
    expect(rc == 0 ? l.n == 180 : out && (rc == -ENOMEM || rc == -EIO), "allocation %d: %d", n, rc);
    atomic_store(&failed, out);
}

START_TEST(a_listing_is_whole_whether_it_can_be_made_ready_or_not)
{
    struct query q = fx_day(1);
    fx_setup();
    fake_add_many(fx.fake, 1, 180, TODAY - DAY, 60);
    ck_assert_int_eq(fx_ask(&q), 0);
    each_in_turn(list_with_expectations, _i);
    fx_teardown();
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        {a_page_is_decoded_whole_or_there_is_no_memory, 2},
        {no_row_is_set_aside_for_want_of_memory, 2},
        {one_call_is_decoded_or_there_is_no_memory, 2},
        {a_message_is_never_a_crash, 2},
        {a_row_is_rendered_whole_or_there_is_no_memory, 2},
        {a_span_is_added_or_there_is_no_memory, 2},
        {coverage_without_memory_claims_nothing, 2},
        {a_set_without_memory_is_marked_and_empty, 2},
        {a_walk_is_whole_or_there_is_no_memory, 2},
        {a_directory_is_interned_or_there_is_no_memory, 2},
        {a_day_is_read_whole_or_an_error_comes, 2},
        {a_listing_is_whole_whether_it_can_be_made_ready_or_not, 2},
    };
    json_object_seed(1);
    json_set_alloc_funcs(__wrap_malloc, free);
    return RUN_SUITE("nomem", tests);
}
