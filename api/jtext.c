// SPDX-License-Identifier: MIT
#include "api/jtext.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

/* p stands on the opening quote; returns behind the closing one, or NULL. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\')
            p++;
        else if (*p == '"')
            return p + 1;
    }
    return NULL;
}

/* Returns behind the value at p, or NULL. Brackets are counted, not matched, so depth costs
 * nothing. */
static const char *skip_value(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        char c = *p;
        if (c == '"') {
            p = skip_string(p, end);
            if (!p || !depth)
                return p;
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (!depth)
                return p;
            if (!--depth)
                return p + 1;
        } else if (!depth && (c == ',' || is_blank(c))) {
            return p;
        }
        p++;
    }
    return depth ? NULL : p;
}

int jtext_open(struct jtext *j, struct slice s, char open)
{
    const char *end = s.p + s.n, *p = skip_blanks(s.p, end);
    if (p == end || *p != open)
        return -EBADMSG;
    *j = (struct jtext){.p = p + 1, .end = end, .close = open == '{' ? '}' : ']', .first = true};
    return 0;
}

static int take_key(struct jtext *j, struct slice *ret_key)
{
    if (j->p == j->end || *j->p != '"')
        return -EBADMSG;
    const char *behind = skip_string(j->p, j->end);
    if (!behind)
        return -EBADMSG;
    *ret_key = (struct slice){j->p, (size_t)(behind - j->p)};
    j->p = skip_blanks(behind, j->end);
    if (j->p == j->end || *j->p != ':')
        return -EBADMSG;
    j->p = skip_blanks(j->p + 1, j->end);
    return 0;
}

int jtext_next(struct jtext *j, struct slice *ret_key, struct slice *ret_value)
{
    j->p = skip_blanks(j->p, j->end);
    if (j->p == j->end)
        return -EBADMSG;
    if (*j->p == j->close) {
        j->p = skip_blanks(j->p + 1, j->end);
        return j->p == j->end ? 0 : -EBADMSG;
    }
    if (!j->first) {
        if (*j->p != ',')
            return -EBADMSG;
        j->p = skip_blanks(j->p + 1, j->end);
    }
    j->first = false;
    *ret_key = (struct slice){j->p, 0};
    if (j->close == '}' && take_key(j, ret_key) < 0)
        return -EBADMSG;
    const char *behind = skip_value(j->p, j->end);
    if (!behind || behind == j->p)
        return -EBADMSG;
    *ret_value = (struct slice){j->p, (size_t)(behind - j->p)};
    j->p = behind;
    return 1;
}

static void new_line(struct buf *out, int depth)
{
    static const char blanks[] = "                                ";
    size_t want = depth > 0 ? (size_t)depth * 2 : 0;
    buf_append(out, "\n", 1);
    while (want) {
        size_t n = want < sizeof(blanks) - 1 ? want : sizeof(blanks) - 1;
        buf_append(out, blanks, n);
        want -= n;
    }
}

/* Appends a run of bytes up to the next one that layout depends on; returns behind it. */
static const char *copy_plain(struct buf *out, const char *p, const char *end)
{
    const char *start = p;
    while (p < end && !is_blank(*p) && !strchr("{}[],:\"", *p))
        p++;
    if (p == start)
        p++; /* a NUL byte outside a string: strchr finds its terminator */
    buf_append(out, start, (size_t)(p - start));
    return p;
}

static const char *copy_string(struct buf *out, const char *p, const char *end)
{
    const char *behind = skip_string(p, end);
    if (!behind)
        behind = end;
    buf_append(out, p, (size_t)(behind - p));
    return behind;
}

/* An opening bracket: an empty container stays on its line. */
static const char *copy_open(struct buf *out, const char *p, const char *end, int *depth)
{
    const char *inner = skip_blanks(p + 1, end);
    buf_append(out, p, 1);
    if (inner < end && (*inner == '}' || *inner == ']')) {
        buf_append(out, inner, 1);
        return inner + 1;
    }
    new_line(out, ++*depth);
    return inner;
}

void jtext_indent(struct buf *out, struct slice value, int depth)
{
    const char *p = value.p, *end = p + value.n;
    while (p < end && !buf_error(out)) {
        switch (*p) {
        case '"':
            p = copy_string(out, p, end);
            break;
        case '{':
        case '[':
            p = copy_open(out, p, end, &depth);
            break;
        case '}':
        case ']':
            new_line(out, --depth);
            buf_append(out, p++, 1);
            break;
        case ',':
            buf_append(out, p++, 1);
            new_line(out, depth);
            break;
        case ':':
            buf_puts(out, ": ");
            p++;
            break;
        default:
            p = is_blank(*p) ? p + 1 : copy_plain(out, p, end);
        }
    }
}

void jtext_compact(struct buf *out, struct slice value)
{
    const char *p = value.p, *end = p + value.n;
    while (p < end && !buf_error(out)) {
        if (*p == '"')
            p = copy_string(out, p, end);
        else if (is_blank(*p))
            p++;
        else if (strchr("{}[],:", *p) && *p)
            buf_append(out, p++, 1);
        else
            p = copy_plain(out, p, end);
    }
}

