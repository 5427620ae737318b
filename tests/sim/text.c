// SPDX-License-Identifier: MIT
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_FIRST = 256 };

void text_init(struct text *t, size_t max)
{
    *t = (struct text){.max = max};
}

void text_release(struct text *t)
{
    free(t->data);
    text_init(t, t->max);
}

char *text_take(struct text *t, size_t *len)
{
    char *data = t->data;

    *len = t->len;
    text_init(t, t->max);
    return data;
}

/* Makes room for `more` bytes and a NUL; returns 0 or the sticky error. */
static int text_reserve(struct text *t, size_t more)
{
    size_t cap = t->cap ? t->cap : TEXT_FIRST;
    char *data;

    if (t->err)
        return t->err;
    if (more >= t->max || t->len > t->max - more)
        return t->err = -EFBIG;
    if (t->len + more + 1 <= t->cap)
        return 0;
    while (cap < t->len + more + 1)
        cap *= 2;
    data = realloc(t->data, cap);
    if (!data)
        return t->err = -ENOMEM;
    t->data = data;
    t->cap = cap;
    return 0;
}

void text_add(struct text *t, const char *bytes, size_t len)
{
    if (text_reserve(t, len) < 0)
        return;
    if (len)
        memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_str(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_char(struct text *t, char c)
{
    text_add(t, &c, 1);
}

void text_int(struct text *t, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        digits[--at] = '-';
    text_add(t, digits + at, sizeof digits - at);
}

void text_fmt(struct text *t, const char *fmt, ...)
{
    va_list args;
    char *line = NULL;
    int len;

    va_start(args, fmt);
    len = vasprintf(&line, fmt, args);
    va_end(args);
    if (len < 0) {
        t->err = t->err ? t->err : -ENOMEM;
        return;
    }
    text_add(t, line, (size_t)len);
    free(line);
}

static void text_escape(struct text *t, unsigned char c)
{
    char code[7];

    if (c == '"' || c == '\\') {
        text_char(t, '\\');
        text_char(t, (char)c);
        return;
    }
    snprintf(code, sizeof code, "\\u%04x", c);
    text_add(t, code, 6);
}

void text_json(struct text *t, const char *bytes, size_t len)
{
    size_t from = 0;

    text_char(t, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        text_add(t, bytes + from, i - from);
        text_escape(t, c);
        from = i + 1;
    }
    text_add(t, bytes + from, len - from);
    text_char(t, '"');
}
