// SPDX-License-Identifier: MIT
#include "fs/mask.h"

#include <errno.h>
#include <string.h>

#define RUN_LEAST 8 /* what is cut off still gives less than that away */
#define STARS 3

/* The id and its colon are 21 bytes in front of the token, so that in the header's base64 the
 * token's begins at a whole group. */
static char *base64_of(const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(s);
    char *ret = malloc((n + 2) / 3 * 4 + 1), *out = ret;
    for (size_t i = 0; ret && i < n; i += 3) {
        unsigned long group = 0;
        for (size_t j = i; j < i + 3; j++)
            group = group << 8 | (j < n ? (unsigned char)s[j] : 0);
        for (int shift = 18; shift >= 0; shift -= 6)
            *out++ = digits[group >> shift & 63];
        if (i + 2 >= n)
            out[-1] = '=';
        if (i + 1 >= n)
            out[-2] = '=';
    }
    if (ret)
        *out = '\0';
    return ret;
}

int mask_init(struct mask *m, const char *token)
{
    m->forms[0] = strdup(token);
    m->forms[1] = strdup(token);
    m->forms[2] = base64_of(token);
    if (!m->forms[0] || !m->forms[1] || !m->forms[2]) {
        mask_release(m);
        return -ENOMEM;
    }
    str_printable(m->forms[1]); /* as a failure's detail has it */
    return 0;
}

void mask_release(struct mask *m)
{
    for (int i = 0; i < MASK_FORMS; i++) {
        if (m->forms[i])
            explicit_bzero(m->forms[i], strlen(m->forms[i]));
        free(m->forms[i]);
        m->forms[i] = NULL;
    }
}

/* How much of the text stands somewhere in that form; 0 when it is too little. */
static size_t run_of_form(const char *text, const char *form)
{
    size_t longest = 0, n = form ? strlen(form) : 0;
    for (size_t i = 0; i < n; i++) {
        size_t same = 0;
        while (form[i + same] && form[i + same] == text[same])
            same++;
        longest = same > longest ? same : longest;
    }
    return longest >= (n < RUN_LEAST ? n : RUN_LEAST) ? longest : 0;
}

static size_t run_at(const struct mask *m, const char *text)
{
    size_t longest = 0;
    for (int i = 0; i < MASK_FORMS; i++) {
        size_t run = run_of_form(text, m->forms[i]);
        longest = run > longest ? run : longest;
    }
    return longest;
}

void mask_text(const struct mask *m, char *text)
{
    char *out = text;
    while (*text) {
        size_t run = run_at(m, text);
        if (!run) {
            *out++ = *text++;
            continue;
        }
        for (size_t i = 0; i < run && i < STARS; i++)
            *out++ = '*';
        text += run;
    }
    *out = '\0';
}