/* The value of the \uXXXX escape at p, or -1 when there is none. */
static int escape_at(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    return v;
}

static bool is_pair(int high, int low)
{
    return high >= 0xd800 && high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
}

static void put_utf8(struct buf *out, int v)
{
    char b[4];
    int n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--, v >>= 6)
        b[i] = (char)(0x80 | (v & 0x3f));
    b[0] = (char)(lead[n] | v);
    buf_append(out, b, (size_t)n);
}

/* The character that a backslash and c mean. */
static char meant_by(char c)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *known = c ? strchr(from, c) : NULL;
    return known ? to[known - from] : c;
}

/* p stands on a backslash; returns behind what was read. */
static const char *unescape_one(struct buf *out, const char *p, const char *end)
{
    int v = escape_at(p, end);
    if (v >= 0) {
        int next = escape_at(p + 6, end);
        if (is_pair(v, next)) {
            put_utf8(out, 0x10000 + ((v - 0xd800) << 10) + (next - 0xdc00));
            return p + 12;
        }
        if (v == 0 || (v >= 0xd800 && v <= 0xdfff))
            buf_append(out, p, 6);
        else
            put_utf8(out, v);
        return p + 6;
    }
    if (end - p < 2)
        return end;
    char c = meant_by(p[1]);
    buf_append(out, &c, 1);
    return p + 2;
}

void jtext_unescape(struct buf *out, struct slice string)
{
    const char *p = string.p + 1, *end = string.p + string.n - 1;
    while (p < end) {
        const char *stop = memchr(p, '\\', (size_t)(end - p));
        buf_append(out, p, (size_t)((stop ? stop : end) - p));
        p = stop ? unescape_one(out, stop, end) : end;
    }
}

/* The next character of a string, which is stepped over; -1 for one that no name has. */
static int take_plain(const char **p, const char *end)
{
    const char *at = *p;
    int v = escape_at(at, end);
    bool pair = v < 0 && *at == '\\' && end - at >= 2;
    *p += v >= 0 ? 6 : pair ? 2 : 1;
    return v >= 0x80 ? -1 : v >= 0 ? v : (unsigned char)(pair ? meant_by(at[1]) : *at);
}

bool jtext_key_is(struct slice key, const char *name)
{
    size_t n = strlen(name);
    if (key.n == n + 2)
        return memcmp(key.p + 1, name, n) == 0;
    if (key.n < n + 2)
        return false;
    const char *p = key.p + 1, *end = key.p + key.n - 1;
    while (p < end && *name && take_plain(&p, end) == (unsigned char)*name)
        name++;
    return p == end && !*name;
}

void jtext_mend_surrogates(char *s, size_t n)
{
    char *p = s, *end = s + n;
    while ((p = memchr(p, '\\', (size_t)(end - p)))) {
        int v = escape_at(p, end);
        if (v < 0) {
            p += end - p >= 2 ? 2 : 1;
            continue;
        }
        int next = escape_at(p + 6, end);
        if (is_pair(v, next)) {
            p += 12;
            continue;
        }
        if (v >= 0xd800 && v <= 0xdfff)
            memcpy(p, "\\ufffd", 6);
        p += 6;
    }
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Behind the number at p; p itself when there is none by JSON's grammar. */
static const char *skip_number(const char *p, const char *end, bool *whole)
{
    const char *start = p, *digits = p += p < end && *p == '-';
    p = skip_digits(p, end);
    *whole = true;
    if (p == digits || (*digits == '0' && p - digits > 1))
        return start;
    if (p < end && *p == '.') {
        *whole = false;
        digits = ++p;
        if ((p = skip_digits(p, end)) == digits)
            return start;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *whole = false;
        p++;
        digits = p += p < end && (*p == '+' || *p == '-');
        if ((p = skip_digits(p, end)) == digits)
            return start;
    }
    return p;
}

/* The text is terminated behind its end, so strtoll() and strtod() may look there. */
static bool can_be_held(const char *p, bool whole)
{
    errno = 0;
    if (whole) {
        strtoll(p, NULL, 10);
        return errno == 0;
    }
    return isfinite(strtod(p, NULL));
}

void jtext_mend_numbers(char *s, size_t n)
{
    const char *p = s, *end = s + n;
    while (p < end) {
        bool whole, starts = *p == '-' || (*p >= '0' && *p <= '9');
        const char *behind = starts ? skip_number(p, end, &whole) : p;
        if (*p == '"') {
            p = skip_string(p, end);
            if (!p)
                return;
        } else if (behind > p) {
            if (behind - p >= 4 && !can_be_held(p, whole)) {
                memset(s + (p - s), ' ', (size_t)(behind - p));
                memcpy(s + (p - s), "null", 4);
            }
            p = behind;
        } else {
            p++;
        }
    }
}
