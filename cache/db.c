// SPDX-License-Identifier: MIT
#include "cache/db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

#include "api/utc.h"
#include "cache/sum.h"

#define BUSY_MS 5000
#define STMTS_MAX 200 /* a connection forgets all its statements when it has that many */

struct db_stmt {
    char *text;
    sqlite3_stmt *st;
    UT_hash_handle hh;
};

static void free_stmt(struct db_stmt *s)
{
    sqlite3_finalize(s->st);
    free(s->text);
    free(s);
}

static void forget_stmts(struct db *d)
{
    struct db_stmt *s, *tmp;
    HASH_ITER (hh, d->stmts, s, tmp) {
        HASH_DEL(d->stmts, s);
        free_stmt(s);
    }
}

void db_close(struct db *d)
{
    if (!d)
        return;
    forget_stmts(d);
    sqlite3_close(d->sql);
    free(d);
}

/* What the system said beneath an error of SQLite, which does not note it for a COMMIT. */
static int system_errno(struct db *d)
{
    int sys = sqlite3_system_errno(d->sql);
    return sys ? sys : errno;
}

static int errno_of_system(struct db *d, int otherwise)
{
    int sys = system_errno(d);
    switch (sys) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EROFS:
    case EACCES:
        return -sys;
    default:
        return otherwise;
    }
}

static int errno_of(struct db *d)
{
    switch (sqlite3_errcode(d->sql) & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: /* SQLite knows of no error: it was not asked for want of memory */
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_PERM:
        return -EACCES;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return errno_of_system(d, -EIO);
    default:
        return -EIO;
    }
}

/* The system's own words where it had any. */
static const char *text_of(struct db *d, int err)
{
    int sys = system_errno(d);
    int kind = sqlite3_errcode(d->sql) & 0xff;
    if (err == -ENOMEM || err == -ENOSPC)
        return strerror(-err);
    return sys && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN) ? strerror(sys)
                                                                    : sqlite3_errmsg(d->sql);
}

int db_failure(struct db *d)
{
    int rc = errno_of(d);
    const char *text = text_of(d, rc);
    str_copy(d->text, sizeof(d->text), text, strlen(text));
    return rc;
}

bool db_cannot_open(struct db *d)
{
    return (sqlite3_errcode(d->sql) & 0xff) == SQLITE_CANTOPEN;
}

bool db_lacks_shared_memory(struct db *d)
{
    switch (sqlite3_extended_errcode(d->sql)) {
    case SQLITE_IOERR_SHMMAP:
    case SQLITE_IOERR_SHMOPEN:
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_SHMLOCK:
        return errno_of(d) == -EIO; /* and not for want of space */
    default:
        return false;
    }
}

