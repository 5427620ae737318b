// SPDX-License-Identifier: MIT
#include "gate.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vclock.h"

void gate_init(struct gate *g)
{
    *g = (struct gate){0};
    pthread_mutex_init(&g->lock, NULL);
}

void gate_release(struct gate *g)
{
    pthread_mutex_destroy(&g->lock);
}

int gate_join(struct gate *g, struct waiter *w, bool releasable)
{
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->fd < 0)
        return -errno;
    w->releasable = releasable;
    w->prev = NULL;
    pthread_mutex_lock(&g->lock);
    w->next = g->head;
    if (w->next)
        w->next->prev = w;
    g->head = w;
    if (g->closed)
        eventfd_write(w->fd, 1);
    pthread_mutex_unlock(&g->lock);
    return 0;
}

void gate_leave(struct gate *g, struct waiter *w)
{
    if (w->fd < 0)
        return;
    pthread_mutex_lock(&g->lock);
    if (w->prev)
        w->prev->next = w->next;
    else
        g->head = w->next;
    if (w->next)
        w->next->prev = w->prev;
    pthread_mutex_unlock(&g->lock);
    close(w->fd);
    w->fd = -1;
}

enum gate_event gate_wait(const struct waiter *w, int sock, int64_t timeout_us)
{
    struct pollfd fds[] = {{.fd = w->fd, .events = POLLIN}, {.fd = sock, .events = POLLRDHUP}};
    int64_t until = mono_now_us() + timeout_us;

    for (;;) {
        int64_t left = timeout_us < 0 ? 1000000 : until - mono_now_us();
        struct timespec ts = {left / 1000000, left % 1000000 * 1000};
        int n;

        if (left <= 0)
            return GATE_TIME;
        n = ppoll(fds, 2, timeout_us < 0 ? NULL : &ts, NULL);
        if (n < 0 && errno != EINTR)
            return GATE_TIME;
        if (n > 0 && fds[0].revents)
            return GATE_OPENED;
        if (n > 0 && fds[1].revents)
            return GATE_LEFT;
    }
}

int gate_open(struct gate *g)
{
    int n = 0;

    pthread_mutex_lock(&g->lock);
    for (struct waiter *w = g->head; w; w = w->next) {
        if (!w->releasable)
            continue;
        eventfd_write(w->fd, 1);
        n++;
    }
    pthread_mutex_unlock(&g->lock);
    return n;
}

void gate_close(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->closed = true;
    for (struct waiter *w = g->head; w; w = w->next)
        eventfd_write(w->fd, 1);
    pthread_mutex_unlock(&g->lock);
}
