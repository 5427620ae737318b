// SPDX-License-Identifier: MIT
#include "fs/mount_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What fstab may say of any filesystem, and what changes nothing on one that is never written to.
 */
static const char *const void_options[] = {"sync",     "async",      "relatime",    "norelatime",
                                           "diratime", "nodiratime", "strictatime", "nostrictatime",
                                           "lazytime", "nolazytime", "iversion",    "noiversion",
                                           "mand",     "nomand",     "silent",      "loud"};

static bool item_is(const char *item, size_t n, const char *name)
{
    return strlen(name) == n && strncmp(item, name, n) == 0;
}

static bool is_void(const char *item, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(void_options); i++)
        if (item_is(item, n, void_options[i]))
            return true;
    return false;
}

/* Up to the next comma that no backslash keeps. */
static size_t item_length(const char *list)
{
    size_t n = 0;
    while (list[n] && list[n] != ',')
        n += list[n] == '\\' && list[n + 1] ? 2 : 1;
    return n;
}

/* Copies what means something here. */
static int take_list(struct mount_args *m, const char *list, char *error, size_t cap)
{
    char *kept = malloc(strlen(list) + 2), *end = kept;
    if (!kept)
        return -ENOMEM;
    m->lists[m->lists_count++] = kept;
    *end = '\0';
    while (*list) {
        size_t n = item_length(list);
        if (item_is(list, n, "remount")) {
            snprintf(error, cap,
                     "a mount of cdrfs cannot be changed (remount); umount it, then "
                     "mount it again");
            return -EINVAL;
        }
        if (!is_void(list, n))
            end += sprintf(end, "%s%.*s", end > kept ? "," : "", (int)n, list);
        list += n + (list[n] == ',');
    }
    m->argv[m->argc++] = (char *)"-o";
    m->argv[m->argc++] = kept;
    return 0;
}

/* Sorts one word; returns how many words that took, or an error. */
static int take_word(struct mount_args *m, char **argv, char *error, size_t cap)
{
    const char *flag = argv[0];
    int rc = 0, words = 1;
    if (strncmp(flag, "-o", 2) == 0 && (flag[2] || argv[1])) {
        rc = take_list(m, flag[2] ? flag + 2 : argv[words++], error, cap);
    } else if (strcmp(flag, "-t") == 0 && argv[1]) {
        words++;
    } else if (strcmp(flag, "-N") == 0) {
        snprintf(error, cap, "mount -N is not for cdrfs; nsenter -m mounts in another namespace");
        rc = -EINVAL;
    } else if (strcmp(flag, "-f") == 0) {
        m->fake = true;
    } else if (strcmp(flag, "-s") && strcmp(flag, "-n") && strcmp(flag, "-v")) {
        m->argv[m->argc++] = argv[0];
    }
    return rc < 0 ? rc : words;
}

static bool is_helper(const char *name)
{
    const char *slash = name ? strrchr(name, '/') : NULL;
    return name && strncmp(slash ? slash + 1 : name, "mount.", strlen("mount.")) == 0;
}

int mount_args_take(int argc, char **argv, struct mount_args *ret, char *error, size_t cap)
{
    size_t most = (size_t)argc * 2 + 1; /* -oLIST becomes two words */
    *ret = (struct mount_args){.helper = is_helper(argv[0]), .argc = argc};
    ret->argv = calloc(most, sizeof(*ret->argv));
    ret->lists = calloc(most, sizeof(*ret->lists));
    if (!ret->argv || !ret->lists)
        return -ENOMEM;
    if (!ret->helper) {
        memcpy(ret->argv, argv, (size_t)argc * sizeof(*argv));
        return 0;
    }
    ret->argv[0] = (char *)"cdrfs";
    ret->argc = 1;
    int rc = 0;
    for (int i = 1; i < argc && rc >= 0; i += rc)
        rc = take_word(ret, argv + i, error, cap);
    return rc < 0 ? rc : 0;
}

void mount_args_release(struct mount_args *m)
{
    for (int i = 0; i < m->lists_count; i++)
        free(m->lists[i]);
    free(m->lists);
    free(m->argv);
    *m = (struct mount_args){0};
}
