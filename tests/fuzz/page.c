// SPDX-License-Identifier: MIT
/*
 * The body of an answer: the input is one, read as a list, as one call, and as an error.
 *
 * A body is taken or refused, never both. What is taken has only names that are safe, bodies that
 * tile the page's text, the same calls when the list is sent once more with those bodies as its
 * rows, and rows that are good or bad as each would be alone. A list that is cut short is refused.
 */
#include <errno.h>

#include "api/jtext.h"
#include "api/page.h"
#include "tests/fuzz/fuzz.h"

#define CUTS 8
#define ROWS_MAX 20 /* looked at one by one */

typedef int decode_fn(const char *body, size_t n, struct page **ret, struct failure *f);

/* NULL when it was refused, as it must be when that is said. */
static struct page *decode(decode_fn *fn, struct slice text)
{
    CLEANUP_FREE char *body = fuzz_copy(text.p, text.n);
    struct page *p = NULL;
    struct failure f = {0};
    int rc = fn(body, text.n, &p, &f);
    CHECK(rc == 0 || rc == -EBADMSG);
    CHECK(rc == f.err);
    CHECK((rc == 0) == (p != NULL));
    if (rc < 0)
        CHECK(fuzz_is_line(f.detail));
    return p;
}

static void check_page(const struct page *p)
{
    size_t at = 0;
    CHECK(p->rows <= PAGE_ROWS_MAX);
    CHECK(p->rows == p->ncalls + p->nbad);
    CHECK(p->total >= 0);
    for (int i = 0; i < p->ncalls; i++) {
        fuzz_check_call(&p->calls[i]);
        CHECK(p->calls[i].body.p == p->text.p + at);
        at += p->calls[i].body.n;
    }
    CHECK(at == p->text.len);
    for (int i = 0; i < p->ncalls; i++)
        for (int k = 0; k < i; k++)
            CHECK(strcmp(p->calls[i].uuid, p->calls[k].uuid) != 0);
    for (int i = 0; i < p->nbad; i++) {
        CHECK(p->bad[i].index >= (i ? p->bad[i - 1].index + 1 : 0) && p->bad[i].index < p->rows);
        CHECK(fuzz_is_line(p->bad[i].reason));
    }
}

/* A list whose rows are the files of the calls of p. */
static void send_again(const struct page *p, struct buf *out)
{
    buf_puts(out, "{\"objects\": [");
    for (int i = 0; i < p->ncalls; i++) {
        buf_puts(out, i ? "," : "");
        buf_append(out, p->calls[i].body.p, p->calls[i].body.n);
    }
    buf_printf(out, "], \"meta\": {\"total_count\": %d}}", p->ncalls);
}

static void check_again(const struct page *p)
{
    struct buf text = buf_make(SIZE_MAX);
    send_again(p, &text);
    struct page *again = decode(page_decode, (struct slice){fuzz_buf(&text), text.len});
    CHECK(again && again->ncalls == p->ncalls && again->nbad == 0);
    CHECK(again->total == p->ncalls);
    for (int i = 0; i < p->ncalls; i++)
        fuzz_check_same_call(&p->calls[i], &again->calls[i]);
    page_free(again);
    buf_release(&text);
}

/* A call may have a member `object` of its own; alone, that would be taken for the call. */
static bool has_object(struct slice body)
{
    json_t *j = json_loadb(body.p, body.n, JSON_ALLOW_NUL, NULL);
    bool yes = !j || json_is_object(json_object_get(j, "object"));
    json_decref(j);
    return yes;
}

static void check_alone(const struct call *c)
{
    if (has_object(c->body))
        return;
    struct page *p = decode(page_decode_call, c->body);
    CHECK(p && p->ncalls == 1);
    fuzz_check_same_call(c, &p->calls[0]);
    page_free(p);
}

/* The array that counts is the last of that name. */
static struct slice rows_of(struct slice text)
{
    struct jtext j;
    struct slice key, value, rows = {0};
    int rc = jtext_open(&j, text, '{');
    while (rc >= 0 && (rc = jtext_next(&j, &key, &value)) > 0)
        if (jtext_key_is(key, "objects"))
            rows = value;
    CHECK(rc == 0 && rows.n);
    return rows;
}

