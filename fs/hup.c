// SPDX-License-Identifier: MIT
#include "fs/hup.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct hup {
    struct fs *fs;
    pthread_t thread;
    atomic_bool stop;
};

static sigset_t only_hup(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    return set;
}

void hup_block(void)
{
    sigset_t set = only_hup();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *run(void *arg)
{
    struct hup *h = arg;
    sigset_t set = only_hup();
    int signal_number;
    while (sigwait(&set, &signal_number) == 0 && !atomic_load(&h->stop)) {
        struct query all = QUERY_ALL;
        log_line(h->fs->log, LOG_LEVEL_INFO, "SIGHUP: everything is read anew when it is used");
        cache_refresh(h->fs->cache, &all);
    }
    return NULL;
}

struct hup *hup_create(struct fs *fs)
{
    struct hup *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->fs = fs;
    if (pthread_create(&h->thread, NULL, run, h) == 0)
        return h;
    free(h);
    return NULL;
}

void hup_destroy(struct hup *h)
{
    if (!h)
        return;
    atomic_store(&h->stop, true);
    pthread_kill(h->thread, SIGHUP);
    pthread_join(h->thread, NULL);
    free(h);
}