int db_exec(struct db *d, const char *sql)
{
    errno = 0; /* so that system_errno() has none of before */
    return sqlite3_exec(d->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_failure(d);
}

static bool has_wal(const char *path)
{
    char name[PATH_MAX];
    struct stat st;
    int n = snprintf(name, sizeof(name), "%s-wal", path);
    return n > 0 && n < (int)sizeof(name) && stat(name, &st) == 0 && st.st_size > 0;
}

/* Only a URI can say that there is no WAL to look for. */
static int open_immutable(const char *path, sqlite3 **ret)
{
    struct buf uri = buf_make(4 * PATH_MAX);
    buf_puts(&uri, "file:");
    for (const char *p = path; *p; p++)
        buf_printf(&uri, strchr("%?#", *p) ? "%%%02x" : "%c", (unsigned char)*p);
    buf_puts(&uri, "?immutable=1");
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    int rc = buf_error(&uri) ? SQLITE_NOMEM : sqlite3_open_v2(uri.p, ret, flags, NULL);
    buf_release(&uri);
    return rc;
}

/* Without locks, and with the index of the WAL in the connection's own memory. */
static int open_with_wal(const char *path, sqlite3 **ret)
{
    int rc = sqlite3_open_v2(path, ret, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY, "unix-none");
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return rc == SQLITE_OK ? sqlite3_exec(*ret, "PRAGMA locking_mode = EXCLUSIVE", 0, 0, 0) : rc;
}

static int open_sql(const char *path, enum db_way way, sqlite3 **ret)
{
    if (way == DB_FROZEN)
        return has_wal(path) ? open_with_wal(path, ret) : open_immutable(path, ret);
    int flags =
        way == DB_READER ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    return sqlite3_open_v2(path, ret, SQLITE_OPEN_NOMUTEX | flags, NULL);
}

static struct slice slice_of(const void *p, sqlite3_value *v)
{
    return (struct slice){p, (size_t)sqlite3_value_bytes(v)};
}

static void checksum(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    struct sum s = {0};
    for (int i = 0; i < n; i++) {
        switch (sqlite3_value_type(v[i])) {
        case SQLITE_NULL:
            sum_add_null(&s);
            break;
        case SQLITE_INTEGER:
            sum_add_number(&s, sqlite3_value_int64(v[i]));
            break;
        case SQLITE_BLOB:
            sum_add_bytes(&s, slice_of(sqlite3_value_blob(v[i]), v[i]));
            break;
        default: /* we keep no fractions: in a damaged store their text will do */
            sum_add_text(&s, slice_of(sqlite3_value_text(v[i]), v[i]));
        }
    }
    sqlite3_result_int64(ctx, sum_end(&s));
}

int db_add_checksum(sqlite3 *sql)
{
    return sqlite3_create_function_v2(sql, "checksum", -1,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                      checksum, NULL, NULL, NULL);
}

int db_open(const char *path, enum db_way way, struct db **ret)
{
    struct db *d = calloc(1, sizeof(*d));
    *ret = d;
    if (!d)
        return -ENOMEM;
    int rc = open_sql(path, way, &d->sql);
    if (rc == SQLITE_OK)
        rc = db_add_checksum(d->sql);
    if (rc != SQLITE_OK)
        return d->sql ? db_failure(d) : -ENOMEM;
    sqlite3_busy_timeout(d->sql, BUSY_MS);
    sqlite3_extended_result_codes(d->sql, 1);
    return 0;
}

sqlite3_stmt *db_stmt(struct db *d, const char *sql)
{
    struct db_stmt *s;
    HASH_FIND_STR(d->stmts, sql, s);
    if (s)
        return s->st;
    if (HASH_COUNT(d->stmts) >= STMTS_MAX)
        forget_stmts(d);
    s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->text = strdup(sql);
    if (!s->text ||
        sqlite3_prepare_v3(d->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st, NULL) != SQLITE_OK) {
        free_stmt(s);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, d->stmts, s->text, strlen(s->text), s);
    if (!s->hh.tbl) {
        free_stmt(s);
        return NULL;
    }
    return s->st;
}

void db_done(sqlite3_stmt **st)
{
    if (!*st)
        return;
    sqlite3_reset(*st);
    sqlite3_clear_bindings(*st);
    *st = NULL;
}

/* The first text behind all that begin with a prefix of digits. */
static void behind_prefix(const char *prefix, char out[AXIS_TEXT_MAX])
{
    size_t n = strlen(prefix);
    memcpy(out, prefix, n + 1);
    out[n - 1]++; /* digits only: '9' becomes ':' */
}

static bool is_prefix(int axis)
{
    return axes[axis].form == FORM_PREFIX;
}

/* The day as a column of its own, so that a day is one run of an index in the order of ids. */
static bool day_bounds(const struct query *q, int64_t *lo, int64_t *hi)
{
    struct range r = q->num[AXIS_END_TIME];
    if (r.lo == INT64_MIN || r.hi == INT64_MAX || r.lo >= r.hi)
        return false;
    *lo = utc_day_number(r.lo);
    *hi = utc_day_number(r.hi - 1);
    return true;
}

/* A bound at midnight is said by the day already. */
static bool lower_said(const struct query *q, int axis)
{
    int64_t lo, hi, v = q->num[axis].lo;
    return v == INT64_MIN ||
           (axis == AXIS_END_TIME && day_bounds(q, &lo, &hi) && v == utc_midnight(v));
}

static bool upper_said(const struct query *q, int axis)
{
    int64_t lo, hi, v = q->num[axis].hi;
    return v == INT64_MAX ||
           (axis == AXIS_END_TIME && day_bounds(q, &lo, &hi) && v == utc_midnight(v));
}

void db_where(struct buf *sql, const struct query *q)
{
    int64_t lo, hi;
    if (q->none)
        buf_puts(sql, " AND 0");
    if (day_bounds(q, &lo, &hi))
        buf_puts(sql, lo == hi ? " AND day = ?" : " AND day BETWEEN ? AND ?");
    for (int i = 0; i < NUM_AXES; i++) {
        if (!lower_said(q, i))
            buf_printf(sql, " AND +%s >= ?", axes[i].column);
        if (!upper_said(q, i))
            buf_printf(sql, " AND +%s < ?", axes[i].column);
    }
    for (int i = NUM_AXES; i < AXES; i++)
        if (*q->text[i - NUM_AXES] && is_prefix(i))
            buf_printf(sql, " AND %s >= ? AND %s < ?", axes[i].column, axes[i].column);
        else if (*q->text[i - NUM_AXES])
            buf_printf(sql, " AND %s = ?", axes[i].column);
}

void db_bind_query(sqlite3_stmt *st, int *index, const struct query *q)
{
    int64_t lo, hi;
    char behind[AXIS_TEXT_MAX];
    if (day_bounds(q, &lo, &hi)) {
        sqlite3_bind_int64(st, (*index)++, lo);
        if (lo != hi)
            sqlite3_bind_int64(st, (*index)++, hi);
    }
    for (int i = 0; i < NUM_AXES; i++) {
        if (!lower_said(q, i))
            sqlite3_bind_int64(st, (*index)++, q->num[i].lo);
        if (!upper_said(q, i))
            sqlite3_bind_int64(st, (*index)++, q->num[i].hi);
    }
    for (int i = 0; i < TEXT_AXES; i++) {
        if (!*q->text[i])
            continue;
        sqlite3_bind_text(st, (*index)++, q->text[i], -1, SQLITE_TRANSIENT);
        if (!is_prefix(NUM_AXES + i))
            continue;
        behind_prefix(q->text[i], behind);
        sqlite3_bind_text(st, (*index)++, behind, -1, SQLITE_TRANSIENT);
    }
}
