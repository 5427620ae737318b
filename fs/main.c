// SPDX-License-Identifier: MIT
/*
 * The command. Unless told to stay, it forks before any thread starts; the first process lives
 * until the mount can be used, and ends with the status of the second if it cannot.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "cdrfs_version.h"
#include "fs/log.h"
#include "fs/mount_args.h"
#include "fs/start.h"

#define CA_FILE "SSL_CERT_FILE" /* the variable that start.c reads */
#define HERALD_FD 3
#define SYSTEM_STORES "/var/lib" /* what fstab mounts is kept in its cdrfs/ */

/* What went wrong before anything was started. */
static int complain(const char *error, int rc)
{
    const struct log log = {.level = LOG_LEVEL_ERROR};
    log_line(&log, LOG_LEVEL_ERROR, "%s", *error ? error : strerror(-rc));
    return 1;
}

/* The token is in this process: no dump of it, and nobody may attach or read what is in /proc. */
static void forbid_dumps(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

/* Whoever starts us may have closed some; what is opened next would take their place, and be lost
 * to the background or be written messages into. */
static bool open_standard_fds(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        ;
    return fd >= 0 && close(fd) == 0;
}

/* The pipe on which the background process says that it is ready; -1 in the foreground. */
struct herald {
    int fd;
};

static void say_ready(void *arg)
{
    struct herald *h = arg;
    if (h->fd < 0)
        return;
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    prctl(PR_SET_PDEATHSIG, 0);
    if (write(h->fd, "r", 1) != 1) /* nobody waits any more: interrupted just now */
        kill(getpid(), SIGTERM);
    close(h->fd);
    h->fd = -1;
}

/* In the first process: 0 when the second said it is ready, else its exit status. */
static int wait_for_ready(int fd, pid_t child)
{
    char c;
    int status = 0;
    ssize_t n;
    while ((n = read(fd, &c, 1)) < 0 && errno == EINTR)
        ;
    if (n == 1)
        return 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return complain("the background process was killed before it had mounted", 0);
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
}

/* A relative name would mean another file from where the background process works; an empty one
 * is none. */
static int keep_ca_file(void)
{
    const char *name = getenv(CA_FILE);
    if (!name || *name == '/')
        return 0;
    CLEANUP_FREE char *path = *name ? realpath(name, NULL) : NULL;
    int rc = path ? setenv(CA_FILE, path, 1) : *name ? 0 : unsetenv(CA_FILE);
    return rc < 0 ? -errno : 0;
}

/* Until the mount can be used, whoever ends the first process (Ctrl-C, a terminal that is closed)
 * means this one: SIGTERM ends it, also once it is handled. */
static int follow_caller(pid_t caller)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return getppid() == caller ? 0 : -EINTR;
}

/* In the second process: of what it was started with it keeps nothing but the standard three. */
static int leave_caller(struct herald *h, int fd)
{
    h->fd = fd == HERALD_FD ? fd : dup3(fd, HERALD_FD, O_CLOEXEC);
    if (h->fd < 0)
        return -errno;
    closefrom(HERALD_FD + 1);
    setsid();
    return chdir("/") < 0 ? -errno : 0;
}

/* Functions that have returned leave pieces of the token there, wherever registers were saved. */
__attribute__((noinline, no_sanitize("address"))) static void wipe_stack(void)
{
    char below[1 << 16];
    explicit_bzero(below, sizeof(below));
}

/* Returns in the process that goes on; the other one waits without the token, and exits. */
static int go_to_background(struct herald *h, struct account *a)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid_t caller = getpid(), child = fork();
    if (child < 0)
        return -errno;
    if (child > 0) {
        account_release(a);
        wipe_stack();
        close(fds[1]);
        _exit(wait_for_ready(fds[0], child));
    }
    int rc = follow_caller(caller);
    close(fds[0]); /* or the write that nobody waits for would not fail */
    return rc < 0 ? rc : leave_caller(h, fds[1]);
}

static int print_help(void)
{
    struct buf text = buf_make(1 << 16);
    options_help(&text);
    bool good = !buf_error(&text) && fputs(text.p, stdout) >= 0;
    buf_release(&text);
    return good ? 0 : 1;
}

static int run(const struct options *o)
{
    char error[512] = "";
    struct account a = {0};
    struct herald h = {-1};
    forbid_dumps();
    int rc = account_find(o, &a, error, sizeof(error));
    if (rc == 0)
        rc = keep_ca_file();
    if (rc == 0 && !o->foreground)
        rc = go_to_background(&h, &a);
    if (rc < 0) {
        account_release(&a);
        return complain(error, rc);
    }
    openlog("cdrfs", LOG_PID, LOG_DAEMON);
    json_object_seed(0); /* before threads */
    int status = start_and_serve(o, &a, say_ready, &h);
    account_release(&a);
    return status;
}

/* What mount(8) starts is known by the name of its link. Where the calls are kept must not depend
 * on whether a shell or the boot mounts. */
static void be_cdrfs(void)
{
    prctl(PR_SET_NAME, "cdrfs");
    if (getuid() == 0)
        setenv("XDG_CACHE_HOME", SYSTEM_STORES, 1);
}

int main(int argc, char **argv)
{
    char error[512] = "";
    struct options o = {0};
    struct mount_args m;
    signal(SIGCHLD, SIG_DFL); /* where it is ignored no child can be waited for */
    if (!open_standard_fds())
        return complain("/dev/null cannot be opened", 0);
    int status, rc = mount_args_take(argc, argv, &m, error, sizeof(error));
    if (rc == 0 && m.helper)
        be_cdrfs();
    if (rc == 0)
        rc = options_parse(m.argc, m.argv, &o, error, sizeof(error));
    if (rc < 0) {
        status = complain(error, rc);
    } else if (o.help) {
        status = print_help();
    } else if (o.version) {
        status = printf("cdrfs %s\n", CDRFS_VERSION) < 0;
    } else {
        status = m.fake ? 0 : run(&o);
    }
    options_release(&o);
    mount_args_release(&m);
    return status;
}
