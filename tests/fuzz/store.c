// SPDX-License-Identifier: MIT
/*
 * A store somebody or something has damaged. What the input is, its first byte says:
 *
 *     p    changes to a small good store: two bytes where, one byte how many, then those bytes
 *     r    rows that are put into a small good store as SQLite would, of any type and value
 *     *    the file itself, that byte included
 *
 * It is refused with one line and, where it is no store or a newer one, not touched; or it opens,
 * and then every call ends and returns an errno of its contract, and the coverage it remembers can
 * be reckoned with. Of rows, what the calls say agrees too; of a store that was only changed, it is
 * what was written, or an error that is no absence.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/dialect.h"
#include "api/utc.h"
#include "cache/schema.h"
#include "cache/store.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/unseal.h"

#define NOON 1779796800 /* 2026-05-26 12:00:00 */
#define CALLS 6
#define NAME_CAP 320
#define LISTED_MAX 2000 /* of a damaged tree, more would only take time */

static char dir[256], path[300];
static char *base; /* the small good store */
static size_t base_size;

/* --- files --- */

static const char *file_of(const char *suffix, char out[NAME_CAP])
{
    snprintf(out, NAME_CAP, "%s%s", path, suffix);
    return out;
}

static void write_store(const void *p, size_t n)
{
    static const char *const others[] = {"-wal", "-shm", "-journal", ".lock"};
    char name[NAME_CAP];
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        unlink(file_of(others[i], name));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    close(fd);
}

static char *read_store(size_t *ret_n)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    char *p = malloc((size_t)st.st_size + 1);
    CHECK(p && read(fd, p, (size_t)st.st_size) == st.st_size);
    close(fd);
    *ret_n = (size_t)st.st_size;
    return p;
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

/* --- the small good store --- */

static struct call call_of(int i)
{
    static const char body[] = "{\n  \"call_uuid\": \"u\"\n}\n";
    struct call c = {.body = {body, sizeof(body) - 1}};
    snprintf(c.uuid, sizeof(c.uuid), "call-%d", i);
    for (int a = 0; a < NUM_AXES; a++)
        c.num[a] = i == 1 ? INT64_MIN : a % 2 + 1;
    c.num[AXIS_END_TIME] = NOON - i * 40000;
    snprintf(c.text[AXIS_FROM], CALL_TEXT_MAX, "1415555010%d", i);
    snprintf(c.text[AXIS_TO], CALL_TEXT_MAX, "4420%d", i % 2);
    snprintf(c.text[AXIS_TRUNK], CALL_TEXT_MAX, "%s", i % 3 ? "42741122632602585" : "");
    return c;
}

static struct query day_query(void)
{
    struct query q = QUERY_ALL;
    query_meet_range(&q, AXIS_END_TIME,
                     (struct range){utc_midnight(NOON), utc_midnight(NOON) + UTC_DAY});
    return q;
}

static struct query number_query(void)
{
    struct query q = QUERY_ALL;
    query_meet_text(&q, AXIS_FROM, "14155");
    query_meet_text(&q, AXIS_TRUNK, "42741122632602585");
    query_meet_range(&q, AXIS_DIRECTION, (struct range){1, 2});
    return q;
}

/* Results are the caller's business: in a damaged store all of it may fail. */
static int write_all(struct store *s)
{
    struct query q = day_query();
    struct span span = {.q = q, .fetched_at = NOON};
    enum put put;
    int64_t id;
    int rc = store_begin(s);
    for (int i = 0; i < CALLS && rc == 0; i++) {
        struct call c = call_of(i);
        rc = store_put_call(s, &c, NOON, &put, &id);
    }
    if (rc == 0)
        rc = store_put_span(s, &span);
    span.q = number_query();
    query_meet_range(&span.q, AXIS_END_TIME, (struct range){NOON - 86400, NOON});
    if (rc == 0)
        rc = store_put_span(s, &span);
    if (rc == 0)
        rc = store_put_walked(s, &span.q, 45, (struct slice){"\x05", 1});
    if (rc == 0)
        rc = store_put_fact(s, FACT_OLDEST_FIRST, 1);
    return rc == 0 ? store_commit(s) : rc;
}

