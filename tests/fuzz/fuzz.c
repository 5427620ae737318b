// SPDX-License-Identifier: MIT
#include "tests/fuzz/fuzz.h"

_Noreturn void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
    abort();
}

char *fuzz_copy(const void *p, size_t n)
{
    char *copy = malloc(n ? n : 1);
    CHECK(copy);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

char *fuzz_text(const void *p, size_t n)
{
    size_t length = n ? strnlen(p, n) : 0;
    char *copy = malloc(length + 1);
    CHECK(copy);
    if (length)
        memcpy(copy, p, length);
    copy[length] = '\0';
    return copy;
}

bool fuzz_is_line(const char *s)
{
    bool good = *s;
    for (; *s && good; s++)
        good = *s >= ' ' && *s <= '~';
    return good;
}

const char *fuzz_buf(const struct buf *b)
{
    CHECK(buf_error(b) == 0);
    return b->p ? b->p : "";
}

bool fuzz_equal(struct slice a, struct slice b)
{
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

#define DIGITS "0123456789"

bool fuzz_is_name(const char *uuid)
{
    size_t n = strlen(uuid);
    return n >= 1 && n <= 64 &&
           strspn(uuid, DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == n;
}

void fuzz_check_call(const struct call *c)
{
    CHECK(memchr(c->uuid, '\0', sizeof(c->uuid)));
    CHECK(fuzz_is_name(c->uuid));
    CHECK(c->num[AXIS_END_TIME] != INT64_MIN);
    for (int i = 0; i < NUM_AXES; i++)
        if (axes[i].form == FORM_CHOICE && c->num[i] != INT64_MIN)
            CHECK(c->num[i] >= 1 && axes[i].choices[c->num[i] - 1].api);
    for (int i = 0; i < TEXT_AXES; i++) {
        CHECK(memchr(c->text[i], '\0', CALL_TEXT_MAX));
        CHECK(strspn(c->text[i], DIGITS) == strlen(c->text[i]));
    }
    CHECK(strlen(c->text[AXIS_TRUNK]) < AXIS_TEXT_MAX);
    /* It has two members at least, so it is no `{}`. */
    CHECK(c->body.n > 8);
    CHECK(memcmp(c->body.p, "{\n  \"", 5) == 0);
    CHECK(memcmp(c->body.p + c->body.n - 3, "\n}\n", 3) == 0);
}

void fuzz_check_same_call(const struct call *a, const struct call *b)
{
    CHECK(strcmp(a->uuid, b->uuid) == 0);
    CHECK(memcmp(a->num, b->num, sizeof(a->num)) == 0);
    for (int i = 0; i < TEXT_AXES; i++)
        CHECK(strcmp(a->text[i], b->text[i]) == 0);
    CHECK(fuzz_equal(a->body, b->body));
}
