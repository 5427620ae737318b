// SPDX-License-Identifier: MIT
#include "fs/node.h"

#include <errno.h>
#include <pthread.h>

#include "tests/unit/check_util.h"

#define NOW ((int64_t)1779802320) /* 2026-05-26 13:32:00 */

static struct nodes *nodes;

static void setup(void)
{
    nodes = nodes_create();
    ck_assert_ptr_nonnull(nodes);
}

static void teardown(void)
{
    nodes_destroy(nodes);
    nodes = NULL;
}

/* Interns parent's child of that name, as a look-up does. */
static uint64_t intern(uint64_t parent, const char *name)
{
    struct node_info up;
    struct dir d;
    const char *reason;
    uint64_t id = 0;
    expect(nodes_get(nodes, parent, &up) == 0, "no parent of %s", name);
    expect(path_child(&up.dir, name, NOW, &d, &reason) == 0, "%s: %s", name, reason);
    expect(nodes_intern(nodes, parent, name, &d, &id) == 0, "%s cannot be interned", name);
    return id;
}

static uint64_t intern_path(const char *path)
{
    uint64_t id = NODE_ROOT;
    char name[256];
    while (*path) {
        size_t n = strcspn(path, "/");
        str_copy(name, sizeof(name), path, n);
        id = intern(id, name);
        path += n + (path[n] == '/');
    }
    return id;
}

static struct node_info info_of(uint64_t id)
{
    struct node_info i;
    ck_assert_int_eq(nodes_get(nodes, id, &i), 0);
    return i;
}

START_TEST(there_is_a_root_and_it_is_never_forgotten)
{
    struct node_info root = info_of(NODE_ROOT);
    ck_assert_int_eq((int)root.dir.kind, DIR_FILTERS);
    ck_assert(root.dir.root);
    ck_assert_uint_eq(root.parent, NODE_ROOT);
    ck_assert_uint_eq(nodes_count(nodes), 1);
    nodes_forget(nodes, NODE_ROOT, 1000);
    info_of(NODE_ROOT);
    ck_assert_uint_eq(nodes_count(nodes), 1);
}
END_TEST

START_TEST(destroying_none_is_no_fault)
{
    nodes_destroy(NULL);
}
END_TEST

START_TEST(the_same_path_is_the_same_node)
{
    uint64_t a = intern_path("by-direction/outbound/2026-05-26");
    uint64_t b = intern_path("by-direction/outbound/2026-05-26");
    ck_assert_uint_eq(a, b);
    ck_assert_uint_eq(nodes_count(nodes), 4);
    ck_assert_uint_ne(intern_path("by-direction/inbound/2026-05-26"), a);
    ck_assert_uint_ne(intern_path("by-date/2026-05-26"), a);
}
END_TEST

START_TEST(ids_are_no_calls_and_name_their_parents)
{
    uint64_t view = intern(NODE_ROOT, "by-date"), day = intern(view, "2026-05-26");
    ck_assert_uint_eq(day & NODE_CALL, 0);
    ck_assert_uint_eq(info_of(day).parent, view);
    ck_assert_uint_eq(info_of(view).parent, NODE_ROOT);
    ck_assert_int_eq((int)info_of(day).dir.kind, DIR_WINDOW);
}
END_TEST

START_TEST(a_node_lives_as_long_as_its_lookups)
{
    uint64_t view = intern(NODE_ROOT, "by-date"), again = intern(NODE_ROOT, "by-date");
    struct node_info i;
    ck_assert_uint_eq(view, again);
    nodes_forget(nodes, view, 1);
    info_of(view);
    nodes_forget(nodes, view, 1);
    ck_assert_int_eq(nodes_get(nodes, view, &i), -ENOENT);
    ck_assert_uint_eq(nodes_count(nodes), 1);
}
END_TEST

START_TEST(a_parent_stays_while_a_child_is_known)
{
    uint64_t view = intern(NODE_ROOT, "by-date"), day = intern(view, "2026-05-26");
    nodes_forget(nodes, view, 1);
    ck_assert_uint_eq(info_of(day).parent, view);
    info_of(view);
    ck_assert_uint_eq(nodes_count(nodes), 3);
    nodes_forget(nodes, day, 1);
    ck_assert_uint_eq(nodes_count(nodes), 1);
}
END_TEST