static void remove_all(void)
{
    write_store("", 0);
    unlink(path);
    rmdir(dir);
}

/* In small pages, and without the hour of its making, so that it is the same in every run. */
static void make_base(void)
{
    char error[512];
    struct store *s = NULL;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%s/cdrfs-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    CHECK(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/calls.db", dir);
    CHECK(store_open(path, &s, error, sizeof(error)) == 0);
    CHECK(write_all(s) == 0);
    store_close(s);
    run_sql(UNSEAL "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512;"
                   "UPDATE fact SET value = 1779796800 WHERE name = 'created'; VACUUM");
    CHECK(store_open(path, &s, error, sizeof(error)) == 0); /* which seals it again */
    store_close(s);
    run_sql("PRAGMA journal_mode = DELETE");
    base = read_store(&base_size);
    atexit(remove_all);
}

/* --- the input --- */

struct bytes {
    const uint8_t *p, *end;
};

static unsigned take(struct bytes *b)
{
    return b->p < b->end ? *b->p++ : 0;
}

static struct slice take_slice(struct bytes *b, size_t n)
{
    size_t left = (size_t)(b->end - b->p);
    struct slice s = {(const char *)b->p, n < left ? n : left};
    b->p += s.n;
    return s;
}

static void make_patched(struct bytes b)
{
    CLEANUP_FREE char *file = fuzz_copy(base, base_size);
    while (b.p < b.end) {
        size_t at = take(&b);
        at = (at | take(&b) << 8) % base_size;
        struct slice s = take_slice(&b, take(&b));
        size_t n = s.n < base_size - at ? s.n : base_size - at;
        memcpy(file + at, s.p, n);
    }
    write_store(file, base_size);
}

static void bind_any(sqlite3_stmt *st, int i, struct bytes *b)
{
    int64_t wide = 0;
    struct slice s;
    switch (take(b) % 6) {
    case 0:
        sqlite3_bind_null(st, i);
        break;
    case 1:
        sqlite3_bind_int64(st, i, (int8_t)take(b));
        break;
    case 2:
        s = take_slice(b, sizeof(wide));
        memcpy(&wide, s.p, s.n);
        sqlite3_bind_int64(st, i, wide);
        break;
    case 3:
        sqlite3_bind_double(st, i, ((int)take(b) - 128) * 1e17);
        break;
    case 4:
        s = take_slice(b, take(b));
        sqlite3_bind_text(st, i, s.p, (int)s.n, SQLITE_TRANSIENT);
        break;
    default:
        s = take_slice(b, take(b));
        sqlite3_bind_blob(st, i, s.p, (int)s.n, SQLITE_TRANSIENT);
    }
}

static const struct {
    const char *insert;
    int columns;
} tables[] = {
    {"INSERT OR REPLACE INTO call VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", 15},
    {"INSERT OR REPLACE INTO body VALUES(?,?,?)", 3},
    {"INSERT OR REPLACE INTO span VALUES(?,?,?,?,?)", 5},
    {"INSERT OR REPLACE INTO seen VALUES(?,?)", 2},
    {"INSERT OR REPLACE INTO walked VALUES(?,?,?,?,?)", 5},
    {"INSERT OR REPLACE INTO fact VALUES(?,?)", 2},
    {"INSERT OR REPLACE INTO dict VALUES(?,?)", 2},
    {"DELETE FROM body WHERE id = ?", 1},
    {"DELETE FROM fact WHERE name = ?", 1},
};

static void make_rows(struct bytes b)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    write_store(base, base_size);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, UNSEAL "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL) ==
          SQLITE_OK);
    while (b.p < b.end) {
        size_t t = take(&b) % ARRAY_LEN(tables);
        CHECK(sqlite3_prepare_v2(db, tables[t].insert, -1, &st, NULL) == SQLITE_OK);
        for (int i = 1; i <= tables[t].columns; i++)
            bind_any(st, i, &b);
        sqlite3_step(st); /* what the table refuses is not there, then */
        sqlite3_finalize(st);
    }
    CHECK(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

/* --- what must hold --- */

static void check_rc(int rc)
{
    CHECK(rc == 0 || rc == -ENOENT || rc == -EIO || rc == -EACCES || rc == -ENOMEM ||
          rc == -ENOSPC);
}

/* What opens says of itself that it is ours. */
static void check_ours(void)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db, "PRAGMA application_id", -1, &st, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int(st, 0) == STORE_APPLICATION_ID);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static struct store *open_store(void)
{
    size_t n = 0, m = 0;
    char error[512] = "";
    struct store *s = NULL;
    CLEANUP_FREE char *before = read_store(&n);
    int rc = store_open(path, &s, error, sizeof(error));
    CHECK((rc == 0) == (s != NULL));
    CHECK(rc == 0 || rc == -EPROTO || rc == -EIO || rc == -EACCES || rc == -ENOMEM);
    if (rc == 0)
        check_ours();
    if (rc < 0) {
        CHECK(*error);
        CLEANUP_FREE char *after = read_store(&m);
        if (rc == -EPROTO || strstr(error, "not a store"))
            CHECK(fuzz_equal((struct slice){before, n}, (struct slice){after, m}));
    }
    return s;
}

