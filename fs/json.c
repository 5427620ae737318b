// SPDX-License-Identifier: MIT
#include "fs/json.h"

#include "api/utc.h"

void json_put_text(struct buf *out, const char *s)
{
    buf_puts(out, "\"");
    for (; *s; s++) {
        char c = *s >= 0x20 && *s < 0x7f ? *s : '?';
        if (c == '"' || c == '\\')
            buf_puts(out, "\\");
        buf_append(out, &c, 1);
    }
    buf_puts(out, "\"");
}

void json_put_text_or_null(struct buf *out, const char *s)
{
    if (s && *s)
        json_put_text(out, s);
    else
        buf_puts(out, "null");
}

void json_put_time(struct buf *out, int64_t t)
{
    char text[UTC_TEXT_MAX];
    if (!t || t == INT64_MAX) {
        buf_puts(out, "null");
        return;
    }
    utc_format(t, text);
    text[10] = 'T';
    buf_printf(out, "\"%sZ\"", text);
}