START_TEST(a_parent_kept_for_its_child_can_be_looked_up_again)
{
    uint64_t view = intern(NODE_ROOT, "by-date"), day = intern(view, "2026-05-26");
    nodes_forget(nodes, view, 1);
    ck_assert_uint_eq(intern(NODE_ROOT, "by-date"), view);
    nodes_forget(nodes, day, 1);
    info_of(view);
    nodes_forget(nodes, view, 1);
    ck_assert_uint_eq(nodes_count(nodes), 1);
}
END_TEST

START_TEST(forgetting_too_much_or_what_is_not_there_is_harmless)
{
    uint64_t view = intern(NODE_ROOT, "by-date");
    nodes_forget(nodes, 12345, 1);
    nodes_forget(nodes, NODE_CALL | 5, 1);
    nodes_forget(nodes, 0, 1);
    nodes_forget(nodes, view, UINT64_MAX);
    nodes_forget(nodes, view, 1);
    ck_assert_uint_eq(nodes_count(nodes), 1);
}
END_TEST

START_TEST(an_id_is_not_given_again)
{
    uint64_t view = intern(NODE_ROOT, "by-date");
    nodes_forget(nodes, view, 1);
    ck_assert_uint_ne(intern(NODE_ROOT, "by-from"), view);
    ck_assert_uint_ne(intern(NODE_ROOT, "by-date"), view);
}
END_TEST

static const char *const paths[] = {
    "by-date",
    "by-date/2026-05-26",
    "by-date/2026-05-25",
    "by-date/2026-05",
    "by-direction/outbound/2026-05-26",
    "by-direction/outbound/by-date/2026-05-26",
    "by-direction/outbound/by-bill-duration/gte-60/by-bill-duration/lt-120/2026-05-26",
    "by-from/1415/by-to/1/2026-05-26",
    "csv/by-date",
    "ndjson/by-hangup-cause/4160",
    "by-uuid",
};

START_TEST(everything_interned_and_forgotten_leaves_the_root)
{
    struct rng r = {42};
    uint64_t ids[ARRAY_LEN(paths)] = {0};
    uint64_t known[4096];
    size_t n = 0;
    for (int round = 0; round < 20000; round++) {
        if (n < ARRAY_LEN(known) - 8 && rng_below(&r, 2)) {
            size_t at = (size_t)rng_below(&r, (int)ARRAY_LEN(paths));
            char name[256];
            uint64_t id = NODE_ROOT;
            for (const char *p = paths[at]; *p;) { /* each step is a look-up of its own */
                size_t len = strcspn(p, "/");
                str_copy(name, sizeof(name), p, len);
                id = known[n++] = intern(id, name);
                p += len + (p[len] == '/');
            }
            ids[at] = id;
        } else if (n) {
            size_t at = (size_t)rng_below(&r, (int)n);
            nodes_forget(nodes, known[at], 1);
            known[at] = known[--n];
        }
    }
    while (n)
        nodes_forget(nodes, known[--n], 1);
    ck_assert_uint_eq(nodes_count(nodes), 1);
    ck_assert_uint_ne(ids[0], 0);
}
END_TEST

/* --- inodes --- */

START_TEST(the_inode_of_a_directory_is_a_function_of_its_path)
{
    uint64_t before[ARRAY_LEN(paths)];
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        before[i] = info_of(intern_path(paths[i])).ino;
        ck_assert_uint_ge(before[i], 2);
        for (size_t j = 0; j < i; j++)
            ck_assert_uint_ne(before[i], before[j]);
    }
    teardown();
    setup();
    for (size_t i = ARRAY_LEN(paths); i-- > 0;)
        ck_assert_uint_eq(info_of(intern_path(paths[i])).ino, before[i]);
}
END_TEST

START_TEST(the_inode_is_what_the_parent_and_the_name_make_it)
{
    uint64_t view = intern(NODE_ROOT, "by-date"), day = intern(view, "2026-05-26");
    ck_assert_uint_eq(info_of(view).ino, inode_of_dir(info_of(NODE_ROOT).ino, "by-date"));
    ck_assert_uint_eq(info_of(day).ino, inode_of_date(info_of(view).ino, "2026-05-26"));
}
END_TEST

START_TEST(the_inodes_of_dates_are_in_the_order_of_time)
{
    const char *dates[] = {"1970-01-01", "1999-12-31",    "2025-12",       "2025-12-31",
                           "2026-01",    "2026-05-25",    "2026-05-25T00", "2026-05-25T23",
                           "2026-05-26", "2026-05-26T00", "2026-06",       "5000-12-31T23"};
    uint64_t parents[] = {3, inode_of_dir(1, "by-date"), UINT64_MAX >> 1};
    for (size_t p = 0; p < ARRAY_LEN(parents); p++)
        for (size_t i = 1; i < ARRAY_LEN(dates); i++)
            ck_assert_uint_lt(inode_of_date(parents[p], dates[i - 1]),
                              inode_of_date(parents[p], dates[i]));
    ck_assert_uint_ne(inode_of_date(3, "2026-05-26"), inode_of_date(4, "2026-05-26"));
    ck_assert_uint_le(inode_of_date(UINT64_MAX >> 1, "5000-12-31T23"), UINT64_MAX >> 1);
}
END_TEST

