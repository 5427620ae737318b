// SPDX-License-Identifier: MIT
#include "ctl/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void mounts_release(struct mounts *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->v[i]);
    free(m->v);
    *m = (struct mounts){0};
}

/* The kernel writes blanks, tabs, newlines and backslashes as a backslash and three digits. */
static char *unescaped(const char *s, size_t n)
{
    char *ret = malloc(n + 1), *out = ret;
    for (size_t i = 0; ret && i < n; i++) {
        unsigned v;
        if (s[i] == '\\' && n - i > 3 && sscanf(s + i + 1, "%3o", &v) == 1) {
            *out++ = (char)v;
            i += 3;
        } else {
            *out++ = s[i];
        }
    }
    if (ret)
        *out = '\0';
    return ret;
}

static int add(struct mounts *m, const char *s, size_t n)
{
    char *point = unescaped(s, n);
    char **v = point ? realloc(m->v, (m->n + 1) * sizeof(*v)) : NULL;
    if (!v) {
        free(point);
        return -ENOMEM;
    }
    m->v = v;
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->v[i], point) == 0) {
            free(point);
            return 0;
        }
    }
    m->v[m->n++] = point;
    return 0;
}

/* 36 35 98:0 /root /point options fields... - type source options */
static int parse_line(struct mounts *m, const char *line, size_t n)
{
    const char *end = line + n, *p = line, *dash = memmem(line, n, " - ", 3);
    for (int i = 0; i < 4 && p; i++)
        if ((p = memchr(p, ' ', (size_t)(end - p))))
            p++;
    if (!p || !dash || dash < p || (size_t)(end - dash) < 15 ||
        strncmp(dash + 3, "fuse.cdrfs ", 11) != 0)
        return 0;
    const char *blank = memchr(p, ' ', (size_t)(end - p));
    return add(m, p, (size_t)(blank - p));
}

int mounts_parse(const char *text, struct mounts *ret)
{
    *ret = (struct mounts){0};
    while (*text) {
        size_t n = strcspn(text, "\n");
        int rc = parse_line(ret, text, n);
        if (rc < 0) {
            mounts_release(ret);
            return rc;
        }
        text += n + (text[n] == '\n');
    }
    return 0;
}

const char *mounts_above(const struct mounts *m, const char *path, const char **ret)
{
    const char *best = NULL;
    for (size_t i = 0; i < m->n; i++) {
        size_t n = strlen(m->v[i]);
        bool in = strncmp(path, m->v[i], n) == 0 && (path[n] == '/' || !path[n]);
        if (in && (!best || n > strlen(best)))
            best = m->v[i];
    }
    if (best)
        *ret = path + strlen(best) + (path[strlen(best)] == '/');
    return best;
}

static int append(char out[CTL_PATH_MAX], const char *path)
{
    size_t len = strlen(out);
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && strncmp(path, "..", 2) == 0) {
            char *slash = strrchr(out, '/');
            if (slash)
                *slash = '\0';
        } else if (n && !(n == 1 && *path == '.')) {
            len = strlen(out);
            if (len + n + 2 > CTL_PATH_MAX)
                return -ENAMETOOLONG;
            out[len] = '/';
            str_copy(out + len + 1, CTL_PATH_MAX - len - 1, path, n);
        }
        path += n + (path[n] == '/');
    }
    return 0;
}

int path_clean(const char *dir, const char *path, char out[CTL_PATH_MAX])
{
    out[0] = '\0';
    int rc = *path == '/' ? 0 : append(out, dir);
    return rc < 0 ? rc : append(out, path);
}

static size_t date_at(const char *s)
{
    static const char *const shapes[] = {"0000-00-00T00", "0000-00-00", "0000-00"};
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        size_t n = 0;
        while (shapes[i][n] &&
               (shapes[i][n] == '0' ? s[n] >= '0' && s[n] <= '9' : s[n] == shapes[i][n]))
            n++;
        if (!shapes[i][n])
            return n;
    }
    return 0;
}

bool path_is_dated(const char *path)
{
    const char *slash = strrchr(path, '/'), *s = slash ? slash + 1 : path;
    size_t n = date_at(s);
    if (n && strncmp(s + n, "..", 2) == 0) {
        size_t m = date_at(s + n + 2);
        n = m ? n + 2 + m : 0;
    }
    return n && (!s[n] || strcmp(s + n, ".csv") == 0 || strcmp(s + n, ".ndjson") == 0);
}

int path_explained(const char *path, char out[CTL_PATH_MAX])
{
    const char *name = strrchr(path, '/');
    size_t n = name ? strlen(name) : 0;
    char above[CTL_PATH_MAX];
    if (!str_copy(out, CTL_PATH_MAX, path, strlen(path)))
        return -ENAMETOOLONG;
    if (n < 6 || strcmp(name + n - 5, ".json") != 0)
        return 0;
    str_copy(above, sizeof(above), path, (size_t)(name - path));
    char *date = strrchr(above, '/');
    if (!path_is_dated(above) || !date)
        return 0;
    *date = '\0';
    if (strcmp(above, "by-date") == 0)
        above[0] = '\0';
    int len = snprintf(out, CTL_PATH_MAX, "%s%sby-uuid%s", above, *above ? "/" : "", name);
    return len < CTL_PATH_MAX ? 0 : -ENAMETOOLONG;
}
