// SPDX-License-Identifier: MIT
#ifndef SIM_GATE_H
#define SIM_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Where requests wait: for time to pass, for a release, for their client to leave, for the end of
 * the program. Each waiter has an eventfd, so nothing polls and nothing sleeps. Safe from any
 * thread. */
struct waiter {
    int fd;          /* eventfd; -1 while the waiter is in no gate */
    bool releasable; /* gate lock */
    struct waiter *next;
    struct waiter *prev;
};

struct gate {
    pthread_mutex_t lock;
    struct waiter *head; /* lock */
    bool closed;         /* lock */
};

enum gate_event { GATE_TIME, GATE_OPENED, GATE_LEFT };

/* An open-ended waiting room; release it when nobody waits any more. */
void gate_init(struct gate *g);
void gate_release(struct gate *g);

/* Registers a waiter, which must stay where it is until gate_leave(). An event from now on is not
 * missed. Returns 0 or -errno. */
int gate_join(struct gate *g, struct waiter *w, bool releasable);

/* Takes the waiter out; harmless when it never joined (fd -1). */
void gate_leave(struct gate *g, struct waiter *w);

/* Blocks until `timeout_us` passed (-1: no limit), the gate opened for this waiter, or the peer of
 * `sock` went away. */
enum gate_event gate_wait(const struct waiter *w, int sock, int64_t timeout_us);

/* Lets all releasable waiters go; returns how many there were. */
int gate_open(struct gate *g);

/* Lets everyone go now and in future. */
void gate_close(struct gate *g);

#endif
