// SPDX-License-Identifier: MIT
#include "fs/control.h"

#include <errno.h>
#include <string.h>

#include "fs/control_texts.h"
#include "fs/errors.h"

#define PATH_BYTES 4096

static const struct {
    const char *name;
    bool read, written;
} controls[CONTROLS] = {
    [CONTROL_STATUS] = {"status", true, false},    [CONTROL_METRICS] = {"metrics", true, false},
    [CONTROL_ERRORS] = {"errors", true, false},    [CONTROL_CONFIG] = {"config", true, false},
    [CONTROL_EXPLAIN] = {"explain", false, false}, [CONTROL_REFRESH] = {"refresh", false, true},
    [CONTROL_PREFETCH] = {"prefetch", true, true},
};

int control_by_name(const char *name)
{
    for (int i = 0; i < CONTROLS; i++)
        if (strcmp(controls[i].name, name) == 0)
            return i;
    return -1;
}

const char *control_name(enum control control)
{
    return controls[control].name;
}

bool control_is_read(enum control control)
{
    return controls[control].read;
}

int control_written_at(uint64_t ino)
{
    uint64_t dir = inode_of_dir(NODE_ROOT, ".cdrfs");
    for (int i = 0; i < CONTROLS; i++)
        if (controls[i].written && inode_of_dir(dir, controls[i].name) == ino)
            return i;
    return -1;
}

static void mask(const struct fs *fs, struct buf *out)
{
    if (buf_error(out) || !out->p)
        return;
    mask_text(&fs->log->mask, out->p);
    out->len = strlen(out->p);
}

void control_read(struct fs *fs, enum control control, struct buf *out)
{
    if (control == CONTROL_STATUS)
        status_put(fs, out);
    else if (control == CONTROL_METRICS)
        metrics_put(fs, out);
    else if (control == CONTROL_ERRORS)
        errors_put(fs->errors, out);
    else if (control == CONTROL_CONFIG)
        config_put(fs, out);
    else if (control == CONTROL_PREFETCH)
        progress_put(fs, out);
    mask(fs, out);
}

void control_explain(struct fs *fs, const struct dir *d, const char *uuid, struct buf *out)
{
    int rc = explain_put(fs, d, uuid, out);
    if (rc < 0 && !buf_error(out))
        out->error = rc;
    mask(fs, out);
}

/* A path in pieces: "" once there is none. */
static int next_name(const char **path, char name[256])
{
    size_t n;
    do {
        n = strcspn(*path, "/");
        if (!str_copy(name, 256, *path, n))
            return -ENAMETOOLONG;
        *path += n + ((*path)[n] == '/');
    } while (**path && (!n || strcmp(name, ".") == 0));
    if (strcmp(name, ".") == 0)
        name[0] = '\0';
    return 0;
}

/* What a written line names. */
struct named {
    struct query q; /* a call's is that of where it stands */
    char path[PREFETCH_NAME_MAX];
};

static bool add_name(struct named *n, const char *name)
{
    size_t len = strlen(n->path);
    if (len + strlen(name) + 2 > sizeof(n->path))
        return false;
    if (len)
        n->path[len++] = '/';
    strcpy(n->path + len, name);
    return true;
}

static int step(struct fs *fs, struct dir *d, const char *name, bool last)
{
    char uuid[CALL_UUID_MAX];
    const char *reason;
    struct dir below;
    if (d->kind == DIR_WINDOW || d->kind == DIR_UUID)
        return last ? path_call(name, uuid) : -ENOTDIR;
    int rc = path_child(d, name, cache_now(fs->cache), &below, &reason);
    if (rc == 0)
        *d = below;
    return rc;
}

/* It is read as below explain/, where ranges of dates have names. */
static int resolve(struct fs *fs, const char *path, struct named *ret)
{
    struct dir d = path_root();
    struct range r;
    char name[256];
    d.explained = true;
    *ret = (struct named){.q = QUERY_ALL};
    int rc = next_name(&path, name);
    if (rc == 0 && path_dates(name, &r) == 0) {
        rc = step(fs, &d, "by-date", false);
        add_name(ret, "by-date");
    }
    while (rc == 0 && *name) {
        rc = add_name(ret, name) ? step(fs, &d, name, !*path) : -ENAMETOOLONG;
        if (rc == 0)
            rc = next_name(&path, name);
    }
    ret->q = d.q;
    return rc;
}

static int follow(struct fs *fs, enum control control, const struct named *n)
{
    if (control == CONTROL_PREFETCH)
        return cache_prefetch(fs->cache, *n->path ? n->path : "/", &n->q);
    cache_refresh(fs->cache, &n->q);
    return 0;
}

/* check_only: none is followed. */
static int each_line(struct fs *fs, enum control control, const char *text, size_t n,
                     bool check_only)
{
    char line[PATH_BYTES];
    struct named named;
    int lines = 0;
    while (n) {
        const char *end = memchr(text, '\n', n);
        size_t len = end ? (size_t)(end - text) : n;
        if (memchr(text, '\0', len) || !str_copy(line, sizeof(line), text, len))
            return -EINVAL;
        int rc = len ? resolve(fs, line, &named) : 0;
        if (rc == 0 && len && !check_only)
            rc = follow(fs, control, &named);
        if (rc < 0)
            return rc;
        lines += len > 0;
        text += len + (end != NULL);
        n -= len + (end != NULL);
    }
    return lines ? 0 : -EINVAL;
}

int control_write(struct fs *fs, enum control control, const char *text, size_t n)
{
    int rc = each_line(fs, control, text, n, true);
    return rc < 0 ? rc : each_line(fs, control, text, n, false);
}
