// SPDX-License-Identifier: MIT
#include "fs/used.h"

#include <pthread.h>
#include <string.h>

struct used {
    pthread_mutex_t lock; /* guards the rest */
    struct {
        int n;
        char names[USED_MAX][USED_NAME_MAX];
    } axes[AXES];
};

struct used *used_create(void)
{
    struct used *u = calloc(1, sizeof(*u));
    if (u)
        pthread_mutex_init(&u->lock, NULL);
    return u;
}

void used_destroy(struct used *u)
{
    if (!u)
        return;
    pthread_mutex_destroy(&u->lock);
    free(u);
}

void used_add(struct used *u, int axis, const char *value)
{
    pthread_mutex_lock(&u->lock);
    int n = u->axes[axis].n, i = 0;
    while (i < n && strcmp(u->axes[axis].names[i], value) != 0)
        i++;
    if (i == n && n < USED_MAX && strlen(value) < USED_NAME_MAX) {
        str_copy(u->axes[axis].names[n], USED_NAME_MAX, value, strlen(value));
        u->axes[axis].n++;
    }
    pthread_mutex_unlock(&u->lock);
}

int used_list(struct used *u, int axis, int (*fn)(void *arg, const char *value), void *arg)
{
    int rc = 0;
    pthread_mutex_lock(&u->lock);
    for (int i = 0; i < u->axes[axis].n && rc == 0; i++)
        rc = fn(arg, u->axes[axis].names[i]);
    pthread_mutex_unlock(&u->lock);
    return rc;
}
