// SPDX-License-Identifier: MIT
#include "fs/control.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "api/utc.h"

#define PATH_BYTES 4096

static const char *const names[CONTROLS] = {"status", "refresh"};

int control_by_name(const char *name)
{
    for (int i = 0; i < CONTROLS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

const char *control_name(enum control control)
{
    return names[control];
}

static void put_time(struct buf *out, const char *what, int64_t t)
{
    char text[UTC_TEXT_MAX];
    utc_format(t, text);
    buf_printf(out, "%s %s", what, text);
}

static void put_status(struct fs *fs, struct buf *out)
{
    struct cache_health h = cache_health(fs->cache);
    int64_t calls = 0, bytes = 0;
    if (cache_totals(fs->cache, &calls, &bytes) < 0)
        calls = bytes = -1;
    buf_puts(out, "api: ");
    if (h.failed_at > h.good_at || (h.failed_at && h.stale_since)) {
        put_time(out, "failed", h.failed_at);
        buf_printf(out, ": %s (%s)\n", h.why.detail, failure_remedy(&h.why));
    } else if (h.good_at) {
        put_time(out, "answered", h.good_at);
        buf_puts(out, "\n");
    } else {
        buf_puts(out, "not asked for a listing yet\n");
    }
    if (h.stale_since) {
        put_time(out, "listings: stale since", h.stale_since);
        buf_puts(out, "; what is held is served\n");
    } else {
        buf_puts(out, "listings: fresh\n");
    }
    if (h.store.err)
        buf_printf(out, "store: %s (%s)\n", h.store.detail, failure_remedy(&h.store));
    else
        buf_printf(out, "store: %s\n",
                   *cache_warning(fs->cache) ? cache_warning(fs->cache) : "good");
    buf_printf(out, "held: %" PRId64 " calls, %" PRId64 " bytes\n", calls, bytes);
    if (!buf_error(out)) {
        mask_text(&fs->log->mask, out->p);
        out->len = strlen(out->p);
    }
}

bool control_is_written(enum control control)
{
    return control == CONTROL_REFRESH;
}

void control_read(struct fs *fs, enum control control, struct buf *out)
{
    if (control == CONTROL_STATUS)
        put_status(fs, out);
}

/* The query of a path; a name in a window is a call, and stands for the window. */
static int resolve(struct fs *fs, const char *path, struct query *ret)
{
    struct dir d = path_root(), below;
    char name[256], uuid[CALL_UUID_MAX];
    const char *reason;
    while (*path) {
        size_t n = strcspn(path, "/");
        if (!str_copy(name, sizeof(name), path, n))
            return -ENAMETOOLONG;
        path += n + (path[n] == '/');
        if (!n || strcmp(name, ".") == 0)
            continue;
        bool leaf = d.kind == DIR_WINDOW || d.kind == DIR_UUID;
        if (leaf && *path)
            return -ENOTDIR;
        int rc = leaf ? path_call(name, uuid)
                      : path_child(&d, name, cache_now(fs->cache), &below, &reason);
        if (rc < 0)
            return rc;
        if (!leaf)
            d = below;
    }
    *ret = d.q;
    return 0;
}

/* follow false only checks. */
static int each_line(struct fs *fs, const char *text, size_t n, bool follow)
{
    char line[PATH_BYTES];
    struct query q;
    int lines = 0;
    while (n) {
        const char *end = memchr(text, '\n', n);
        size_t len = end ? (size_t)(end - text) : n;
        if (memchr(text, '\0', len) || !str_copy(line, sizeof(line), text, len))
            return -EINVAL;
        int rc = len ? resolve(fs, line, &q) : 0;
        if (rc < 0)
            return rc;
        if (len && follow)
            cache_refresh(fs->cache, &q);
        lines += len > 0;
        text += len + (end != NULL);
        n -= len + (end != NULL);
    }
    return lines ? 0 : -EINVAL;
}

int control_write(struct fs *fs, const char *text, size_t n)
{
    int rc = each_line(fs, text, n, false);
    return rc < 0 ? rc : each_line(fs, text, n, true);
}
