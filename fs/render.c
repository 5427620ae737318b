// SPDX-License-Identifier: MIT
#include "fs/render.h"

#include <errno.h>
#include <string.h>

#include "api/jtext.h"

#define COLUMNS_MAX 40

static const char *const latest_columns[] = {"call_uuid",
                                             "call_id",
                                             "from_number",
                                             "to_number",
                                             "call_direction",
                                             "call_duration",
                                             "bill_duration",
                                             "billed_duration",
                                             "initiation_time",
                                             "answer_time",
                                             "end_time",
                                             "hangup_cause_name",
                                             "hangup_cause_code",
                                             "hangup_source",
                                             "total_rate",
                                             "total_amount",
                                             "trunk_domain",
                                             "from_country",
                                             "to_country",
                                             "transport_protocol",
                                             "srtp",
                                             "secure_trunking",
                                             "secure_trunking_rate",
                                             "stir_verification",
                                             "attestation_indicator",
                                             "cnam_lookup",
                                             "cnam_lookup_rate"};

static const char *const legacy_columns[] = {"call_uuid",
                                             "from_number",
                                             "to_number",
                                             "call_direction",
                                             "duration",
                                             "bill_duration",
                                             "initiation_time",
                                             "answer_time",
                                             "end_time",
                                             "hangup_cause",
                                             "hangup_code",
                                             "hangup_initiator",
                                             "rate",
                                             "total_amount",
                                             "trunk_id",
                                             "trunk_domain",
                                             "region",
                                             "from_country",
                                             "to_country",
                                             "transport_protocol",
                                             "srtp",
                                             "secure_trunking",
                                             "secure_trunking_rate",
                                             "stir_verification"};

static const struct {
    const char *const *names;
    int n;
} columns[DIALECTS] = {
    [DIALECT_LATEST] = {latest_columns, (int)ARRAY_LEN(latest_columns)},
    [DIALECT_LEGACY] = {legacy_columns, (int)ARRAY_LEN(legacy_columns)},
};

void render_csv_header(struct buf *out, enum dialect_id dialect)
{
    for (int i = 0; i < columns[dialect].n; i++) {
        buf_puts(out, columns[dialect].names[i]);
        buf_puts(out, ",");
    }
    buf_puts(out, "other\n");
}

static int column_of(enum dialect_id dialect, struct slice key)
{
    for (int i = 0; i < columns[dialect].n; i++)
        if (jtext_key_is(key, columns[dialect].names[i]))
            return i;
    return -1;
}

/* Quotes what needs it; quotes inside are doubled. */
static void put_field(struct buf *out, const char *s, size_t n)
{
    bool quote = false;
    for (size_t i = 0; i < n && !quote; i++)
        quote = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
    if (!quote) {
        buf_append(out, s, n);
        return;
    }
    buf_puts(out, "\"");
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"')
            buf_puts(out, "\"");
        buf_append(out, s + i, 1);
    }
    buf_puts(out, "\"");
}

static void put_value(struct buf *out, struct buf *scratch, struct slice value)
{
    if (!value.n || (value.n == 4 && memcmp(value.p, "null", 4) == 0))
        return;
    scratch->len = 0;
    if (value.p[0] == '"')
        jtext_unescape(scratch, value);
    else
        jtext_compact(scratch, value);
    put_field(out, scratch->p ? scratch->p : "", scratch->len);
}

static void add_other(struct buf *other, struct slice key, struct slice value)
{
    buf_puts(other, other->len ? "," : "{");
    buf_append(other, key.p, key.n);
    buf_puts(other, ":");
    jtext_compact(other, value);
}

/* Finds the value of each column; what has none goes to other. */
static int take_members(enum dialect_id dialect, struct slice body, struct slice *values,
                        struct buf *other)
{
    struct jtext j;
    struct slice key, value;
    int rc = jtext_open(&j, body, '{');
    while (rc >= 0 && (rc = jtext_next(&j, &key, &value)) > 0) {
        int column = column_of(dialect, key);
        if (column >= 0)
            values[column] = value;
        else
            add_other(other, key, value);
    }
    if (other->len)
        buf_puts(other, "}");
    return rc;
}

int render_csv_row(struct buf *out, enum dialect_id dialect, struct slice body)
{
    struct slice values[COLUMNS_MAX] = {{0}};
    struct buf other = buf_make(out->max), scratch = buf_make(out->max);
    int rc = take_members(dialect, body, values, &other);
    for (int i = 0; i < columns[dialect].n && rc == 0; i++) {
        put_value(out, &scratch, values[i]);
        buf_puts(out, ",");
    }
    put_field(out, other.p ? other.p : "", other.len);
    buf_puts(out, "\n");
    if (rc == 0)
        rc = buf_error(&other) ? buf_error(&other) : buf_error(&scratch);
    buf_release(&other);
    buf_release(&scratch);
    return rc < 0 ? rc : buf_error(out);
}

void render_ndjson_row(struct buf *out, struct slice body)
{
    jtext_compact(out, body);
    buf_puts(out, "\n");
}
