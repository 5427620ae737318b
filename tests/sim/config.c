// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <string.h>

enum member_kind {
    MEMBER_INT,
    MEMBER_BOOL,
    MEMBER_ORDER,
    MEMBER_FIXED,
    MEMBER_NEXT,
    MEMBER_REFUSED
};

struct member {
    const char *name;
    enum member_kind kind;
    size_t at;
    int64_t min;
    int64_t max;
};

#define AT(m) offsetof(struct settings, m)

static const struct member members[] = {
    {"latency_ms", MEMBER_INT, AT(latency_ms), 0, 600000},
    {"jitter_ms", MEMBER_INT, AT(jitter_ms), 0, 600000},
    {"rate", MEMBER_INT, AT(rate), 0, 1000000},
    {"order", MEMBER_ORDER, 0, 0, 0},
    {"total_delta", MEMBER_INT, AT(total_delta), INT32_MIN, INT32_MAX},
    {"total_fixed", MEMBER_FIXED, 0, 0, 0},
    {"next", MEMBER_NEXT, 0, 0, 0},
    {"repeat_pages", MEMBER_BOOL, AT(repeat_pages), 0, 0},
    {"wrap_object", MEMBER_BOOL, AT(wrap_object), 0, 0},
    {"api_id_in_single", MEMBER_BOOL, AT(api_id_in_single), 0, 0},
    {"refuse_filters", MEMBER_REFUSED, 0, 0, 0},
    {"date_skew_s", MEMBER_INT, AT(date_skew_s), INT32_MIN, INT32_MAX},
    {"no_date", MEMBER_BOOL, AT(no_date), 0, 0},
};

void config_init(struct config *c, int64_t latency_ms, int64_t rate)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->now.latency_ms = latency_ms;
    c->now.rate = rate;
}

void config_release(struct config *c)
{
    pthread_mutex_destroy(&c->lock);
}

struct settings config_get(struct config *c)
{
    struct settings copy;

    pthread_mutex_lock(&c->lock);
    copy = c->now;
    pthread_mutex_unlock(&c->lock);
    return copy;
}

/* The place of a string in a NULL-terminated list, or -1. */
static int word(const json_t *value, const char *const *words)
{
    for (int i = 0; json_is_string(value) && words[i]; i++)
        if (strcmp(json_string_value(value), words[i]) == 0)
            return i;
    return -1;
}

static bool set_int(struct settings *s, const struct member *m, const json_t *value)
{
    int64_t v = json_integer_value(value);

    if (!json_is_integer(value) || v < m->min || v > m->max)
        return false;
    *(int64_t *)((char *)s + m->at) = v;
    return true;
}

static bool set_fixed(struct settings *s, const json_t *value)
{
    if (!json_is_null(value) && !json_is_integer(value))
        return false;
    s->has_total_fixed = json_is_integer(value);
    s->total_fixed = json_integer_value(value);
    return true;
}

static bool set_refused(struct settings *s, const json_t *value)
{
    size_t i;
    json_t *name;

    if (!json_is_array(value) || json_array_size(value) > CONFIG_REFUSED)
        return false;
    s->n_refused = 0;
    json_array_foreach((json_t *)value, i, name)
    {
        if (!json_is_string(name) || json_string_length(name) >= CONFIG_NAME)
            return false;
        strcpy(s->refused[s->n_refused++], json_string_value(name));
    }
    return true;
}

static bool set_word(int found, int *out)
{
    if (found >= 0)
        *out = found;
    return found >= 0;
}

static bool set_member(struct settings *s, const struct member *m, const json_t *value)
{
    static const char *const orders[] = {"desc", "asc", NULL};
    static const char *const nexts[] = {"normal", "always_true", "garbage", NULL};
    int found = 0;
    bool ok;

    switch (m->kind) {
    case MEMBER_INT:
        return set_int(s, m, value);
    case MEMBER_BOOL:
        if (json_is_boolean(value))
            *(bool *)((char *)s + m->at) = json_is_true(value);
        return json_is_boolean(value);
    case MEMBER_ORDER:
        ok = set_word(word(value, orders), &found);
        s->asc = ok ? found == 1 : s->asc;
        return ok;
    case MEMBER_FIXED:
        return set_fixed(s, value);
    case MEMBER_NEXT:
        ok = set_word(word(value, nexts), &found);
        s->next = ok ? (enum next_form)found : s->next;
        return ok;
    case MEMBER_REFUSED:
        return set_refused(s, value);
    }
    return false;
}

static const struct member *find(const char *name)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

int config_update(struct config *c, const json_t *object, const char **ret_bad)
{
    struct settings next = config_get(c);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        const struct member *m = find(key);

        if (m && set_member(&next, m, value))
            continue;
        *ret_bad = key;
        return -EINVAL;
    }
    pthread_mutex_lock(&c->lock);
    c->now = next;
    pthread_mutex_unlock(&c->lock);
    return 0;
}

bool settings_refuse(const struct settings *s, const char *key)
{
    size_t base;
    const char *op = strstr(key, "__");

    base = op ? (size_t)(op - key) : strlen(key);
    for (size_t i = 0; i < s->n_refused; i++)
        if (strcmp(s->refused[i], key) == 0 ||
            (strlen(s->refused[i]) == base && strncmp(s->refused[i], key, base) == 0))
            return true;
    return false;
}
