// SPDX-License-Identifier: MIT
#include "fs/query_path.h"

#include <inttypes.h>
#include <string.h>

#include "api/utc.h"
#include "fs/path.h"

static void put_value(const struct axis *a, const char *operator, int64_t v, struct buf *out)
{
    char text[UTC_TEXT_MAX];
    buf_printf(out, "%s/%s", a->dir, operator);
    if (a->form == FORM_TIME) {
        utc_format(v, text);
        text[10] = 'T';
        buf_printf(out, "%s/", text);
    } else if (a->form == FORM_CHOICE) {
        buf_printf(out, "%s/", a->choices[v - 1].path);
    } else {
        buf_printf(out, "%" PRId64 "/", v);
    }
}

static void put_range(const struct axis *a, struct range r, struct buf *out)
{
    if (r.lo != INT64_MIN && r.hi == r.lo + 1) {
        put_value(a, "", r.lo, out);
        return;
    }
    if (r.lo != INT64_MIN)
        put_value(a, "gte-", r.lo, out);
    if (r.hi != INT64_MAX)
        put_value(a, "lt-", r.hi, out);
}

static bool is_bounded(struct range r)
{
    return r.lo != INT64_MIN && r.hi != INT64_MAX;
}

/* The name of exactly that interval, if it has one. */
static bool date_of(struct range r, char out[2 * UTC_TEXT_MAX])
{
    char text[UTC_TEXT_MAX], last[UTC_TEXT_MAX];
    static const int lengths[] = {10, 7, 13};
    if (!is_bounded(r))
        return false;
    utc_format(r.lo, text);
    text[10] = 'T';
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct range named;
        str_copy(out, UTC_TEXT_MAX, text, (size_t)lengths[i]);
        if (path_date(out, &named) == 0 && named.lo == r.lo && named.hi == r.hi)
            return true;
    }
    if (r.lo != utc_midnight(r.lo) || r.hi != utc_midnight(r.hi) || r.lo >= r.hi)
        return false;
    utc_format_day(r.lo, text);
    utc_format_day(r.hi - 1, last);
    strcpy(out, text);
    strcat(out, "..");
    strcat(out, last);
    return true;
}

void query_path(const struct query *q, const char *uuid, struct buf *out)
{
    struct range time = q->num[AXIS_END_TIME];
    char date[2 * UTC_TEXT_MAX], name[FILE_NAME_MAX];
    size_t before = out->len;
    bool dated = !*uuid && date_of(time, date);
    if (q->none)
        return;
    for (int i = 0; i < AXES; i++) {
        if (i >= NUM_AXES && *q->text[i - NUM_AXES])
            buf_printf(out, "%s/%s/", axes[i].dir, q->text[i - NUM_AXES]);
        else if (i < NUM_AXES && !(i == AXIS_END_TIME && dated))
            put_range(&axes[i], q->num[i], out);
    }
    if (*uuid)
        path_call_name(uuid, name);
    if (*uuid)
        buf_printf(out, "by-uuid/%s", name);
    else if (out->len == before || !dated)
        buf_printf(out, "by-date%s%s", dated ? "/" : "", dated ? date : "");
    else
        buf_puts(out, date);
}

void query_path_days(const struct query *q, const char *uuid, struct buf *out)
{
    struct query days = *q;
    struct range *r = &days.num[AXIS_END_TIME];
    if (is_bounded(*r))
        *r = (struct range){utc_midnight(r->lo), utc_midnight(r->hi - 1) + UTC_DAY};
    query_path(&days, uuid, out);
}
