// SPDX-License-Identifier: MIT
#include "cache/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/schema.h"
#include "cache/store_priv.h"

/* WAL so that readers never wait for the writer. With synchronous=NORMAL a power cut may undo the
 * last transactions, but never half of one: coverage and its calls go together. */
#define WRITER_SETUP                                                                               \
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 1073741824"
#define READER_SETUP                                                                               \
    "PRAGMA mmap_size = 1073741824; PRAGMA cache_size = -512; PRAGMA query_only = 1"

/* The lock is a file of its own: SQLite's locks on the store itself would be lost with any close.
 */
static int take_lock(struct store *s, char *error, size_t cap)
{
    char name[4096], pid[32] = "";
    snprintf(name, sizeof(name), "%s.lock", s->path);
    s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        int rc = -errno;
        snprintf(error, cap, "cannot open %s: %s", name, strerror(errno));
        return rc;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread(s->lock_fd, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        snprintf(error, cap, "the store %s is in use by process %s", s->path, *pid ? pid : "?");
        return -EBUSY;
    }
    int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n) {
        snprintf(error, cap, "cannot write %s: %s", name, strerror(errno));
        return -EIO;
    }
    return 0;
}

static int read_created(struct store *s)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT value FROM fact WHERE name = 'created'");
    if (!st || sqlite3_step(st) != SQLITE_ROW)
        return -EIO;
    s->created = sqlite3_column_int64(st, 0);
    return 0;
}

static int open_writer(struct store *s, char *error, size_t cap)
{
    int64_t version;
    int rc = db_open(s->path, false, &s->writer);
    if (rc == 0)
        rc = schema_check(s->writer, &version);
    if (rc == 0)
        rc = db_exec(s->writer, WRITER_SETUP);
    if (rc == 0)
        rc = schema_upgrade(s->writer, version, (int64_t)time(NULL));
    if (rc == 0)
        rc = read_created(s);
    if (rc == 0)
        rc = store_load_dicts(s);
    if (rc == -EPROTO)
        snprintf(error, cap, "the store %s was written by a newer cdrfs; upgrade, or move it away",
                 s->path);
    else if (rc < 0)
        snprintf(error, cap, "the store %s cannot be used (%s); move it away to start anew",
                 s->path,
                 rc == -EBADF ? "not a store of cdrfs"
                 : s->writer  ? sqlite3_errmsg(s->writer->sql)
                              : strerror(-rc));
    return rc == -EBADF ? -EIO : rc;
}

int store_open(const char *path, struct store **ret, char *error, size_t cap)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->lock_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    mode_t before = umask(0077);
    s->path = strdup(path);
    s->pack = pack_create();
    s->packed = buf_make(PACK_MOST);
    int rc = s->path && s->pack ? take_lock(s, error, cap) : -ENOMEM;
    if (rc == 0)
        rc = open_writer(s, error, cap);
    umask(before);
    if (rc < 0) {
        store_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    while (s->readers) {
        struct db *d = s->readers;
        s->readers = d->next;
        db_close(d);
    }
    db_close(s->writer);
    pack_destroy(s->pack);
    buf_release(&s->packed);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

int64_t store_created(const struct store *s)
{
    return s->created;
}

struct db *store_take_reader(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct db *d = s->readers;
    if (d)
        s->readers = d->next;
    pthread_mutex_unlock(&s->lock);
    if (d)
        return d;
    if (db_open(s->path, true, &d) < 0)
        return NULL;
    if (db_exec(d, READER_SETUP) == 0)
        return d;
    db_close(d);
    return NULL;
}

void store_give_reader(struct store *s, struct db *d)
{
    pthread_mutex_lock(&s->lock);
    d->next = s->readers;
    s->readers = d;
    pthread_mutex_unlock(&s->lock);
}
