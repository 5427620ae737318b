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

/* The type of what is mounted last on that path; false when nothing is. */
static bool mounted_type(const char *path, char *type, size_t cap)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    struct mntent *m;
    bool found = false;
    while (f && (m = getmntent(f))) {
        if (strcmp(m->mnt_dir, path) == 0) {
            str_copy(type, cap, m->mnt_type, strlen(m->mnt_type));
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

static bool is_ours(const char *path)
{
    char type[64];
    return mounted_type(path, type, sizeof(type)) && strcmp(type, "fuse.cdrfs") == 0;
}

/* Probed with statfs: the kernel answers stat of a dead mount's root from its cache. */
static int look_at_mounted(const char *path, char *error, size_t cap)
{
    struct statvfs st;
    for (int i = 0; is_ours(path); i++) {
        if (statvfs(path, &st) == 0 || errno != ENOTCONN) {
            snprintf(error, cap, "%s: cdrfs is mounted there already; fusermount3 -u %s", path,
                     path);
            return -EBUSY;
        }
        if (i == DEAD_MOST || !take_away(path)) {
            snprintf(error, cap, "%s: a dead mount is in the way; fusermount3 -u -z %s", path,
                     path);
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

int channel_prepare(const char *mountpoint, char *error, size_t cap)
{
    struct stat st;
    int rc = look_at_mounted(mountpoint, error, cap);
    if (rc < 0)
        return rc;
    if (stat(mountpoint, &st) < 0) {
        rc = -errno;
        snprintf(error, cap, "the mountpoint %s cannot be used: %s", mountpoint, strerror(-rc));
    } else if (!S_ISDIR(st.st_mode)) {
        rc = -ENOTDIR;
        snprintf(error, cap, "the mountpoint %s is no directory", mountpoint);
    }
    return rc < 0 ? rc : look_at_device(error, cap);
}
