// SPDX-License-Identifier: MIT
/* The store's dictionaries: reading them, making one, and packing what was kept before it. */
#include <errno.h>
#include <string.h>

#include "cache/store_priv.h"

#define FACT_REPACKED "repacked"

int store_open_body(struct store *s, sqlite3_stmt *st, int column, struct buf *out)
{
    const char *bytes = sqlite3_column_blob(st, column);
    struct slice kept = {bytes ? bytes : "", (size_t)sqlite3_column_bytes(st, column)};
    int rc = pack_open(s->pack, sqlite3_column_int64(st, column + 1), kept, out);
    return rc == -EBADMSG ? -EIO : rc;
}

static int add_dict(struct store *s, sqlite3_stmt *st)
{
    const char *bytes = sqlite3_column_blob(st, 1);
    struct slice dict = {bytes ? bytes : "", (size_t)sqlite3_column_bytes(st, 1)};
    int rc = pack_add(s->pack, sqlite3_column_int64(st, 0), dict);
    return rc == -EINVAL ? -EIO : rc;
}

/* While there is no dictionary: about how many calls could make one. */
static int guess_raw(struct store *s)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "SELECT ifnull(max(id), 0) FROM body");
    if (!st || sqlite3_step(st) != SQLITE_ROW)
        return store_write_failed(s);
    s->raw = sqlite3_column_int64(st, 0);
    return 0;
}

int store_load_dicts(struct store *s)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "SELECT id, bytes FROM dict ORDER BY id");
    int rc;
    if (!st)
        return store_write_failed(s);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        if ((rc = add_dict(s, st)) < 0)
            return rc;
    if (rc != SQLITE_DONE)
        return store_write_failed(s);
    rc = store_fact(s, FACT_REPACKED, &s->repacked);
    return rc < 0 || pack_current(s->pack) ? rc : guess_raw(s);
}

/* The newest calls as samples: their text, one behind the other, and their sizes. */
static int gather(struct store *s, struct buf *text, size_t *sizes, unsigned *ret_n)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT bytes, dict FROM body ORDER BY id DESC LIMIT ?");
    unsigned n = 0;
    int rc;
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int(st, 1, PACK_SAMPLES);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        size_t before = text->len;
        rc = store_open_body(s, st, 0, text);
        if (rc == -EMSGSIZE) /* enough */
            break;
        if (rc < 0)
            return rc;
        sizes[n++] = text->len - before;
    }
    *ret_n = n;
    return rc == SQLITE_DONE || rc == -EMSGSIZE ? 0 : store_write_failed(s);
}

static int put_dict(struct store *s, const struct buf *dict)
{
    CLEANUP_STMT sqlite3_stmt *st = db_stmt(s->writer, "INSERT INTO dict(bytes) VALUES(?)");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_blob(st, 1, dict->p, (int)dict->len, SQLITE_STATIC);
    return sqlite3_step(st) == SQLITE_DONE ? 0 : store_write_failed(s);
}

/* In a transaction of its own; the dictionary packs once that is committed. -EINVAL: these calls
 * make none. */
static int make_dict(struct store *s)
{
    CLEANUP_FREE size_t *sizes = calloc(PACK_SAMPLES, sizeof(*sizes));
    struct buf text = buf_make(PACK_SAMPLES_BYTES), dict = buf_make(PACK_DICT_BYTES);
    unsigned n = 0;
    int rc = sizes ? gather(s, &text, sizes, &n) : -ENOMEM;
    if (rc == 0)
        rc = pack_train(text.p, sizes, n, &dict);
    if (rc == 0)
        rc = store_begin(s);
    if (rc == 0) {
        rc = put_dict(s, &dict);
        int64_t id = sqlite3_last_insert_rowid(s->writer->sql);
        rc = rc == 0 ? store_commit(s) : rc;
        if (rc == 0)
            rc = pack_add(s->pack, id, (struct slice){dict.p, dict.len});
    }
    buf_release(&text);
    buf_release(&dict);
    return rc;
}

/* The ids of bodies that were kept as they came, behind the ones that were looked at. */
static int find_raw(struct store *s, int most, int64_t *ids, int *ret_n)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT id FROM body WHERE id > ? AND dict IS NULL ORDER BY id LIMIT ?");
    int rc, n = 0;
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, s->repacked);
    sqlite3_bind_int(st, 2, most);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        ids[n++] = sqlite3_column_int64(st, 0);
    *ret_n = n;
    return rc == SQLITE_DONE ? 0 : store_write_failed(s);
}

static int read_raw(struct store *s, int64_t id, struct buf *out)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT bytes, dict FROM body WHERE id = ? AND dict IS NULL");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_int64(st, 1, id);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return store_open_body(s, st, 0, out);
    return rc == SQLITE_DONE ? -ENOENT : store_write_failed(s);
}

static int repack_one(struct store *s, int64_t id, struct buf *raw)
{
    int64_t dict;
    raw->len = s->packed.len = 0;
    int rc = read_raw(s, id, raw);
    if (rc == 0)
        rc = pack_body(s->pack, (struct slice){raw->p, raw->len}, &s->packed, &dict);
    if (rc < 0 || !dict)
        return rc;
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "UPDATE body SET bytes = ?, dict = ? WHERE id = ?");
    if (!st)
        return store_write_failed(s);
    sqlite3_bind_blob(st, 1, s->packed.p, (int)s->packed.len, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, dict);
    sqlite3_bind_int64(st, 3, id);
    return sqlite3_step(st) == SQLITE_DONE ? 0 : store_write_failed(s);
}

/* Packs some; at the end s->repacked is behind all that there are. */
static int repack(struct store *s, int most, bool *ret_more)
{
    CLEANUP_FREE int64_t *ids = calloc((size_t)most, sizeof(*ids));
    struct buf raw = buf_make(PACK_MOST);
    int n = 0, rc = ids ? find_raw(s, most, ids, &n) : -ENOMEM;
    if (rc == 0)
        rc = store_begin(s);
    for (int i = 0; i < n && rc == 0; i++)
        rc = repack_one(s, ids[i], &raw);
    *ret_more = n == most;
    int64_t done = n == most ? ids[n - 1] : INT64_MAX;
    if (rc == 0)
        rc = store_put_fact(s, FACT_REPACKED, done);
    if (rc == 0)
        rc = store_commit(s);
    if (rc == 0)
        s->repacked = done;
    else
        store_rollback(s);
    buf_release(&raw);
    return rc;
}

int store_pack(struct store *s, int most, bool *ret_more)
{
    *ret_more = false;
    if (pack_current(s->pack))
        return s->repacked == INT64_MAX ? 0 : repack(s, most, ret_more);
    if (s->raw < PACK_SAMPLES)
        return 0;
    int rc = make_dict(s);
    if (rc == -EINVAL)
        s->raw = 0; /* tried again when there are as many new ones */
    *ret_more = rc == 0;
    return rc == -EINVAL ? 0 : rc;
}

bool store_wants_pack(const struct store *s, bool idle)
{
    if (s->frozen)
        return false;
    if (pack_current(s->pack))
        return idle && s->repacked != INT64_MAX;
    return s->raw >= PACK_SAMPLES;
}
