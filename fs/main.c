// SPDX-License-Identifier: MIT
/*
 * The command. Unless told to stay, it forks before any thread starts; the first process lives
 * until the mount can be used, and ends with the status of the second if it cannot.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cdrfs_version.h"
#include "fs/start.h"

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
    if (write(h->fd, "r", 1) == 1)
        close(h->fd);
    h->fd = -1;
}

/* In the first process: 0 when the second said it is ready, else its exit status. */
static int wait_for_ready(int fd, pid_t child)
{
    char c;
    int status;
    ssize_t n;
    while ((n = read(fd, &c, 1)) < 0 && errno == EINTR)
        ;
    if (n == 1)
        return 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
}

/* Returns in the process that goes on; the other one exits. */
static int go_to_background(struct herald *h)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child > 0) {
        close(fds[1]);
        _exit(wait_for_ready(fds[0], child));
    }
    close(fds[0]);
    h->fd = fds[1];
    setsid();
    return chdir("/") < 0 ? -errno : 0;
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
    int rc = account_find(o, &a, error, sizeof(error));
    if (rc == 0 && !o->foreground)
        rc = go_to_background(&h);
    if (rc < 0) {
        fprintf(stderr, "cdrfs: %s\n", *error ? error : strerror(-rc));
        account_release(&a);
        return 1;
    }
    json_object_seed(0); /* before threads */
    int status = start_and_serve(o, &a, say_ready, &h);
    account_release(&a);
    return status;
}

int main(int argc, char **argv)
{
    char error[512];
    struct options o;
    int status, rc = options_parse(argc, argv, &o, error, sizeof(error));
    if (rc < 0) {
        fprintf(stderr, "cdrfs: %s\n", *error ? error : strerror(-rc));
        status = 1;
    } else if (o.help) {
        status = print_help();
    } else if (o.version) {
        status = printf("cdrfs %s\n", CDRFS_VERSION) < 0;
    } else {
        status = run(&o);
    }
    options_release(&o);
    return status;
}
