// SPDX-License-Identifier: MIT
#include "api/record.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/jtext.h"
#include "api/utc.h"

static int load_once(struct slice text, json_t **ret, json_error_t *e)
{
    CLEANUP_FREE char *copy = malloc(text.n + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    jtext_mend_surrogates(copy, text.n);
    jtext_mend_numbers(copy, text.n);
    *ret = json_loadb(copy, text.n, JSON_ALLOW_NUL, e);
    return *ret ? 0 : -EBADMSG;
}

/* jansson blames the text when memory runs out; so what it refuses is put to it twice. And it does
 * not see a NUL byte right behind a number or a word. */
int record_load(struct slice text, json_t **ret, json_error_t *e)
{
    if (memchr(text.p, '\0', text.n)) {
        snprintf(e->text, sizeof(e->text), "a NUL byte");
        return -EBADMSG;
    }
    int rc = load_once(text, ret, e);
    return rc == -EBADMSG ? load_once(text, ret, e) : rc;
}

/* The member under either of its two names (API.md trap 1). */
static json_t *member(json_t *rec, const struct axis *a)
{
    json_t *v = json_object_get(rec, a->field[0]);
    return v && !json_is_null(v) ? v : json_object_get(rec, a->field[1]);
}

/* Text of a string or an integer (numbers come as both, trap 2); false for anything else, also for
 * a string that goes on behind a NUL. */
static bool text_of(json_t *v, char *out, size_t cap)
{
    if (json_is_integer(v)) {
        snprintf(out, cap, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return true;
    }
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return false;
    str_copy(out, cap, json_string_value(v), json_string_length(v));
    return true;
}

static int64_t time_of(json_t *v)
{
    int64_t t;
    if (!json_is_string(v) || utc_parse(json_string_value(v), json_string_length(v), &t) < 0)
        return INT64_MIN;
    return t;
}

static int64_t whole_of(json_t *v)
{
    char text[CALL_TEXT_MAX], *end;
    if (!text_of(v, text, sizeof(text)) || !*text)
        return INT64_MIN;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return *end || errno ? INT64_MIN : n;
}

static int64_t choice_of(const struct axis *a, json_t *v)
{
    int n =
        json_is_string(v) ? axis_choice_by_api(a, json_string_value(v), json_string_length(v)) : 0;
    return n ? n : INT64_MIN;
}

static int64_t number_of(const struct axis *a, json_t *v)
{
    switch (a->form) {
    case FORM_TIME:
        return time_of(v);
    case FORM_CHOICE:
        return choice_of(a, v);
    default:
        return whole_of(v);
    }
}

/* The trunk id: its own member, or the first label of the trunk's domain (API.md section 8). */
static void read_trunk(json_t *rec, char out[CALL_TEXT_MAX])
{
    char domain[CALL_TEXT_MAX] = "";
    if (!text_of(member(rec, &axes[NUM_AXES + AXIS_TRUNK]), domain, sizeof(domain)) || !*domain)
        text_of(json_object_get(rec, "trunk_domain"), domain, sizeof(domain));
    size_t n = strspn(domain, "0123456789");
    bool plain = n < AXIS_TEXT_MAX && (domain[n] == '.' || !domain[n]);
    str_copy(out, CALL_TEXT_MAX, domain, plain ? n : 0);
}

/* Of a number only digits can be asked for; odd caller ids of failed calls match no filter. */
static void read_number(json_t *rec, int axis, char out[CALL_TEXT_MAX])
{
    char text[256] = ""; /* longer than what is kept, so that what follows the digits is seen */
    text_of(member(rec, &axes[NUM_AXES + axis]), text, sizeof(text));
    const char *digits = text[0] == '+' ? text + 1 : text;
    size_t n = strlen(digits);
    bool plain = strspn(digits, "0123456789") == n;
    str_copy(out, CALL_TEXT_MAX, digits, plain ? n : 0);
}

static int read_call(json_t *rec, struct call *c, char *reason, size_t cap)
{
    json_t *id = json_object_get(rec, "call_uuid");
    memset(c, 0, sizeof(*c));
    if (!json_is_string(id) || !call_uuid_valid(json_string_value(id), json_string_length(id))) {
        snprintf(reason, cap, "call_uuid is missing or no safe name");
        return -EBADMSG;
    }
    str_copy(c->uuid, sizeof(c->uuid), json_string_value(id), json_string_length(id));
    for (int i = 0; i < NUM_AXES; i++)
        c->num[i] = number_of(&axes[i], member(rec, &axes[i]));
    if (c->num[AXIS_END_TIME] == INT64_MIN) {
        snprintf(reason, cap, "call %.64s has no usable end_time", c->uuid);
        return -EBADMSG;
    }
    read_number(rec, AXIS_FROM, c->text[AXIS_FROM]);
    read_number(rec, AXIS_TO, c->text[AXIS_TO]);
    read_trunk(rec, c->text[AXIS_TRUNK]);
    return 0;
}

/* Member by member, since one of them may have to be left out. */
static int render(struct slice text, struct buf *out)
{
    struct jtext j;
    struct slice key, value;
    int rc = jtext_open(&j, text, '{');
    bool first = true;
    if (rc < 0)
        return rc;
    buf_puts(out, "{");
    while ((rc = jtext_next(&j, &key, &value)) > 0) {
        if (jtext_key_is(key, "api_id"))
            continue;
        buf_puts(out, first ? "\n  " : ",\n  ");
        buf_append(out, key.p, key.n);
        buf_puts(out, ": ");
        jtext_indent(out, value, 1);
        first = false;
    }
    buf_puts(out, "\n}\n");
    return rc < 0 ? rc : buf_error(out);
}

int record_decode(struct slice text, struct call *ret, struct buf *out, char *reason, size_t cap)
{
    json_error_t e = {0};
    json_auto_t *rec = NULL;
    int rc = record_load(text, &rec, &e);
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0) {
        snprintf(reason, cap, "not valid JSON: %.60s", e.text);
        str_printable(reason);
        return -EBADMSG;
    }
    if (!json_is_object(rec)) {
        snprintf(reason, cap, "a row that is no object");
        return -EBADMSG;
    }
    rc = read_call(rec, ret, reason, cap);
    if (rc < 0)
        return rc;
    size_t before = out->len;
    rc = render(text, out);
    if (rc < 0) {
        snprintf(reason, cap, "call %.64s cannot be rendered", ret->uuid);
        out->len = before;
        if (out->p)
            out->p[before] = '\0';
        out->error = rc == -ENOMEM ? rc : 0;
    }
    return rc;
}