static bool is_twice(const struct bad_row *bad)
{
    size_t n = strlen(bad->reason), m = strlen(" is there twice");
    return n > m && strcmp(bad->reason + n - m, " is there twice") == 0;
}

/* A row alone is bad where it was bad on its page, and else the same call; but a call that was
 * there before is bad only there. */
static void check_row(struct slice row, const struct bad_row *bad, const struct call *good)
{
    struct buf text = buf_make(SIZE_MAX);
    buf_puts(&text, "{\"meta\":{\"total_count\":1},\"objects\":[");
    buf_append(&text, row.p, row.n);
    buf_puts(&text, "]}");
    struct page *p = decode(page_decode, (struct slice){fuzz_buf(&text), text.len});
    CHECK(p && p->rows == 1 && p->nbad == (bad && !is_twice(bad) ? 1 : 0));
    if (bad && is_twice(bad))
        CHECK(strncmp(bad->reason + 5, p->calls[0].uuid, strlen(p->calls[0].uuid)) == 0);
    else if (bad)
        CHECK(strcmp(bad->reason, p->bad[0].reason) == 0);
    else
        fuzz_check_same_call(good, &p->calls[0]);
    page_free(p);
    buf_release(&text);
}

static void check_rows(const struct page *p, struct slice text)
{
    struct jtext j;
    struct slice key, row;
    int i = 0, bad = 0, rc = jtext_open(&j, rows_of(text), '[');
    for (; rc >= 0 && (rc = jtext_next(&j, &key, &row)) > 0; i++) {
        bool is_bad = bad < p->nbad && p->bad[bad].index == i;
        if (i < ROWS_MAX)
            check_row(row, is_bad ? &p->bad[bad] : NULL, &p->calls[i - bad]);
        bad += is_bad;
    }
    CHECK(rc == 0 && i == p->rows && bad == p->nbad);
}

static void check_cuts(struct slice text)
{
    while (text.n && strchr(" \t\r\n", text.p[text.n - 1]) && text.p[text.n - 1])
        text.n--;
    for (size_t i = 0; i < CUTS; i++)
        CHECK(!decode(page_decode, (struct slice){text.p, text.n * i / CUTS}));
    CHECK(!decode(page_decode, (struct slice){text.p, text.n - 1}));
}

static void as_list(struct slice text)
{
    struct page *p = decode(page_decode, text);
    if (p) {
        check_page(p);
        check_again(p);
        check_rows(p, text);
        for (int i = 0; i < p->ncalls; i++)
            check_alone(&p->calls[i]);
        check_cuts(text);
    }
    page_free(p);
}

static void as_call(struct slice text)
{
    struct page *p = decode(page_decode_call, text);
    if (p) {
        check_page(p);
        CHECK(p->ncalls == 1 && p->nbad == 0 && p->total == 1);
        check_again(p);
        check_alone(&p->calls[0]);
    }
    page_free(p);
}

/* In buffers of exactly that size; what fits less room is the beginning of what fits more. */
static void as_error(struct slice text)
{
    static const size_t caps[] = {1, 2, 7, 64, 512};
    CLEANUP_FREE char *body = fuzz_copy(text.p, text.n);
    char message_before[512] = "", id_before[512] = "";
    for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
        CLEANUP_FREE char *message = malloc(caps[i]), *id = malloc(caps[i]);
        CHECK(message && id);
        page_error_text(body, text.n, message, caps[i], id, caps[i]);
        CHECK(memchr(message, '\0', caps[i]) && memchr(id, '\0', caps[i]));
        CHECK(strncmp(message, message_before, strlen(message_before)) == 0);
        CHECK(strncmp(id, id_before, strlen(id_before)) == 0);
        strcpy(message_before, message);
        strcpy(id_before, id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = {(const char *)data, n};
    as_list(text);
    as_call(text);
    as_error(text);
    return 0;
}
