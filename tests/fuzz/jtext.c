// SPDX-License-Identifier: MIT
/*
 * The re-indenter: the input is any text. Where jansson takes it, its value must survive, and the
 * layouts must agree with each other and with a plain second opinion.
 */
#include <errno.h>

#include "api/jtext.h"
#include "api/record.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH 3

/* jansson does not see a NUL byte right behind a number or a word. */
static json_t *load(struct slice s)
{
    if (s.n && memchr(s.p, '\0', s.n))
        return NULL;
    return json_loadb(s.p, s.n, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
}

static struct slice bytes(const struct buf *b)
{
    return (struct slice){fuzz_buf(b), b->len};
}

/* The text must hold exactly that value. */
static void check_value(struct slice text, json_t *want)
{
    json_t *got = load(text);
    CHECK(got && json_equal(got, want));
    json_decref(got);
}

/* Every blank outside strings left out, a second time and as plainly as can be. */
static void reference_compact(struct buf *out, struct slice s)
{
    bool inside = false, escaped = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (inside || (c != ' ' && c != '\t' && c != '\n' && c != '\r'))
            buf_append(out, &c, 1);
        inside = inside ? escaped || c != '"' : c == '"';
        escaped = inside && c == '\\' && !escaped;
    }
}

/* Every line but the first stands so many blanks further to the right. */
static void shift(struct buf *out, struct slice s, int blanks)
{
    for (size_t i = 0; i < s.n; i++) {
        buf_append(out, &s.p[i], 1);
        if (s.p[i] == '\n')
            buf_printf(out, "%*s", blanks, "");
    }
}

/* Every line says something: an empty container stays on its line. */
static void check_lines(struct slice s)
{
    bool something = false;
    for (size_t i = 0; i < s.n; i++) {
        CHECK(s.p[i] != '\n' || something);
        something = s.p[i] != '\n' && (something || s.p[i] != ' ');
    }
    CHECK(something);
}

static void check_layouts(struct slice text, json_t *value)
{
    struct buf flat = buf_make(SIZE_MAX), plain = buf_make(SIZE_MAX), tall = buf_make(SIZE_MAX),
               again = buf_make(SIZE_MAX), deep = buf_make(SIZE_MAX), shifted = buf_make(SIZE_MAX);
    jtext_compact(&flat, text);
    reference_compact(&plain, text);
    CHECK(fuzz_equal(bytes(&flat), bytes(&plain)));
    check_value(bytes(&flat), value);
    jtext_indent(&tall, text, 0);
    check_lines(bytes(&tall));
    check_value(bytes(&tall), value);
    jtext_indent(&again, bytes(&tall), 0);
    CHECK(fuzz_equal(bytes(&again), bytes(&tall)));
    again.len = 0;
    jtext_indent(&again, bytes(&flat), 0);
    CHECK(fuzz_equal(bytes(&again), bytes(&tall)));
    again.len = 0;
    jtext_compact(&again, bytes(&tall));
    CHECK(fuzz_equal(bytes(&again), bytes(&flat)));
    jtext_indent(&deep, text, DEPTH);
    shift(&shifted, bytes(&tall), 2 * DEPTH);
    CHECK(fuzz_equal(bytes(&deep), bytes(&shifted)));
    buf_release(&flat);
    buf_release(&plain);
    buf_release(&tall);
    buf_release(&again);
    buf_release(&deep);
    buf_release(&shifted);
}

/* What a string means; one with \u0000 in it keeps that escape, and is left out here. */
static void check_string(struct slice text, json_t *value)
{
    struct buf meaning = buf_make(SIZE_MAX);
    struct slice want = {json_string_value(value), json_string_length(value)};
    jtext_unescape(&meaning, text);
    if (!memchr(want.p, '\0', want.n))
        CHECK(fuzz_equal(bytes(&meaning), want));
    buf_release(&meaning);
}

static void check_parts(struct slice text, json_t *value);

static void check_array(struct slice text, json_t *value)
{
    struct jtext j;
    struct slice key, element;
    size_t i = 0;
    int rc = jtext_open(&j, text, '[');
    for (; rc >= 0 && (rc = jtext_next(&j, &key, &element)) > 0; i++) {
        CHECK(key.n == 0 && i < json_array_size(value));
        check_value(element, json_array_get(value, i));
        check_parts(element, json_array_get(value, i));
    }
    CHECK(rc == 0 && i == json_array_size(value));
}

/* Only such names are asked for. */
static bool is_ascii(json_t *name)
{
    const char *s = json_string_value(name);
    for (; *s > 0; s++)
        ;
    return !*s && (size_t)(s - json_string_value(name)) == json_string_length(name);
}

