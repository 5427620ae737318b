// SPDX-License-Identifier: MIT
#include "fs/crawlers.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATTERN_MAX 64
#define STATUS_MAX 512 /* Tgid stands in the first lines of /proc/PID/status */

bool crawlers_name_matches(const char *patterns, const char *name)
{
    char pattern[PATTERN_MAX];
    while (*patterns) {
        size_t n = strcspn(patterns, ":");
        if (n && str_copy(pattern, sizeof(pattern), patterns, n) && fnmatch(pattern, name, 0) == 0)
            return true;
        patterns += n + (patterns[n] == ':');
    }
    return false;
}

/* The beginning of a file of /proc; "" when it cannot be read. */
static void read_proc(pid_t pid, const char *what, char *out, size_t cap)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, cap - 1);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
}

static bool comm_matches(const char *patterns, pid_t pid)
{
    char comm[32];
    read_proc(pid, "comm", comm, sizeof(comm));
    comm[strcspn(comm, "\n")] = '\0';
    return *comm && crawlers_name_matches(patterns, comm);
}

static bool exe_matches(const char *patterns, pid_t pid)
{
    char path[64], exe[4096];
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(path, exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(exe, '/');
    return slash && crawlers_name_matches(patterns, slash + 1);
}

static pid_t process_of(pid_t pid)
{
    char status[STATUS_MAX];
    int process;
    read_proc(pid, "status", status, sizeof(status));
    const char *line = strstr(status, "\nTgid:");
    return line && sscanf(line, "\nTgid: %d", &process) == 1 ? (pid_t)process : pid;
}

bool crawlers_match(const char *patterns, pid_t pid)
{
    if (pid <= 0)
        return false;
    if (comm_matches(patterns, pid) || exe_matches(patterns, pid))
        return true;
    pid_t process = process_of(pid);
    return process != pid && comm_matches(patterns, process);
}
