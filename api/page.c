// SPDX-License-Identifier: MIT
#include "api/page.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/jtext.h"
#include "api/record.h"

/* A body re-indented grows by its blanks: depth is at most jansson's 2048, but only one record may
 * be that odd; what does not fit is a bad row. */
#define TEXT_MAX (4 * (size_t)BODY_MAX_BYTES)

void page_free(struct page *p)
{
    if (!p)
        return;
    free(p->calls);
    free(p->bad);
    buf_release(&p->text);
    free(p);
}

static void page_freep(struct page **p)
{
    page_free(*p);
}

static struct page *page_new(int rows)
{
    struct page *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->text = buf_make(TEXT_MAX);
    p->calls = calloc((size_t)rows + 1, sizeof(*p->calls));
    p->bad = calloc((size_t)rows + 1, sizeof(*p->bad));
    if (p->calls && p->bad)
        return p;
    page_free(p);
    return NULL;
}

static bool is_there(const struct page *p, const char *uuid)
{
    for (int i = 0; i < p->ncalls; i++)
        if (strcmp(p->calls[i].uuid, uuid) == 0)
            return true;
    return false;
}

/* One answer shows one moment, so a call that is in it twice is twice in the host's data: that is a
 * row too many, and no sign of pages that shifted. */
static int decode_row(struct page *p, struct slice text)
{
    struct call *c = &p->calls[p->ncalls];
    struct bad_row *b = &p->bad[p->nbad];
    size_t before = p->text.len;
    int rc = record_decode(text, c, &p->text, b->reason, sizeof(b->reason));
    if (rc == 0 && is_there(p, c->uuid)) {
        snprintf(b->reason, sizeof(b->reason), "call %.64s is there twice", c->uuid);
        p->text.len = before;
        rc = -EBADMSG;
    }
    c->body.n = p->text.len - before;
    return rc;
}

/* Bodies are found by their lengths while the text may still move; their places are set at the end.
 */
static int add_row(struct page *p, struct slice text)
{
    int rc = decode_row(p, text);
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0)
        p->bad[p->nbad++].index = p->rows;
    else
        p->ncalls++;
    p->rows++;
    return 0;
}

static void place_bodies(struct page *p)
{
    const char *at = p->text.p;
    for (int i = 0; i < p->ncalls; i++) {
        p->calls[i].body.p = at;
        at += p->calls[i].body.n;
    }
}

static int count_elements(struct slice array)
{
    struct jtext j;
    struct slice key, value;
    int n = 0, rc = jtext_open(&j, array, '[');
    if (rc < 0)
        return rc;
    while ((rc = jtext_next(&j, &key, &value)) > 0)
        n++;
    return rc < 0 ? rc : n > PAGE_ROWS_MAX ? -EBADMSG : n;
}

static int decode_rows(struct slice array, struct page **ret)
{
    struct jtext j;
    struct slice key, value;
    int n = count_elements(array), rc;
    if (n < 0)
        return n;
    __attribute__((cleanup(page_freep))) struct page *p = page_new(n);
    if (!p)
        return -ENOMEM;
    rc = jtext_open(&j, array, '[');
    while (rc >= 0 && (rc = jtext_next(&j, &key, &value)) > 0)
        rc = add_row(p, value);
    if (rc < 0)
        return rc;
    place_bodies(p);
    *ret = p;
    p = NULL;
    return 0;
}

/* -EBADMSG when there is no total_count, or one that no account has. */
static int read_total(struct slice meta, int64_t *ret)
{
    json_error_t e = {0};
    json_auto_t *m = NULL;
    int rc = record_load(meta, &m, &e);
    if (rc < 0)
        return rc;
    json_t *v = json_object_get(m, "total_count");
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > TOTAL_MAX)
        return -EBADMSG;
    *ret = json_integer_value(v);
    return 0;
}

static int find_parts(const char *body, size_t n, struct slice *meta, struct slice *objects)
{
    struct jtext j;
    struct slice key, value;
    int rc = jtext_open(&j, (struct slice){body, n}, '{');
    while (rc >= 0 && (rc = jtext_next(&j, &key, &value)) > 0) {
        if (jtext_key_is(key, "meta"))
            *meta = value;
        else if (jtext_key_is(key, "objects"))
            *objects = value;
    }
    return rc;
}

int page_decode(const char *body, size_t n, struct page **ret, struct failure *f)
{
    struct slice meta = {0}, objects = {0};
    if (find_parts(body, n, &meta, &objects) < 0) {
        failure_set(f, -EBADMSG, 200, "the answer is not a JSON object (%zu bytes)", n);
        return f->err;
    }
    int64_t total = 0;
    int rc = meta.n ? read_total(meta, &total) : -EBADMSG;
    if (rc < 0) {
        failure_set(f, rc, 200, "the answer has no usable meta.total_count");
        return rc;
    }
    rc = objects.n ? decode_rows(objects, ret) : -EBADMSG;
    if (rc < 0) {
        failure_set(f, rc, 200, "the answer has no usable array `objects`");
        return rc;
    }
    (*ret)->total = total;
    return 0;
}

int page_decode_call(const char *body, size_t n, struct page **ret, struct failure *f)
{
    struct jtext j;
    struct slice key, value, record = {body, n};
    int rc = jtext_open(&j, record, '{');
    while (rc >= 0 && (rc = jtext_next(&j, &key, &value)) > 0)
        if (jtext_key_is(key, "object") && value.p[0] == '{')
            record = value;
    if (rc < 0) {
        failure_set(f, -EBADMSG, 200, "the answer is not a JSON object (%zu bytes)", n);
        return f->err;
    }
    __attribute__((cleanup(page_freep))) struct page *p = page_new(1);
    rc = p ? add_row(p, record) : -ENOMEM;
    if (rc == 0 && p->nbad)
        rc = -EBADMSG;
    if (rc < 0) {
        failure_set(f, rc, 200, "%s", p && p->nbad ? p->bad[0].reason : "out of memory");
        return rc;
    }
    place_bodies(p);
    p->total = 1;
    *ret = p;
    p = NULL;
    return 0;
}

/* error, message, or the same inside `data` or `errors`; a value that is no string is dumped. */
static void copy_message(json_t *j, char *message, size_t cap)
{
    static const char *const keys[] = {"error", "global_error", "message"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        json_t *v = json_object_get(j, keys[i]);
        if (json_is_string(v)) {
            snprintf(message, cap, "%s", json_string_value(v));
            return;
        }
        if (v && !json_is_null(v)) {
            CLEANUP_FREE char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
            snprintf(message, cap, "%s", text ? text : "");
            return;
        }
    }
}

void page_error_text(const char *body, size_t n, char *message, size_t cap, char *api_id,
                     size_t id_cap)
{
    json_error_t e;
    json_t *j = n ? json_loadb(body, n, JSON_ALLOW_NUL, &e) : NULL;
    message[0] = api_id[0] = '\0';
    copy_message(j, message, cap);
    if (!*message)
        copy_message(json_object_get(j, "data"), message, cap);
    if (!*message)
        copy_message(json_object_get(j, "errors"), message, cap);
    if (!*message && !j)
        str_copy(message, cap, body ? body : "", n);
    json_t *id = json_object_get(j, "api_id");
    if (!id)
        id = json_object_get(j, "app_id");
    if (json_is_string(id))
        snprintf(api_id, id_cap, "%s", json_string_value(id));
    json_decref(j);
}