/* Written down so that an upgrade cannot change them: promise 4. */
START_TEST(the_inode_of_a_call_is_for_ever)
{
    ck_assert_uint_eq(inode_of_call("6c3a8b60-26e0-4842-9387-2350de79f16b"),
                      UINT64_C(6946292729048698322));
    ck_assert_uint_eq(inode_of_dir(1, "by-date"), UINT64_C(7213590674902266805));
}
END_TEST

START_TEST(inodes_of_calls_are_positive_and_differ)
{
    struct rng r = {7};
    static uint64_t seen[1 << 17];
    for (int i = 0; i < 50000; i++) {
        char uuid[40];
        snprintf(uuid, sizeof(uuid), "%016llx", (unsigned long long)rng_next(&r));
        uint64_t ino = inode_of_call(uuid), at = ino % ARRAY_LEN(seen);
        expect(ino > 1 && ino <= INT64_MAX, "%s", uuid);
        for (; seen[at]; at = (at + 1) % ARRAY_LEN(seen))
            expect(seen[at] != ino, "%s is not alone", uuid);
        seen[at] = ino;
        expect(inode_of_call(uuid) == ino, "%s changes", uuid);
    }
}
END_TEST

/* --- views --- */

START_TEST(a_view_stands_in_a_trees_root)
{
    ck_assert(nodes_is_view(nodes, intern_path("by-date")));
    ck_assert(nodes_is_view(nodes, intern_path("by-direction")));
    ck_assert(nodes_is_view(nodes, intern_path("csv/by-date")));
    ck_assert(!nodes_is_view(nodes, intern_path("by-direction/outbound")));
    ck_assert(!nodes_is_view(nodes, intern_path("by-direction/outbound/by-stir")));
    ck_assert(!nodes_is_view(nodes, 4711));
}
END_TEST

/* --- threads --- */

static void *churn(void *arg)
{
    struct rng r = {(uint64_t)(size_t)arg};
    for (int i = 0; i < 2000; i++) {
        char name[32];
        struct node_info root;
        struct dir d;
        const char *reason;
        uint64_t view, day;
        snprintf(name, sizeof(name), "2026-05-%02d", rng_below(&r, 26) + 1);
        expect(nodes_get(nodes, NODE_ROOT, &root) == 0, "no root");
        expect(path_child(&root.dir, "by-date", NOW, &d, &reason) == 0, "%s", reason);
        expect(nodes_intern(nodes, NODE_ROOT, "by-date", &d, &view) == 0, "no memory");
        day = intern(view, name);
        nodes_forget(nodes, i % 2 ? view : day, 1);
        nodes_forget(nodes, i % 2 ? day : view, 1);
    }
    return NULL;
}

START_TEST(many_threads_leave_the_root)
{
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(nodes_count(nodes), 1);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(there_is_a_root_and_it_is_never_forgotten),
        ONCE(destroying_none_is_no_fault),
        ONCE(the_same_path_is_the_same_node),
        ONCE(ids_are_no_calls_and_name_their_parents),
        ONCE(a_node_lives_as_long_as_its_lookups),
        ONCE(a_parent_stays_while_a_child_is_known),
        ONCE(a_parent_kept_for_its_child_can_be_looked_up_again),
        ONCE(forgetting_too_much_or_what_is_not_there_is_harmless),
        ONCE(an_id_is_not_given_again),
        ONCE(everything_interned_and_forgotten_leaves_the_root),
        ONCE(the_inode_of_a_directory_is_a_function_of_its_path),
        ONCE(the_inode_is_what_the_parent_and_the_name_make_it),
        ONCE(the_inodes_of_dates_are_in_the_order_of_time),
        ONCE(the_inode_of_a_call_is_for_ever),
        ONCE(inodes_of_calls_are_positive_and_differ),
        ONCE(a_view_stands_in_a_trees_root),
        ONCE(many_threads_leave_the_root),
    };
    return run_suite_with("node", tests, ARRAY_LEN(tests), setup, teardown);
}
