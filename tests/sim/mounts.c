// SPDX-License-Identifier: MIT
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mounts_init(struct mounts *m)
{
    *m = (struct mounts){0};
    pthread_mutex_init(&m->lock, NULL);
    m->info = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    return m->info < 0 ? -errno : 0;
}

void mounts_release(struct mounts *m)
{
    if (m->info >= 0)
        close(m->info);
    free(m->path);
    pthread_mutex_destroy(&m->lock);
}

static bool is_octal(const char *s)
{
    return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/* mountinfo writes blanks, tabs, newlines and backslashes as \ooo. */
static void unescape(char *s)
{
    char *out = s;

    for (; *s; s++) {
        if (*s == '\\' && is_octal(s + 1)) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

/* The fifth field of a line is where it is mounted. */
static bool line_has(char *line, const char *path)
{
    char *field = NULL, *rest = line;

    for (int i = 0; i < 5; i++)
        field = strsep(&rest, " ");
    if (!field)
        return false;
    unescape(field);
    return strcmp(field, path) == 0;
}

/* A new open file each time, so that the event state of the polled one stays untouched. */
static bool is_mounted(const char *path)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t cap = 0;
    bool found = false;

    while (f && !found && getline(&line, &cap, f) > 0)
        found = line_has(line, path);
    free(line);
    if (f)
        fclose(f);
    return found;
}

int mounts_watch(struct mounts *m, const char *path)
{
    char *copy = strdup(path);
    size_t len = strlen(path);
    int err = 0;

    if (!copy)
        return -ENOMEM;
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    pthread_mutex_lock(&m->lock);
    if (is_mounted(copy)) {
        free(m->path);
        m->path = copy;
    } else {
        free(copy);
        err = -ENOENT;
    }
    pthread_mutex_unlock(&m->lock);
    return err;
}

bool mounts_gone(struct mounts *m)
{
    bool gone;

    pthread_mutex_lock(&m->lock);
    gone = m->path && !is_mounted(m->path);
    pthread_mutex_unlock(&m->lock);
    return gone;
}
