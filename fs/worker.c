// SPDX-License-Identifier: MIT
#include "fs/worker.h"

#include <errno.h>
#include <pthread.h>
#include <utlist.h>

struct task {
    worker_fn *fn;
    void *arg;
    struct task *prev, *next;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock; /* guards the rest; signalled by wake */
    pthread_cond_t wake;
    struct task *tasks;
    bool stop;
};

/* NULL: stopped, and nothing left. */
static struct task *next_task(struct worker *w, bool *stopping)
{
    pthread_mutex_lock(&w->lock);
    while (!w->tasks && !w->stop)
        pthread_cond_wait(&w->wake, &w->lock);
    struct task *t = w->tasks;
    if (t)
        DL_DELETE(w->tasks, t);
    *stopping = w->stop;
    pthread_mutex_unlock(&w->lock);
    return t;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    struct task *t;
    bool stopping;
    while ((t = next_task(w, &stopping))) {
        t->fn(t->arg, stopping);
        free(t);
    }
    return NULL;
}

struct worker *worker_create(void)
{
    struct worker *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, run, w) == 0)
        return w;
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

int worker_run(struct worker *w, worker_fn *fn, void *arg)
{
    struct task *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    *t = (struct task){.fn = fn, .arg = arg};
    pthread_mutex_lock(&w->lock);
    bool stopped = w->stop;
    if (!stopped) {
        DL_APPEND(w->tasks, t);
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    if (stopped)
        free(t);
    return stopped ? -ENOTCONN : 0;
}

void worker_stop(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    bool stopped = w->stop;
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    if (!stopped)
        pthread_join(w->thread, NULL);
}

void worker_destroy(struct worker *w)
{
    if (!w)
        return;
    worker_stop(w);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
