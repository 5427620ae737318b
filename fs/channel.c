// SPDX-License-Identifier: MIT
#include "fs/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fuse.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The reply to INIT: a header and the answer proper; no other reply of ours has these two sizes and
 * the version in its place. */
static bool is_init_reply(const struct iovec *iov, int count)
{
    if (count != 2 || iov[1].iov_len != sizeof(struct fuse_init_out))
        return false;
    const struct fuse_out_header *header = iov[0].iov_base;
    const struct fuse_init_out *init = iov[1].iov_base;
    return header->error == 0 && init->major == FUSE_KERNEL_VERSION && init->max_write >= 4096;
}

static ssize_t channel_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    (void)userdata;
    if (is_init_reply(iov, count))
        ((struct fuse_init_out *)iov[1].iov_base)->flags |= FUSE_PARALLEL_DIROPS;
    return writev(fd, iov, count);
}

static ssize_t channel_read(int fd, void *buf, size_t size, void *userdata)
{
    (void)userdata;
    return read(fd, buf, size);
}

int channel_mount(struct fuse_session *se, const char *mountpoint)
{
    const struct fuse_custom_io io = {.writev = channel_writev, .read = channel_read};
    if (fuse_session_mount(se, mountpoint) != 0)
        return -EIO;
    return fuse_session_custom_io(se, &io, fuse_session_fd(se)) == 0 ? 0 : -EIO;
}

struct mounted {
    char type[32], account[64], user[16];
};

static void take_mount(const struct mntent *m, struct mounted *ret)
{
    const char *user = hasmntopt(m, "user_id");
    user = user ? user + strlen("user_id=") : "?";
    str_copy(ret->type, sizeof(ret->type), m->mnt_type, strlen(m->mnt_type));
    str_copy(ret->account, sizeof(ret->account), m->mnt_fsname, strlen(m->mnt_fsname));
    str_copy(ret->user, sizeof(ret->user), user, strcspn(user, ","));
}

/* What is mounted last on that path; false when nothing is. */
static bool find_mounted(const char *path, struct mounted *ret)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    struct mntent *m;
    bool found = false;
    while (f && (m = getmntent(f))) {
        if (strcmp(m->mnt_dir, path) == 0) {
            take_mount(m, ret);
            found = true;
        }
    }
    if (f)
        endmntent(f);
    return found;
}

static bool take_away(const char *path)
{
    if (umount2(path, MNT_DETACH) == 0)
        return true;
    pid_t child = fork();
    if (child == 0) {
        execlp("fusermount3", "fusermount3", "-u", "-q", "-z", "--", path, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define DEAD_MOST 16 /* mounts upon each other */

static bool is_ours(const char *path, struct mounted *ret)
{
    return find_mounted(path, ret) && strcmp(ret->type, "fuse.cdrfs") == 0;
}

/* The name that the kernel's table has. A slash at the end would have realpath() look inside, where
 * only the mounter may. NULL: it cannot be told. */
static char *name_of(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    CLEANUP_FREE char *bare = strndup(path, n);
    return bare ? realpath(bare, NULL) : NULL;
}

/* Probed with statfs: the kernel answers stat of a dead
 * mount's root from its cache. */
static int look_at_mounted(const char *path, char *error, size_t cap)
{
    CLEANUP_FREE char *full = name_of(path);
    const char *name = full ? full : path;
    struct mounted m = {0};
    struct statvfs st;
    for (int i = 0; is_ours(name, &m); i++) {
        if (statvfs(name, &st) == 0 || errno != ENOTCONN) {
            snprintf(error, cap,
                     "%s: cdrfs is mounted there already, account %s, by the user with uid %s; "
                     "fusermount3 -u %s",
                     name, m.account, m.user, name);
            return -EBUSY;
        }
        if (i == DEAD_MOST || !take_away(name)) {
            snprintf(error, cap, "%s: a dead mount is in the way; fusermount3 -u -z %s", name,
                     name);
            return -EBUSY;
        }
    }
    return 0;
}

/* libfuse's own messages say less, and come late. */
static int look_at_device(char *error, size_t cap)
{
    static const char device[] = "/dev/fuse";
    struct stat st;
    int rc = 0, fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        rc = -errno;
    else if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
        rc = -ENODEV;
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        snprintf(error, cap, "%s cannot be opened: %s; %s", device, strerror(-rc),
                 rc == -EACCES ? "it must be readable and writable for you, as with chmod 666"
                               : "modprobe fuse; in a container: --device /dev/fuse");
    else if ((rc = prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0 ? -EPERM : 0) < 0)
        snprintf(error, cap, "mounting is not allowed here; in a container: --cap-add SYS_ADMIN");
    return rc;
}

/* Where libfuse looks: in the folder that it was built for, and as the shell does. */
static bool is_found(const char *program)
{
    char path[4096];
    const char *more = getenv("PATH");
    CLEANUP_FREE char *list = NULL;
    if (asprintf(&list, "/usr/bin:/bin:/usr/local/bin:%s", more ? more : "") < 0)
        return false;
    for (char *rest = list, *dir; (dir = strsep(&rest, ":"));) {
        snprintf(path, sizeof(path), "%s/%s", *dir ? dir : ".", program);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* Only root mounts without it. */
static int look_at_helper(char *error, size_t cap)
{
    if (geteuid() == 0 || is_found("fusermount3"))
        return 0;
    snprintf(error, cap, "there is no fusermount3 that you can run; install the package fuse3");
    return -ENOENT;
}

static int look_at_folder(const char *mountpoint, char *error, size_t cap)
{
    struct stat st;
    int rc = stat(mountpoint, &st) < 0 ? -errno : 0;
    if (rc < 0)
        snprintf(error, cap, "the mountpoint %s cannot be used: %s; %s", mountpoint, strerror(-rc),
                 rc == -ENOENT ? "make it with mkdir" : "give another directory");
    else if (!S_ISDIR(st.st_mode)) {
        rc = -ENOTDIR;
        snprintf(error, cap, "the mountpoint %s is no directory; give another", mountpoint);
    }
    return rc;
}

int channel_prepare(const char *mountpoint, char *error, size_t cap)
{
    int rc = look_at_mounted(mountpoint, error, cap);
    if (rc == 0)
        rc = look_at_folder(mountpoint, error, cap);
    if (rc == 0)
        rc = look_at_device(error, cap);
    return rc < 0 ? rc : look_at_helper(error, cap);
}
