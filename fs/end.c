// SPDX-License-Identifier: MIT
#include "fs/end.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "api/util.h"

#define KICK_NS 1000000

static const int signals[] = {SIGINT, SIGTERM};

/* Posted for each signal, and when the loop has ended. Static because handlers are: its contents
 * mean nothing but between end_create() and end_destroy(). */
static sem_t told;

struct end {
    struct fuse_session *se;
    void (*stop)(void *arg);
    void *arg;
    pthread_t looper, thread;
    atomic_bool over; /* the loop is */
};

static void on_signal(int number)
{
    int kept = errno;
    (void)number;
    sem_post(&told);
    errno = kept;
}

static void handle(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}; /* without SA_RESTART */
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
}

/* Gets the looper out of whatever it waits in; as it may be just about to wait, more than once. */
static void kick(struct end *e)
{
    static const struct timespec pause = {.tv_nsec = KICK_NS};
    while (!atomic_load(&e->over)) {
        pthread_kill(e->looper, SIGTERM);
        nanosleep(&pause, NULL);
    }
}

static void *run(void *arg)
{
    struct end *e = arg;
    while (sem_wait(&told) < 0)
        ;
    if (atomic_load(&e->over))
        return NULL;
    e->stop(e->arg);
    fuse_session_exit(e->se);
    kick(e);
    return NULL;
}

struct end *end_create(struct fuse_session *se, void (*stop)(void *arg), void *arg)
{
    struct end *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->se = se;
    e->stop = stop;
    e->arg = arg;
    e->looper = pthread_self();
    sem_init(&told, 0, 0);
    if (pthread_create(&e->thread, NULL, run, e) != 0) {
        free(e);
        return NULL;
    }
    handle(on_signal);
    return e;
}

void end_destroy(struct end *e)
{
    if (!e)
        return;
    atomic_store(&e->over, true);
    sem_post(&told);
    pthread_join(e->thread, NULL);
    handle(SIG_IGN);
    free(e);
}
