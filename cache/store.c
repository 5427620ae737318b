// SPDX-License-Identifier: MIT
#include "cache/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/schema.h"
#include "cache/store_priv.h"

/*
 * WAL so that readers never wait for the writer. With synchronous=NORMAL a power cut may undo the
 * last transactions, but never half of one: coverage and its calls go together. No connection maps
 * the file into memory: there a page that the disk cannot give is a SIGBUS, and not an error.
 */
#define WAL_SETUP "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"

/*
 * A WAL needs memory that connections share, by mmap(), and there are filesystems without it. There
 * readers and the writer wait for each other, for as long as the longest reader takes. A store that
 * has a WAL from elsewhere is first read as the only one: then its index needs no shared memory.
 */
#define NO_WAL_ALONE "PRAGMA locking_mode = EXCLUSIVE"
#define NO_WAL_SETUP                                                                               \
    "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL; PRAGMA locking_mode = NORMAL"
#define NO_WAL_BUSY_MS 60000

#define READER_SETUP "PRAGMA cache_size = -512; PRAGMA query_only = 1"

static bool cannot_be_written(int err)
{
    return err == -EROFS || err == -EACCES || err == -ENOSPC || err == -EDQUOT;
}

/* --- the lock --- */

/* The process that wrote its number there, if it is still alive. */
static void read_holder(int fd, char *pid, size_t cap)
{
    ssize_t n = pread(fd, pid, cap - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    long id = strtol(pid, NULL, 10);
    if (id <= 0 || (kill((pid_t)id, 0) < 0 && errno == ESRCH))
        strcpy(pid, "?");
}

/* A number that cannot be written is missed by nobody but a second mount's message. */
static void write_holder(int fd)
{
    char pid[32];
    int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (pwrite(fd, pid, (size_t)n, 0) != n || ftruncate(fd, n) < 0)
        return;
}

/*
 * The lock is a file of its own: SQLite's locks on the store itself would be lost with any close.
 * Where it cannot be written the store is frozen, and others that only read may have it too.
 */
static int take_lock(struct store *s, char *error, size_t cap)
{
    char name[4096], pid[32];
    snprintf(name, sizeof(name), "%s.lock", s->path);
    s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int rc = s->lock_fd < 0 ? -errno : 0;
    if (cannot_be_written(rc)) {
        s->lock_fd = open(name, O_RDONLY | O_CLOEXEC);
        if (s->lock_fd < 0)
            return rc; /* nobody can have locked it */
    }
    if (s->lock_fd < 0) {
        snprintf(error, cap, "cannot open %s: %s; see cache_dir=", name, strerror(-rc));
        return rc;
    }
    if (flock(s->lock_fd, (rc ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
        rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
        read_holder(s->lock_fd, pid, sizeof(pid));
        if (rc == -EBUSY)
            snprintf(error, cap, "the store %s is in use by process %s", s->path, pid);
        else
            snprintf(error, cap, "cannot lock %s: %s; put cache_dir= on a local disk", name,
                     strerror(-rc));
    } else if (rc == 0) {
        write_holder(s->lock_fd);
    }
    return rc;
}

/* --- opening --- */

static int read_created(struct store *s)
{
    CLEANUP_STMT sqlite3_stmt *st =
        db_stmt(s->writer, "SELECT value FROM fact WHERE name = 'created'");
    int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return db_failure(s->writer);
    if (rc == SQLITE_ROW)
        s->created = sqlite3_column_int64(st, 0);
    else
        strcpy(s->writer->text, "a part of it is missing");
    return rc == SQLITE_ROW ? 0 : -EIO;
}

static void close_writer(struct store *s)
{
    db_close(s->writer);
    s->writer = NULL;
}

static int open_writer(struct store *s)
{
    int64_t version, tier = 0;
    int rc = db_open(s->path, DB_WRITER, &s->writer);
    if (rc == 0 && sqlite3_db_readonly(s->writer->sql, "main"))
        rc = -EACCES;
    if (rc == 0 && s->no_wal)
        rc = db_exec(s->writer, NO_WAL_ALONE);
    if (rc == 0)
        rc = schema_check(s->writer, &version);
    if (rc == 0)
        rc = db_exec(s->writer, s->no_wal ? NO_WAL_SETUP : WAL_SETUP);
    if (rc == 0)
        rc = schema_upgrade(s->writer, version, (int64_t)time(NULL));
    if (rc == 0)
        rc = store_check_parts(s);
    if (rc == 0)
        rc = read_created(s);
    if (rc == 0)
        rc = store_load_dicts(s);
    if (rc == 0)
        rc = store_fact(s, FACT_TIER, &tier);
    s->notes = rc == 0 && tier;
    if (rc == 0 && s->no_wal)
        sqlite3_busy_timeout(s->writer->sql, NO_WAL_BUSY_MS);
    return rc;
}

/* Where shared memory cannot be had, without it. */
static int open_any_writer(struct store *s)
{
    int rc = open_writer(s);
    if (rc == 0 || !s->writer || !s->writer->sql || !db_lacks_shared_memory(s->writer))
        return rc;
    close_writer(s);
    s->no_wal = true;
    rc = open_writer(s);
    if (rc == 0)
        snprintf(s->warning, sizeof(s->warning),
                 "the filesystem of the store %s has no shared memory, so who reads and what is "
                 "fetched wait for each other; see cache_dir=",
                 s->path);
    return rc;
}

/* SQLite tries again to open for reading what it could not make, and then knows only that it is not
 * there. */
static int why_no_wal(const struct store *s)
{
    char name[4096];
    snprintf(name, sizeof(name), "%s-wal", s->path);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : -EIO;
    if (fd >= 0)
        close(fd);
    return rc;
}

static bool is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0;
}

/* An interrupted write can only be undone by writing. */
static bool has_journal(const struct store *s)
{
    char name[4096];
    snprintf(name, sizeof(name), "%s-journal", s->path);
    return is_there(name);
}

/* why: what hinders writing. */
static int open_frozen(struct store *s, int why)
{
    int64_t version;
    close_writer(s);
    s->frozen = true;
    int rc = has_journal(s) ? -ENOTRECOVERABLE : db_open(s->path, DB_FROZEN, &s->writer);
    if (rc == 0)
        rc = schema_check(s->writer, &version);
    if (rc == 0 && !schema_is_newest(version))
        rc = -ENOTRECOVERABLE;
    if (rc == 0)
        rc = store_check_parts(s);
    if (rc == 0)
        rc = read_created(s);
    if (rc == 0)
        rc = store_load_dicts(s);
    if (rc == 0)
        snprintf(s->warning, sizeof(s->warning),
                 "the store %s cannot be written (%s): what it holds whole is served, nothing else",
                 s->path, strerror(-why));
    return rc;
}

static void explain(const struct store *s, int rc, int why, char *error, size_t cap)
{
    if (rc == -EPROTO)
        snprintf(error, cap, "the store %s was written by a newer cdrfs; upgrade, or move it away",
                 s->path);
    else if (rc == -EUCLEAN)
        snprintf(error, cap,
                 "the store %s is not of one piece: a copy that was made while it was in use, or a "
                 "disk that lost something; restore another copy, or move it away to start anew",
                 s->path);
    else if (rc == -ENOTRECOVERABLE)
        snprintf(error, cap,
                 "the store %s must be written once before it can be read (%s); see cache_dir=",
                 s->path, strerror(-why));
    else if (cannot_be_written(rc))
        snprintf(error, cap, "the store %s cannot be made (%s); see cache_dir=", s->path,
                 strerror(-rc));
    else
        snprintf(error, cap, "the store %s cannot be used (%s); move it away to start anew",
                 s->path,
                 rc == -EBADF                    ? "not a store of cdrfs"
                 : s->writer && *s->writer->text ? s->writer->text
                                                 : strerror(-rc));
}

/* locked: what taking the lock said. */
static int open_either(struct store *s, int locked, char *error, size_t cap)
{
    int why = locked, rc = locked < 0 ? locked : open_any_writer(s);
    if (rc == -EIO && s->writer && s->writer->sql && db_cannot_open(s->writer))
        rc = why_no_wal(s);
    if (cannot_be_written(rc) && is_there(s->path)) {
        why = rc;
        rc = open_frozen(s, why);
    }
    if (rc < 0)
        explain(s, rc, why, error, cap);
    return rc == -EBADF || rc == -EUCLEAN || rc == -ENOTRECOVERABLE ? -EIO : rc;
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
    if (rc == 0 || cannot_be_written(rc))
        rc = open_either(s, rc, error, cap);
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
    ivset_release(&s->checked);
    ivset_release(&s->checked_names);
    free(s->path);
    free(s);
}

int64_t store_created(const struct store *s)
{
    return s->created;
}

bool store_is_frozen(const struct store *s)
{
    return s->frozen;
}

const char *store_warning(const struct store *s)
{
    return s->warning;
}

/* --- readers --- */

struct db *store_take_reader(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    struct db *d = s->readers;
    if (d)
        s->readers = d->next;
    pthread_mutex_unlock(&s->lock);
    if (d)
        return d;
    int rc = db_open(s->path, s->frozen ? DB_FROZEN : DB_READER, &d);
    if (rc == 0 && s->no_wal)
        sqlite3_busy_timeout(d->sql, NO_WAL_BUSY_MS);
    if (rc == 0)
        rc = db_exec(d, READER_SETUP);
    if (rc == 0)
        return d;
    store_read_failed(s, d);
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

/* --- what went wrong --- */

static int note(struct store *s, struct trouble *t, int err, const char *text)
{
    pthread_mutex_lock(&s->lock);
    t->err = err;
    str_copy(t->text, sizeof(t->text), text, strlen(text));
    pthread_mutex_unlock(&s->lock);
    return err;
}

int store_read_failed(struct store *s, struct db *d)
{
    int rc = d && d->sql ? db_failure(d) : -ENOMEM;
    if (rc == -ENOMEM)
        return rc;
    note(s, &s->reading, rc, d->text);
    return -EIO;
}

int store_is_damaged(struct store *s, const char *what)
{
    return note(s, &s->reading, -EIO, what);
}

int store_write_failed(struct store *s)
{
    int rc = db_failure(s->writer);
    return rc == -ENOMEM ? rc : note(s, &s->writing, rc, s->writer->text);
}

void store_write_succeeded(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->writing.err = 0;
    s->writing.ntold = 0;
    pthread_mutex_unlock(&s->lock);
}

static const char *remedy(int err)
{
    switch (-err) {
    case ENOSPC:
        return "make room on its disk; until then only what is held is served";
    case EDQUOT:
        return "make room, or have the quota raised; until then only what is held is served";
    case EFBIG:
        return "raise the limit of file sizes (ulimit -f); until then only what is held is served";
    case EROFS:
    case EACCES:
        return "make its folder writable; until then only what is held is served";
    case EBUSY:
        return "another program has locked it; end that";
    default:
        return "check the disk; if it is good, unmount, move the store away, and mount anew";
    }
}

static bool was_told(const struct trouble *t)
{
    for (int i = 0; i < t->ntold; i++)
        if (strcmp(t->told[i], t->text) == 0)
            return true;
    return t->ntold == TOLD_MAX;
}

static void describe_locked(struct store *s, bool writing, struct failure *ret)
{
    const struct trouble *t = writing ? &s->writing : &s->reading;
    *ret = (struct failure){0};
    if (!t->err)
        return;
    failure_set(ret, -EIO, 0, "%s while %s the store %s", t->text, writing ? "writing" : "reading",
                s->path);
    ret->remedy = remedy(t->err);
    ret->repeated = was_told(t);
}

void store_trouble(struct store *s, bool writing, struct failure *ret)
{
    pthread_mutex_lock(&s->lock);
    describe_locked(s, writing, ret);
    pthread_mutex_unlock(&s->lock);
}

bool store_tell_trouble(struct store *s, bool writing, struct failure *ret)
{
    struct trouble *t = writing ? &s->writing : &s->reading;
    pthread_mutex_lock(&s->lock);
    describe_locked(s, writing, ret);
    bool news = ret->err && !ret->repeated;
    if (news)
        memcpy(t->told[t->ntold++], t->text, sizeof(t->text));
    pthread_mutex_unlock(&s->lock);
    return news;
}