struct listing {
    struct store *store;
    int64_t n, last;
    bool sound; /* SQLite itself made the file */
};

static bool check_entry(void *arg, const struct entry *e)
{
    struct listing *l = arg;
    struct query all = QUERY_ALL;
    struct entry again;
    bool matches = false;
    char *body = NULL;
    size_t n = 0;
    CHECK(memchr(e->uuid, '\0', sizeof(e->uuid)));
    CHECK(!l->sound || e->id > l->last);
    l->last = e->id;
    int rc = store_entry(l->store, e->id, &again);
    check_rc(rc);
    if (l->sound)
        CHECK(rc == 0 && memcmp(e->uuid, again.uuid, strlen(e->uuid) + 1) == 0 &&
              again.id == e->id && again.size == e->size && again.mtime == e->mtime);
    check_rc(store_find(l->store, &all, e->uuid, &again, &matches));
    rc = store_body(l->store, e->id, &body, &n);
    check_rc(rc);
    if (rc == 0)
        free(body);
    return ++l->n < LISTED_MAX;
}

static int count_body(void *arg, struct slice body)
{
    int64_t *n = arg;
    size_t sum = 0;
    for (size_t i = 0; i < body.n; i++)
        sum += (unsigned char)body.p[i];
    return ++*n < LISTED_MAX || sum == SIZE_MAX ? 0 : -EINTR;
}

static void check_query(struct store *s, const struct query *q, bool sound)
{
    struct listing l = {.store = s, .last = INT64_MIN, .sound = sound};
    struct mark mark = {0};
    struct entry e;
    bool matches = false;
    int64_t bodies = 0, now = 0, newest;
    int listed = store_list(s, q, INT64_MIN, check_entry, &l);
    check_rc(listed);
    int read = store_bodies(s, q, count_body, &bodies);
    if (read != -EINTR)
        check_rc(read);
    check_rc(store_newest(s, q, &newest));
    check_rc(store_find(s, q, "call-3", &e, &matches));
    check_rc(store_count_now(s, q, &now));
    int rc = store_mark(s, q, &mark);
    check_rc(rc);
    if (!sound || l.n == LISTED_MAX)
        return;
    CHECK(read < 0 || bodies == now);
    CHECK(rc < 0 || mark.calls == now); /* sizes may have no sum */
    CHECK(listed < 0 || l.n == now || store_entry(s, INT64_MIN, &e) == 0);
}

struct spans {
    struct cover cover;
    int n;
};

static int take_span(void *arg, const struct span *span)
{
    struct spans *s = arg;
    const struct dialect *d = dialect_by_name(s->n++ % 2 ? "latest" : "legacy");
    struct query asked = dialect_narrowest(d, 0, &span->q);
    struct buf url = buf_make(URL_MAX_BYTES);
    struct query bounded = asked;
    query_meet_range(&bounded, AXIS_END_TIME, (struct range){0, NOON});
    if (!bounded.none)
        dialect_list_url(&url, d, d->default_url, "MAXXXXXXXXXXXXXXXXXX", &bounded, 0, 20);
    buf_release(&url);
    CHECK(query_implies(&span->q, &asked));
    return cover_add(&s->cover, span);
}

