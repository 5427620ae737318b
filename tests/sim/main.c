// SPDX-License-Identifier: MIT
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "http.h"
#include "options.h"
#include "sim.h"

enum { EXIT_USAGE = 2, LAST_MOMENT_US = 400000 };

/* Blocks the signals that end the program, in all threads to come, and opens them as a file. */
static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool stdin_ended(void)
{
    char buf[4096];
    ssize_t n = read(STDIN_FILENO, buf, sizeof buf);

    return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

/* Runs until a signal, the end of stdin if that counts, or the unmount that is waited for. */
static void run(struct sim *sim, int signals)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = sim->wake, .events = POLLIN},
                           {.fd = sim->mounts.info, .events = POLLPRI},
                           {.fd = sim->options.exit_on_eof ? STDIN_FILENO : -1, .events = POLLIN}};
    eventfd_t count;

    while (!mounts_gone(&sim->mounts)) {
        if (poll(fds, 4, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            return;
        if (fds[1].revents)
            eventfd_read(sim->wake, &count);
        if (fds[3].revents && stdin_ended())
            return;
    }
}

static int announce(const struct options *o, int port)
{
    struct text t;

    text_init(&t, 65536);
    text_fmt(&t, "{\"port\":%d,\"pid\":%ld,\"api_url\":\"http://127.0.0.1:%d/v1\",", port,
             (long)getpid(), port);
    text_fmt(&t, "\"control_url\":\"http://127.0.0.1:%d/control\",\"auth_id\":", port);
    text_json(&t, o->auth_id, strlen(o->auth_id));
    text_str(&t, ",\"auth_token\":");
    text_json(&t, o->auth_token, strlen(o->auth_token));
    text_str(&t, "}\n");
    if (t.data)
        fwrite(t.data, 1, t.len, stdout);
    text_release(&t);
    return fflush(stdout) == 0 ? 0 : -errno;
}

static void leave_now(int signal)
{
    (void)signal;
    _exit(0);
}

/* Whoever waits is let go; should a client still hold a thread, the program leaves without it. */
static void shut_down(struct sim *sim, struct MHD_Daemon *daemon)
{
    struct itimerval last = {.it_value = {.tv_usec = LAST_MOMENT_US}};

    signal(SIGALRM, leave_now);
    setitimer(ITIMER_REAL, &last, NULL);
    gate_close(&sim->gate);
    reqlog_close(&sim->reqlog);
    MHD_stop_daemon(daemon);
}

static int serve(struct sim *sim)
{
    int signals = open_signals();
    struct MHD_Daemon *daemon = NULL;
    int err;

    if (signals < 0)
        return EXIT_FAILURE;
    err = sim_init(sim);
    if (err == 0 && !(daemon = http_start(sim)))
        err = -EADDRNOTAVAIL;
    if (err == 0)
        err = announce(&sim->options, http_port(daemon));
    if (err == 0)
        run(sim, signals);
    else
        fprintf(stderr, "cdrfs-sim: cannot start: %s\n", strerror(-err));
    if (daemon)
        shut_down(sim, daemon);
    sim_release(sim);
    close(signals);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct sim *sim = calloc(1, sizeof *sim);
    int parsed = sim ? options_parse(&sim->options, argc, argv) : -ENOMEM;
    int status = parsed < 0 ? EXIT_USAGE : EXIT_SUCCESS;

    json_object_seed(0);
    if (parsed == 1)
        options_help(stdout);
    else if (parsed == 0)
        status = serve(sim);
    if (sim)
        options_release(&sim->options);
    free(sim);
    return status;
}
