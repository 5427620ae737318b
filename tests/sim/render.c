// SPDX-License-Identifier: MIT
#include "render.h"

#include <string.h>

#include "rng.h"
#include "utc.h"

enum { MONEY_UNIT = 100000, MONEY_DIGITS = 5, INTEGER_DIGITS = 18, SALT_CALL_ID = 77 };

static void quoted(struct text *t, const char *s)
{
    text_char(t, '"');
    text_str(t, s);
    text_char(t, '"');
}

static void put_time(struct text *t, int64_t at)
{
    char s[UTC_SIZE];

    if (at == CDR_NEVER) {
        text_add(t, "null", 4);
        return;
    }
    utc_format(at, s);
    quoted(t, s);
}

/* `0.31800` as "0.31800" or, on legacy, as the number 0.318. */
static void put_money(struct text *t, enum dialect d, int64_t units)
{
    char fraction[MONEY_DIGITS];
    int len = MONEY_DIGITS;
    int64_t rest = units % MONEY_UNIT;

    for (int i = MONEY_DIGITS - 1; i >= 0; i--, rest /= 10)
        fraction[i] = (char)('0' + rest % 10);
    if (d == DIALECT_LEGACY)
        while (len > 0 && fraction[len - 1] == '0')
            len--;
    else
        text_char(t, '"');
    text_int(t, units / MONEY_UNIT);
    if (len)
        text_char(t, '.');
    text_add(t, fraction, (size_t)len);
    if (d != DIALECT_LEGACY)
        text_char(t, '"');
}

/* The digits of a number a JSON integer can carry, or NULL. */
static const char *plain_digits(const char *s)
{
    size_t n;

    if (*s == '+')
        s++;
    n = strspn(s, "0123456789");
    return n && !s[n] && n <= INTEGER_DIGITS && (*s != '0' || n == 1) ? s : NULL;
}

void render_phone(struct text *t, const struct phone *p)
{
    if (p->json)
        text_str(t, p->json);
    else
        quoted(t, p->text);
}

static void put_phone(struct text *t, enum dialect d, const struct phone *p)
{
    const char *digits = d == DIALECT_LEGACY ? plain_digits(p->text) : NULL;

    if (digits)
        text_str(t, digits);
    else
        render_phone(t, p);
}

static void put_call_id(struct text *t, uint32_t id)
{
    uint64_t h = rng_hash(SALT_CALL_ID, id, 0);

    text_char(t, '"');
    text_int(t, (int64_t)(h & 0x3fffffff));
    text_char(t, '_');
    text_int(t, (int64_t)(h >> 32 & 0x0fffffff));
    text_str(t, "@192.0.2.");
    text_int(t, (int64_t)(h >> 60));
    text_char(t, '"');
}

static void put_value(struct text *t, enum dialect d, const struct column *col, const struct cdr *c,
                      const char *uuid)
{
    const void *at = (const char *)c + col->at;

    switch (col->kind) {
    case KIND_UUID:
        text_json(t, uuid, strlen(uuid));
        break;
    case KIND_CALL_ID:
        put_call_id(t, c->id);
        break;
    case KIND_PHONE:
        put_phone(t, d, at);
        break;
    case KIND_TEXT:
        quoted(t, *(const char *const *)at);
        break;
    case KIND_INT:
        text_int(t, *(const int64_t *)at);
        break;
    case KIND_TIME:
        put_time(t, *(const int64_t *)at);
        break;
    case KIND_MONEY:
        put_money(t, d, *(const int64_t *)at);
        break;
    case KIND_BOOL:
        text_str(t, *(const bool *)at ? "true" : "false");
        break;
    }
}

/* Legacy has money as numbers: takes the quotes and the trailing zeros off a decimal string. */
static void put_old_money(struct text *t, const char *literal)
{
    size_t len = strlen(literal);

    if (len < 3 || literal[0] != '"' || strspn(literal + 1, "0123456789.") != len - 2) {
        text_str(t, literal);
        return;
    }
    len -= 2;
    if (strchr(literal, '.'))
        while (literal[len] == '0' || literal[len] == '.')
            if (literal[len--] == '.')
                break;
    text_add(t, literal + 1, len);
}

static void put_amended(struct text *t, enum dialect d, const struct column *col,
                        const struct extra_item *item, const struct cdr *c)
{
    if (d == DIALECT_LEGACY && col->kind == KIND_MONEY)
        put_old_money(t, item->literal);
    else if (d == DIALECT_LEGACY && col->kind == KIND_PHONE)
        put_phone(t, d, (const struct phone *)((const char *)c + col->at));
    else
        text_str(t, item->literal);
}

static void put_key(struct text *t, const char *name, bool first)
{
    text_add(t, first ? "{\"" : ", \"", first ? 2 : 3);
    text_str(t, name);
    text_add(t, "\": ", 3);
}

/* Keys no dialect knows come after all others, in the order they were given. */
static void put_unknown(struct text *t, const struct extra *x, bool first)
{
    for (size_t i = 0; x && i < x->n; i++) {
        if (!x->items[i].literal || column_find(x->items[i].key))
            continue;
        text_str(t, first ? "{" : ", ");
        text_json(t, x->items[i].key, strlen(x->items[i].key));
        text_str(t, ": ");
        text_str(t, x->items[i].literal);
        first = false;
    }
    text_str(t, first ? "{}" : "}");
}

void render_row(struct text *t, enum dialect d, const struct cdr *c, const struct extra *x,
                const char *uuid)
{
    size_t n;
    const struct column *cols = columns_of(d, &n);
    bool first = true;

    if (x && x->raw) {
        text_str(t, x->raw);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct extra_item *item = x ? extra_get(x, cols[i].latest) : NULL;

        if (item && !item->literal)
            continue;
        put_key(t, cols[i].name, first);
        first = false;
        if (item)
            put_amended(t, d, &cols[i], item, c);
        else
            put_value(t, d, &cols[i], c, uuid);
    }
    put_unknown(t, x, first);
}