static void check_spans(struct store *s)
{
    static const struct cover_rule rule = {60, 172800};
    static const struct cover_when when = {.now = NOON + 100, .after_seq = UINT64_MAX};
    struct spans spans = {0};
    CLEANUP_IVSET struct ivset left = {0};
    struct query q = day_query();
    check_rc(store_spans(s, take_span, &spans));
    cover_remainder(&spans.cover, rule, when, &q, &left);
    for (size_t i = 0; i < spans.cover.n; i++) {
        struct range r = cover_believed(&spans.cover.v[i], rule, when);
        CHECK(r.lo >= r.hi || (r.lo >= spans.cover.v[i].q.num[AXIS_END_TIME].lo));
    }
    cover_recent(&spans.cover, &q, q.num[AXIS_END_TIME], when.now, 3600);
    cover_release(&spans.cover);
}

static int take_value(void *arg, const char *value)
{
    int *n = arg;
    CHECK(value);
    return ++*n < LISTED_MAX ? 0 : -EINTR;
}

static void check_rest(struct store *s)
{
    struct query q = number_query();
    struct slice pages;
    int64_t a, b;
    query_meet_range(&q, AXIS_END_TIME, (struct range){NOON - 86400, NOON});
    check_rc(store_oldest(s, &a));
    check_rc(store_next_day(s, NOON - 500000, &a));
    check_rc(store_totals(s, &a, &b));
    store_created(s);
    check_rc(store_fact(s, FACT_OLDEST_FIRST, &a));
    int rc = store_walked(s, &q, &a, &pages);
    check_rc(rc);
    if (rc == 0)
        free((char *)pages.p);
    for (int axis = 0; axis < AXES; axis++) {
        int n = 0;
        rc = store_seen(s, axis, take_value, &n);
        if (rc != -EINTR)
            check_rc(rc);
    }
}

/* Of a good store that was patched: what it gives is what was written, and nothing is absent. */
static void check_as_written(struct store *s)
{
    struct query all = QUERY_ALL;
    struct listing l = {.store = s, .last = INT64_MIN};
    int64_t bodies = 0;
    for (int i = 0; i < CALLS; i++) {
        struct call c = call_of(i);
        struct entry e;
        bool matches = false;
        char *body = NULL;
        size_t n = 0;
        int rc = store_find(s, &all, c.uuid, &e, &matches);
        CHECK(rc == 0 ? matches && e.end_time == c.num[AXIS_END_TIME] : rc == -EIO);
        if (rc == 0)
            rc = store_body(s, e.id, &body, &n);
        CHECK(rc == -EIO || (rc == 0 && fuzz_equal((struct slice){body, n}, c.body)));
        free(body);
    }
    int rc = store_list(s, &all, INT64_MIN, check_entry, &l);
    CHECK(rc == 0 ? l.n == CALLS : rc == -EIO);
    rc = store_bodies(s, &all, count_body, &bodies);
    CHECK(rc == 0 ? bodies == CALLS : rc == -EIO);
}

static void check_store(struct store *s, bool sound)
{
    struct query all = QUERY_ALL, day = day_query(), number = number_query();
    int dropped = 0;
    check_query(s, &all, sound);
    check_query(s, &day, sound);
    check_query(s, &number, sound);
    check_spans(s);
    check_rest(s);
    check_rc(write_all(s));
    store_rollback(s);
    check_query(s, &day, sound);
    if (store_begin(s) == 0) {
        check_rc(store_purge(s, NOON, 3, &dropped));
        CHECK(dropped >= 0);
        check_rc(store_commit(s));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!base)
        make_base();
    struct bytes rest = {data + (n > 0), data + n};
    bool rows = n && data[0] == 'r';
    if (rows)
        make_rows(rest);
    else if (n && data[0] == 'p')
        make_patched(rest);
    else
        write_store(data, n);
    struct store *s = open_store();
    if (s && n && data[0] == 'p')
        check_as_written(s);
    if (s)
        check_store(s, rows);
    store_close(s);
    return 0;
}
