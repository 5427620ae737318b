// SPDX-License-Identifier: MIT
/*
 * One record through the whole: decoded, its file, its rows of csv and ndjson.
 *
 * The file has the value of the record without its api_id, and decodes to itself. The ndjson row is
 * one line of that value. The csv row, read by RFC 4180, has a field for each column, which says
 * what the member says, and the other members in the last.
 */
#include <errno.h>

#include "api/jtext.h"
#include "api/record.h"
#include "fs/render.h"
#include "tests/fuzz/fuzz.h"

#define FIELDS_MAX 64

static json_t *value_of(struct slice text)
{
    json_error_t e;
    json_t *v = NULL;
    CHECK(record_load(text, &v, &e) == 0);
    return v;
}

/* Appends the file to out, and returns true, when the record is taken; then c is its call. */
static bool decode(struct slice text, struct call *c, struct buf *out)
{
    CLEANUP_FREE char *copy = fuzz_copy(text.p, text.n);
    char reason[96] = "";
    size_t before = out->len;
    int rc = record_decode((struct slice){copy, text.n}, c, out, reason, sizeof(reason));
    CHECK(rc == 0 || rc == -EBADMSG || rc == -EMSGSIZE);
    CHECK(buf_error(out) == 0);
    if (rc < 0) {
        CHECK(fuzz_is_line(reason) && out->len == before);
        return false;
    }
    c->body = (struct slice){out->p + before, out->len - before};
    fuzz_check_call(c);
    return true;
}

static void check_file(struct slice text, const struct call *c)
{
    json_t *sent = value_of(text), *file = value_of(c->body);
    json_object_del(sent, "api_id");
    CHECK(json_equal(sent, file));
    json_decref(sent);
    json_decref(file);
    struct buf again = buf_make(SIZE_MAX);
    struct call d;
    CHECK(decode(c->body, &d, &again));
    fuzz_check_same_call(c, &d);
    buf_release(&again);
}

static void check_room(struct slice text, size_t room)
{
    struct buf out = buf_make(room);
    struct call c;
    decode(text, &c, &out);
    buf_release(&out);
}

static void check_ndjson(const struct call *c)
{
    struct buf row = buf_make(SIZE_MAX);
    render_ndjson_row(&row, c->body);
    const char *p = fuzz_buf(&row);
    CHECK(memchr(p, '\n', row.len) == p + row.len - 1);
    CHECK(!memchr(p, '\r', row.len));
    json_t *want = value_of(c->body), *got = value_of((struct slice){p, row.len});
    CHECK(json_equal(got, want));
    json_decref(want);
    json_decref(got);
    buf_release(&row);
}

/* The fields of one record by RFC 4180; ret_n becomes their number. */
static void read_csv(struct slice row, struct buf fields[FIELDS_MAX], size_t *ret_n)
{
    const char *p = row.p, *end = row.p + row.n;
    size_t n = 0;
    for (bool more = true; more; n++) {
        CHECK(n < FIELDS_MAX);
        bool quoted = p < end && *p == '"';
        p += quoted;
        while (p < end && (quoted || (*p != ',' && *p != '\n'))) {
            CHECK(quoted || (*p != '"' && *p != '\r'));
            if (quoted && *p == '"' && *++p != '"')
                break;
            buf_append(&fields[n], p++, 1);
        }
        CHECK(p < end && (*p == ',' || *p == '\n'));
        more = *p++ == ',';
    }
    CHECK(p == end);
    *ret_n = n;
}

static bool has_odd_escape(const struct buf *field)
{
    return strstr(fuzz_buf(field), "\\u") != NULL;
}

static void check_field(const struct buf *field, json_t *want)
{
    struct slice got = {fuzz_buf(field), field->len};
    if (!want || json_is_null(want)) {
        /* a number too large for jansson is null to it */
        CHECK(got.n == 0 || (want && strspn(got.p, "0123456789+-.eE") == got.n));
    } else if (json_is_string(want)) {
        if (!has_odd_escape(field))
            CHECK(
                fuzz_equal(got, (struct slice){json_string_value(want), json_string_length(want)}));
    } else {
        CHECK(!memchr(got.p, '\n', got.n));
    }
    if (want && !json_is_null(want) && !json_is_string(want)) {
        struct buf array = buf_make(SIZE_MAX);
        buf_printf(&array, "[");
        buf_append(&array, got.p, got.n);
        buf_puts(&array, "]");
        json_t *v = value_of((struct slice){fuzz_buf(&array), array.len});
        CHECK(json_array_size(v) == 1 && json_equal(json_array_get(v, 0), want));
        json_decref(v);
        buf_release(&array);
    }
}

/* Takes the members that have columns out of all; what is left must be in the last field. */
static void check_members(struct buf *names, struct buf *fields, size_t n, json_t *all)
{
    for (size_t i = 0; i + 1 < n; i++) {
        check_field(&fields[i], json_object_get(all, fuzz_buf(&names[i])));
        json_object_del(all, fuzz_buf(&names[i]));
    }
    CHECK((fields[n - 1].len == 0) == (json_object_size(all) == 0));
    if (fields[n - 1].len) {
        json_t *other = value_of((struct slice){fuzz_buf(&fields[n - 1]), fields[n - 1].len});
        CHECK(json_equal(other, all));
        json_decref(other);
    }
}

static void check_csv(enum dialect_id dialect, const struct call *c)
{
    struct buf head = buf_make(SIZE_MAX), row = buf_make(SIZE_MAX);
    struct buf names[FIELDS_MAX], fields[FIELDS_MAX];
    size_t nnames, nfields;
    for (size_t i = 0; i < FIELDS_MAX; i++)
        names[i] = fields[i] = buf_make(SIZE_MAX);
    render_csv_header(&head, dialect);
    CHECK(render_csv_row(&row, dialect, c->body) == 0);
    read_csv((struct slice){fuzz_buf(&head), head.len}, names, &nnames);
    read_csv((struct slice){fuzz_buf(&row), row.len}, fields, &nfields);
    CHECK(nnames == nfields);
    json_t *all = value_of(c->body);
    check_members(names, fields, nfields, all);
    json_decref(all);
    for (size_t i = 0; i < FIELDS_MAX; i++) {
        buf_release(&names[i]);
        buf_release(&fields[i]);
    }
    buf_release(&head);
    buf_release(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = {(const char *)data, n};
    struct buf out = buf_make(SIZE_MAX);
    struct call c;
    if (decode(text, &c, &out)) {
        check_file(text, &c);
        check_ndjson(&c);
        for (int d = 0; d < DIALECTS; d++)
            check_csv((enum dialect_id)d, &c);
        check_room(text, c.body.n);
        check_room(text, c.body.n - 1);
        check_room(text, n % 100);
    }
    buf_release(&out);
    return 0;
}
