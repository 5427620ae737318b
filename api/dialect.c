// SPDX-License-Identifier: MIT
#include "api/dialect.h"

#include <inttypes.h>
#include <string.h>

#include "api/utc.h"

static const struct dialect dialects[DIALECTS] = {
    {DIALECT_LATEST, "latest", "https://api.plivo.com/v1", "Zentrunk/Call/", true},
    {DIALECT_LEGACY, "legacy", "https://zt.plivo.com/v1", "Call/", false},
};

const struct dialect *dialect_by_name(const char *name)
{
    for (int i = 0; i < DIALECTS; i++)
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    return NULL;
}

struct query dialect_narrowest(const struct dialect *d, unsigned refused, const struct query *q)
{
    struct query asked = *q;
    for (int i = 0; i < AXES; i++) {
        if (i == AXIS_END_TIME || (axes[i].param[d->id] && !(refused & (1u << i))))
            continue;
        if (i < NUM_AXES)
            asked.num[i] = RANGE_ALL;
        else
            asked.text[i - NUM_AXES][0] = '\0';
    }
    return asked;
}

/* Percent-encodes what is not unreserved in RFC 3986; a blank must never travel as `+` (trap 17).
 */
static void put_escaped(struct buf *out, const char *s)
{
    for (; *s; s++) {
        bool plain = (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') ||
                     (*s >= 'A' && *s <= 'Z') || strchr("-._~", *s);
        if (plain)
            buf_append(out, s, 1);
        else
            buf_printf(out, "%%%02X", (unsigned char)*s);
    }
}

static void put_param(struct buf *out, const char *name, const char *suffix, const char *value)
{
    buf_printf(out, "&%s%s=", name, suffix);
    put_escaped(out, value);
}

static void put_bound(struct buf *out, const struct axis *a, const char *suffix, const char *name,
                      int64_t v)
{
    char text[UTC_TEXT_MAX];
    if (a->form == FORM_TIME) {
        utc_format(v, text);
        put_param(out, name, suffix, text);
    } else {
        buf_printf(out, "&%s%s=%" PRId64, name, suffix, v);
    }
}

static void put_range(struct buf *out, const struct axis *a, const char *name, struct range r)
{
    if (a->form == FORM_CHOICE) {
        put_param(out, name, "", a->choices[r.lo - 1].api);
        return;
    }
    if (a->form != FORM_TIME && r.hi == r.lo + 1) {
        put_bound(out, a, "", name, r.lo);
        return;
    }
    /* An upper bound alone may be refused (trap 12); durations and times have a natural least. */
    put_bound(out, a, "__gte", name, r.lo == INT64_MIN ? 0 : r.lo);
    if (r.hi != INT64_MAX)
        put_bound(out, a, "__lt", name, r.hi);
}

void dialect_list_url(struct buf *out, const struct dialect *d, const char *api_url,
                      const char *auth_id, const struct query *q, int64_t offset, int limit)
{
    buf_printf(out, "%s/Account/%s/%s?limit=%d&offset=%" PRId64, api_url, auth_id, d->list_path,
               limit, offset);
    for (int i = 0; i < AXES; i++) {
        const char *name = axes[i].param[d->id];
        if (i < NUM_AXES && !range_is_all(q->num[i]))
            put_range(out, &axes[i], name, q->num[i]);
        else if (i >= NUM_AXES && *q->text[i - NUM_AXES])
            put_param(out, name, "", q->text[i - NUM_AXES]);
    }
}

void dialect_call_url(struct buf *out, const struct dialect *d, const char *api_url,
                      const char *auth_id, const char *uuid)
{
    buf_printf(out, "%s/Account/%s/%s%s/", api_url, auth_id, d->list_path, uuid);
}

#define NEAR_S 10800 /* no zone moves its clock by more than that at once */

void dialect_to_console(struct query *q, int (*east)(int64_t t))
{
    struct range *r = &q->num[AXIS_INITIATION_TIME];
    if (r->lo != INT64_MIN) {
        int a = east(r->lo - NEAR_S), b = east(r->lo + NEAR_S);
        r->lo += a < b ? a : b;
    }
    if (r->hi != INT64_MAX) {
        int a = east(r->hi - NEAR_S), b = east(r->hi + NEAR_S);
        r->hi += a > b ? a : b;
    }
}