/* Of members with the same name jansson keeps the last. */
static void check_object(struct slice text, json_t *value)
{
    struct jtext j;
    struct slice key, element;
    json_t *all = json_object();
    int rc = jtext_open(&j, text, '{');
    while (rc >= 0 && (rc = jtext_next(&j, &key, &element)) > 0) {
        json_t *name = load(key), *v = load(element);
        CHECK(json_is_string(name) && v);
        check_string(key, name);
        check_parts(element, v);
        CHECK(json_object_setn_new_nocheck(all, json_string_value(name), json_string_length(name),
                                           v) == 0);
        if (is_ascii(name))
            CHECK(jtext_key_is(key, json_string_value(name)));
        json_decref(name);
    }
    CHECK(rc == 0 && json_equal(all, value));
    json_decref(all);
}

/* Deep text costs its square here, so only so deep. */
static void check_parts(struct slice text, json_t *value)
{
    if (json_is_array(value))
        check_array(text, value);
    else if (json_is_object(value))
        check_object(text, value);
    else if (json_is_string(value))
        check_string(text, value);
}

static bool is_shallow(struct slice s)
{
    size_t brackets = 0;
    for (size_t i = 0; i < s.n; i++)
        brackets += s.p[i] == '[' || s.p[i] == '{';
    return brackets < 100;
}

static struct slice without_blanks_around(struct slice s)
{
    while (s.n && s.p[0] && strchr(" \t\r\n", s.p[0]))
        s = (struct slice){s.p + 1, s.n - 1};
    while (s.n && s.p[s.n - 1] && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Mending touches nothing that jansson takes, before or after it. */
static void check_mending(struct slice text, bool taken)
{
    CLEANUP_FREE char *once = malloc(text.n + 1), *twice = malloc(text.n + 1);
    CHECK(once && twice);
    if (text.n)
        memcpy(once, text.p, text.n);
    once[text.n] = '\0';
    jtext_mend_surrogates(once, text.n);
    jtext_mend_numbers(once, text.n);
    memcpy(twice, once, text.n + 1);
    jtext_mend_surrogates(twice, text.n);
    jtext_mend_numbers(twice, text.n);
    if (taken)
        CHECK(fuzz_equal((struct slice){once, text.n}, text));
    json_t *mended = load((struct slice){once, text.n});
    if (mended)
        CHECK(memcmp(once, twice, text.n + 1) == 0);
    json_decref(mended);
}

/* What only mending makes jansson take survives a new layout too. */
static void check_mended(struct slice text)
{
    json_error_t e;
    json_t *value = NULL, *again = NULL;
    struct buf tall = buf_make(SIZE_MAX), flat = buf_make(SIZE_MAX);
    int rc = record_load(text, &value, &e);
    CHECK(rc == 0 || rc == -EBADMSG);
    if (rc == 0) {
        jtext_indent(&tall, text, 1);
        jtext_compact(&flat, text);
        CHECK(record_load(bytes(&tall), &again, &e) == 0 && json_equal(again, value));
        json_decref(again);
        CHECK(record_load(bytes(&flat), &again, &e) == 0 && json_equal(again, value));
        json_decref(again);
    }
    json_decref(value);
    buf_release(&tall);
    buf_release(&flat);
}

/* No promise but that it ends, within bounds: layout grows by its blanks, the rest does not. */
static void check_any(struct slice text)
{
    struct buf out = buf_make(SIZE_MAX), small = buf_make(text.n / 2);
    jtext_compact(&out, text);
    CHECK(fuzz_buf(&out) && out.len <= text.n);
    out.len = 0;
    if (text.n >= 2) {
        jtext_unescape(&out, text);
        CHECK(fuzz_buf(&out) && out.len <= text.n - 2);
        out.len = 0;
    }
    jtext_indent(&out, text, 0);
    CHECK(fuzz_buf(&out) && out.len <= text.n * (2 * text.n + 4));
    jtext_indent(&small, text, 0);
    CHECK(small.len <= text.n / 2);
    buf_release(&out);
    buf_release(&small);
}

static void walk_any(struct slice text, char open)
{
    struct jtext j;
    struct slice key, value;
    size_t n = 0;
    if (jtext_open(&j, text, open) < 0)
        return;
    while (jtext_next(&j, &key, &value) > 0) {
        CHECK(value.n && value.p >= text.p && value.p + value.n <= text.p + text.n);
        CHECK(!key.n || (key.n >= 2 && key.p >= text.p && key.p + key.n <= value.p));
        CHECK(++n <= text.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP_FREE char *copy = fuzz_copy(data, n);
    struct slice text = {copy, n};
    json_t *value = load(text);
    check_any(text);
    walk_any(text, '{');
    walk_any(text, '[');
    check_mending(text, value != NULL);
    check_mended(text);
    if (value) {
        check_layouts(text, value);
        if (is_shallow(text))
            check_parts(without_blanks_around(text), value);
    }
    json_decref(value);
    return 0;
}
