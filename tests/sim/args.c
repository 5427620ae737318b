// SPDX-License-Identifier: MIT
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int nibble(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10;
}

/* Decodes in place; 0 or -EINVAL. */
static int decode(char *s)
{
    char *out = s;

    for (; *s; s++) {
        if (*s != '%') {
            *out++ = *s == '+' ? ' ' : *s;
            continue;
        }
        if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2]))
            return -EINVAL;
        *out = (char)(nibble(s[1]) * 16 + nibble(s[2]));
        if (!*out++)
            return -EINVAL;
        s += 2;
    }
    *out = '\0';
    return 0;
}

static int add(struct args *a, char *item)
{
    char *equals = strchr(item, '=');
    static char empty[] = "";

    if (a->n == ARGS_MAX)
        return -E2BIG;
    if (equals)
        *equals = '\0';
    a->list[a->n].key = item;
    a->list[a->n].value = equals ? equals + 1 : empty;
    if (decode(item) < 0 || (equals && decode(equals + 1) < 0))
        return -EINVAL;
    a->n++;
    return 0;
}

int args_parse(struct args *a, const char *uri)
{
    const char *query = strchr(uri, '?');
    char *rest, *item;
    int err = 0;

    *a = (struct args){0};
    if (!query)
        return 0;
    a->store = rest = strdup(query + 1);
    if (!rest)
        return -ENOMEM;
    while (err == 0 && (item = strsep(&rest, "&")))
        if (*item)
            err = add(a, item);
    return err;
}

void args_release(struct args *a)
{
    free(a->store);
    *a = (struct args){0};
}

const char *args_get(const struct args *a, const char *key)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->list[i].key, key) == 0)
            return a->list[i].value;
    return NULL;
}
