// SPDX-License-Identifier: MIT
#include "fs/control.h"

#include <errno.h>
#include <string.h>

#define PATH_BYTES 4096

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
