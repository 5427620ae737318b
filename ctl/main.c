// SPDX-License-Identifier: MIT
/*
 * cdrfsctl: asks a mount of cdrfs about itself, and has it read, by the files of its .cdrfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cdrfs_version.h"
#include "ctl/ctl.h"

static const char help[] =
    "usage: cdrfsctl status|explain|refresh|prefetch [--json] [PATH...]\n"
    "\n"
    "Asks the mount of cdrfs that PATH is in about itself, and has it read. Without PATH,\n"
    "or with one that is in no mount, the only mount there is.\n"
    "\n"
    "  status     how the API fares, what is held and on its way\n"
    "  explain    what of PATH is held and until when that is believed, what reading it\n"
    "             would cost in requests and seconds, and the request, as a curl line;\n"
    "             asks the API nothing\n"
    "  refresh    has PATH read anew when it is next used\n"
    "  prefetch   has PATH read ahead, behind what anybody waits for, and shows how far it\n"
    "             is; it goes on when this is interrupted\n"
    "\n"
    "PATH may end in a range of dates: by-date/2026-05-01..2026-05-31.\n"
    "\n"
    "  --json     explain: as the mount says it\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "Exit status: 0 done; 1 no such mount or path, or bad usage; 2 the API fails, or not\n"
    "all could be read.\n";

int complain(const char *what, const char *why)
{
    fprintf(stderr, "cdrfsctl: %s: %s\n", what, why);
    return CTL_CANNOT;
}

static int control_path(const struct place *at, const char *name, char out[CTL_PATH_MAX])
{
    int n = snprintf(out, CTL_PATH_MAX, "%s/.cdrfs/%s", at->mount, name);
    return n < CTL_PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_all(const char *path, char **ret)
{
    struct buf text = buf_make(16u << 20);
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (n > 0) {
        char *room = buf_room(&text, 65536);
        n = room ? read(fd, room, 65536) : -1;
        if (n > 0)
            buf_filled(&text, (size_t)n);
    }
    int rc = buf_error(&text) ? buf_error(&text) : n < 0 ? -errno : 0;
    close(fd);
    buf_puts(&text, "");
    *ret = rc == 0 ? text.p : NULL;
    if (rc < 0)
        buf_release(&text);
    return rc == 0 && !*ret ? -ENOMEM : rc;
}

int read_control(const struct place *at, const char *name, char **ret)
{
    char path[CTL_PATH_MAX];
    int rc = control_path(at, name, path);
    return rc < 0 ? rc : read_all(path, ret);
}

int write_control(const struct place *at, const char *name, const char *line)
{
    char path[CTL_PATH_MAX], text[CTL_PATH_MAX + 2];
    int rc = control_path(at, name, path);
    int fd = rc < 0 ? -1 : open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return rc < 0 ? rc : -errno;
    int n = snprintf(text, sizeof(text), "%s\n", *line ? line : "/");
    rc = write(fd, text, (size_t)n) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

void put_clock(char out[32], double seconds)
{
    long s = seconds > 0 && seconds < 1e9 ? (long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(out, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld", s / 60, s % 60);
}

/* --- which mount --- */

/* Follows links, but only those before the mountpoint: what is in the mount is not looked at. */
static const char *mount_by_links(const struct mounts *m, char *path, const char **rest)
{
    char real[PATH_MAX];
    for (char *p = path + 1;; p++) {
        char c = *p;
        if (c && c != '/')
            continue;
        *p = '\0';
        bool there = realpath(path, real) != NULL;
        *p = c;
        const char *empty, *found = there ? mounts_above(m, real, &empty) : NULL;
        if (found && !*empty) {
            *rest = c ? p + 1 : p;
            return found;
        }
        if (!c || !there)
            return NULL;
    }
}

static int no_single_mount(const struct mounts *m)
{
    if (!m->n)
        return complain("no mount of cdrfs here", "see /proc/self/mountinfo");
    fprintf(stderr, "cdrfsctl: there are several mounts; name one by a path in it:\n");
    for (size_t i = 0; i < m->n; i++)
        fprintf(stderr, "  %s\n", m->v[i]);
    return CTL_CANNOT;
}

