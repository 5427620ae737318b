// SPDX-License-Identifier: MIT
#include "extra.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "utc.h"

struct extra *extra_create(void)
{
    return calloc(1, sizeof(struct extra));
}

static void item_clear(struct extra_item *item)
{
    free(item->key);
    free(item->literal);
    free(item->text);
}

void extra_destroy(struct extra *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->n; i++)
        item_clear(&x->items[i]);
    free(x->items);
    free(x->raw);
    free(x->uuid);
    free(x->trunk_id);
    free(x);
}

/* The C text of a literal; malloc'd, "" for what has none. */
static char *text_of(const char *literal)
{
    json_t *value = literal ? json_loads(literal, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    char *text;

    if (json_is_string(value))
        text = strdup(json_string_value(value));
    else if (json_is_number(value) || json_is_boolean(value))
        text = strdup(literal);
    else
        text = strdup("");
    json_decref(value);
    return text;
}

static struct extra_item *slot(struct extra *x, const char *key)
{
    struct extra_item *items;

    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->items[i].key, key) == 0)
            return &x->items[i];
    if (x->n == EXTRA_MAX_ITEMS)
        return NULL;
    items = realloc(x->items, (x->n + 1) * sizeof *items);
    if (!items)
        return NULL;
    x->items = items;
    items[x->n] = (struct extra_item){.key = strdup(key)};
    return items[x->n].key ? &items[x->n++] : NULL;
}

static int replace(char **field, char *value)
{
    if (!value)
        return -ENOMEM;
    free(*field);
    *field = value;
    return 0;
}

/* Keeps what other parts of the simulator need of certain keys. */
static int remember(struct extra *x, const struct extra_item *item)
{
    if (strcmp(item->key, "call_uuid") == 0)
        return replace(&x->uuid, strdup(item->text));
    if (strcmp(item->key, "trunk_domain") == 0)
        return replace(&x->trunk_id, strndup(item->text, strcspn(item->text, ".")));
    return 0;
}

int extra_set(struct extra *x, const char *key, const char *literal)
{
    const struct column *col = column_find(key);
    struct extra_item *item = slot(x, col ? col->latest : key);

    if (!item)
        return x->n == EXTRA_MAX_ITEMS ? -E2BIG : -ENOMEM;
    free(item->literal);
    item->literal = literal ? strdup(literal) : NULL;
    if ((literal && !item->literal) || replace(&item->text, text_of(literal)) < 0)
        return -ENOMEM;
    return remember(x, item);
}

int extra_set_object(struct extra *x, const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        char *literal = json_dumps(value, JSON_ENCODE_ANY);
        int err = literal ? extra_set(x, key, literal) : -ENOMEM;

        free(literal);
        if (err < 0)
            return err;
    }
    return 0;
}

int extra_set_raw(struct extra *x, const char *raw, size_t len)
{
    json_t *object = json_loadb(raw, len, JSON_ALLOW_NUL, NULL);
    int err = 0;

    if (json_is_object(object))
        err = extra_set_object(x, object);
    json_decref(object);
    return err < 0 ? err : replace(&x->raw, strndup(raw, len));
}

const struct extra_item *extra_get(const struct extra *x, const char *key)
{
    for (size_t i = 0; x && i < x->n; i++)
        if (strcmp(x->items[i].key, key) == 0)
            return &x->items[i];
    return NULL;
}

static void apply_time(const struct extra_item *item, int64_t *out)
{
    int64_t us;

    if (utc_parse(item->text, &us) == 0)
        *out = us / UTC_SECOND_US;
    else
        *out = CDR_NEVER;
}

/* `end` is where the record is filed, which the store decides: it is not applied here. */
static void apply_item(const struct extra_item *item, const struct column *col, struct cdr *c)
{
    void *at = (char *)c + col->at;

    switch (col->kind) {
    case KIND_PHONE:
        *(struct phone *)at = (struct phone){.text = item->text, .json = item->literal};
        break;
    case KIND_TEXT:
        *(const char **)at = item->text;
        break;
    case KIND_INT:
        *(int64_t *)at = strtoll(item->text, NULL, 10);
        break;
    case KIND_TIME:
        if (at != &c->end)
            apply_time(item, at);
        break;
    case KIND_BOOL:
        *(bool *)at = strcmp(item->text, "true") == 0;
        break;
    case KIND_MONEY:
    case KIND_UUID:
    case KIND_CALL_ID:
        break;
    }
}

void extra_apply(const struct extra *x, struct cdr *c)
{
    for (size_t i = 0; x && i < x->n; i++) {
        const struct column *col = column_find(x->items[i].key);

        if (col)
            apply_item(&x->items[i], col, c);
    }
    if (x && x->trunk_id)
        c->trunk_id = x->trunk_id;
}
