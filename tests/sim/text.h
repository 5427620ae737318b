// SPDX-License-Identifier: MIT
#ifndef SIM_TEXT_H
#define SIM_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A growing byte buffer with a ceiling. Errors stick: after the first failure every addition is
 * ignored, so a caller may build a whole answer and look at `err` once. `data` always ends in a NUL
 * once non-NULL. */
struct text {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    int err; /* 0, -ENOMEM or -EFBIG */
};

/* Makes an empty buffer that may hold at most `max` bytes. Allocates nothing. */
void text_init(struct text *t, size_t max);

/* Frees the bytes; the buffer is then empty and may be used again. */
void text_release(struct text *t);

/* Gives the bytes (malloc'd, maybe NULL when empty) to the caller and empties the buffer. */
char *text_take(struct text *t, size_t *len);

/* Appends `len` bytes. */
void text_add(struct text *t, const char *bytes, size_t len);

/* Appends a C string. */
void text_str(struct text *t, const char *s);

/* Appends one byte. */
void text_char(struct text *t, char c);

/* Appends a decimal integer. */
void text_int(struct text *t, int64_t value);

/* Appends printf output of any length. */
__attribute__((format(printf, 2, 3))) void text_fmt(struct text *t, const char *fmt, ...);

/* Appends `len` bytes of UTF-8 as a JSON string, quotes included. Bytes that need no escape pass
 * unchanged. */
void text_json(struct text *t, const char *bytes, size_t len);

#endif
