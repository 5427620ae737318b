// SPDX-License-Identifier: MIT
#include "cache/memo.h"

#include <string.h>

void memo_put(struct memo *m, const char *key, int64_t until_ms)
{
    str_copy(m->v[m->next].key, sizeof(m->v[m->next].key), key, strlen(key));
    m->v[m->next].until_ms = until_ms;
    m->v[m->next].times = 1;
    m->next = (m->next + 1) % MEMO_SIZE;
}

bool memo_has(const struct memo *m, const char *key, int64_t now_ms)
{
    for (int i = 0; i < MEMO_SIZE; i++)
        if (m->v[i].until_ms > now_ms && strcmp(m->v[i].key, key) == 0)
            return true;
    return false;
}

int memo_count(struct memo *m, const char *key, int64_t now_ms, int64_t until_ms)
{
    for (int i = 0; i < MEMO_SIZE; i++) {
        if (m->v[i].until_ms <= now_ms || strcmp(m->v[i].key, key) != 0)
            continue;
        m->v[i].until_ms = until_ms;
        return ++m->v[i].times;
    }
    memo_put(m, key, until_ms);
    return 1;
}