/* arg NULL: the only mount there is, all of it. */
static int find_place(const struct mounts *m, const char *arg, struct place *ret)
{
    char cwd[PATH_MAX], path[CTL_PATH_MAX];
    const char *mount, *rest;
    if (!getcwd(cwd, sizeof(cwd)))
        strcpy(cwd, "/");
    if (path_clean(cwd, arg ? arg : "", path) < 0)
        return complain(arg, strerror(ENAMETOOLONG));
    mount = mounts_above(m, path, &rest);
    if (!mount && arg && *path)
        mount = mount_by_links(m, path, &rest);
    if (!mount && arg && *arg == '/')
        return complain(arg, "is in no mount of cdrfs");
    if (!mount && m->n != 1)
        return no_single_mount(m);
    if (!mount) {
        mount = m->v[0];
        if (path_clean("", arg ? arg : "", path) < 0)
            return complain(arg, strerror(ENAMETOOLONG));
        rest = *path ? path + 1 : path;
    } else if (!arg) {
        rest = "";
    }
    str_copy(ret->mount, sizeof(ret->mount), mount, strlen(mount));
    str_copy(ret->path, sizeof(ret->path), rest, strlen(rest));
    return CTL_DONE;
}

/* --- commands --- */

static int ctl_status(const struct place *at)
{
    CLEANUP_FREE char *text = NULL;
    int rc = read_control(at, "status", &text);
    if (rc < 0)
        return complain(at->mount, strerror(-rc));
    fputs(text, stdout);
    return strstr(text, "api: failed") ? CTL_INCOMPLETE : CTL_DONE;
}

static int ctl_refresh(const struct place *at)
{
    int rc = write_control(at, "refresh", at->path);
    return rc < 0 ? complain(*at->path ? at->path : at->mount, strerror(-rc)) : CTL_DONE;
}

static int run(const char *command, bool json, const struct place *at)
{
    if (strcmp(command, "status") == 0)
        return ctl_status(at);
    if (strcmp(command, "explain") == 0)
        return ctl_explain(at, json);
    if (strcmp(command, "refresh") == 0)
        return ctl_refresh(at);
    return ctl_prefetch(at);
}

static bool is_command(const char *s)
{
    return strcmp(s, "status") == 0 || strcmp(s, "explain") == 0 || strcmp(s, "refresh") == 0 ||
           strcmp(s, "prefetch") == 0;
}

/* The first argument is the command. */
static int run_all(int argc, char **argv, bool json)
{
    CLEANUP_FREE char *text = NULL;
    struct mounts m;
    int worst = CTL_DONE, rc = read_all("/proc/self/mountinfo", &text);
    if (rc == 0)
        rc = mounts_parse(text, &m);
    if (rc < 0)
        return complain("/proc/self/mountinfo", strerror(-rc));
    for (int i = 1; i < (argc > 1 ? argc : 2); i++) {
        struct place at;
        int status = find_place(&m, i < argc ? argv[i] : NULL, &at);
        if (status == CTL_DONE)
            status = run(argv[0], json, &at);
        worst = status > worst ? status : worst;
    }
    mounts_release(&m);
    return worst;
}

int main(int argc, char **argv)
{
    bool json = false, options = true;
    int n = 0; /* those left of argv */
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!options || *a != '-' || !a[1]) {
            argv[n++] = argv[i];
        } else if (strcmp(a, "--") == 0) {
            options = false;
        } else if (strcmp(a, "--json") == 0) {
            json = true;
        } else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            return fputs(help, stdout) < 0;
        } else if (strcmp(a, "-V") == 0 || strcmp(a, "--version") == 0) {
            return printf("cdrfsctl %s\n", CDRFS_VERSION) < 0;
        } else {
            return complain(a, "no such option; see cdrfsctl --help");
        }
    }
    if (!n || !is_command(argv[0]))
        return complain(n ? argv[0] : "no command",
                        "takes status, explain, refresh or prefetch; see cdrfsctl --help");
    if (json && strcmp(argv[0], "explain") != 0)
        return complain("--json", "only of explain");
    int status = run_all(n, argv, json);
    return fflush(stdout) == 0 ? status : complain("standard output", strerror(errno));
}
