// SPDX-License-Identifier: MIT
#include "column.h"

#include <string.h>

#include "cdr.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define SAME(name, kind, member)                                                                   \
    {                                                                                              \
        name, name, kind, offsetof(struct cdr, member)                                             \
    }
#define OLD(name, latest, kind, member)                                                            \
    {                                                                                              \
        name, latest, kind, offsetof(struct cdr, member)                                           \
    }

static const struct column latest_columns[] = {
    SAME("call_uuid", KIND_UUID, id),
    SAME("call_id", KIND_CALL_ID, id),
    SAME("from_number", KIND_PHONE, from),
    SAME("to_number", KIND_PHONE, to),
    SAME("call_direction", KIND_TEXT, direction),
    SAME("call_duration", KIND_INT, talk),
    SAME("bill_duration", KIND_INT, billed),
    SAME("billed_duration", KIND_INT, billed),
    SAME("initiation_time", KIND_TIME, initiation),
    SAME("answer_time", KIND_TIME, answer),
    SAME("end_time", KIND_TIME, end),
    SAME("hangup_cause_name", KIND_TEXT, cause_name),
    SAME("hangup_cause_code", KIND_INT, cause_code),
    SAME("hangup_source", KIND_TEXT, source),
    SAME("total_rate", KIND_MONEY, rate),
    SAME("total_amount", KIND_MONEY, amount),
    SAME("trunk_domain", KIND_TEXT, trunk_domain),
    SAME("from_country", KIND_TEXT, from_country),
    SAME("to_country", KIND_TEXT, to_country),
    SAME("transport_protocol", KIND_TEXT, transport),
    SAME("srtp", KIND_BOOL, srtp),
    SAME("secure_trunking", KIND_BOOL, secure),
    SAME("secure_trunking_rate", KIND_MONEY, secure_rate),
    SAME("stir_verification", KIND_TEXT, stir),
    SAME("attestation_indicator", KIND_TEXT, attestation),
    SAME("cnam_lookup", KIND_BOOL, cnam),
    SAME("cnam_lookup_rate", KIND_MONEY, cnam_rate),
};

static const struct column legacy_columns[] = {
    SAME("call_uuid", KIND_UUID, id),
    SAME("from_number", KIND_PHONE, from),
    SAME("to_number", KIND_PHONE, to),
    SAME("call_direction", KIND_TEXT, direction),
    OLD("duration", "call_duration", KIND_INT, talk),
    SAME("bill_duration", KIND_INT, billed),
    SAME("initiation_time", KIND_TIME, initiation),
    SAME("answer_time", KIND_TIME, answer),
    SAME("end_time", KIND_TIME, end),
    OLD("hangup_cause", "hangup_cause_name", KIND_TEXT, cause_name),
    OLD("hangup_code", "hangup_cause_code", KIND_INT, cause_code),
    OLD("hangup_initiator", "hangup_source", KIND_TEXT, source),
    OLD("rate", "total_rate", KIND_MONEY, rate),
    SAME("total_amount", KIND_MONEY, amount),
    SAME("trunk_id", KIND_TEXT, trunk_id),
    SAME("trunk_domain", KIND_TEXT, trunk_domain),
    SAME("region", KIND_TEXT, region),
    SAME("from_country", KIND_TEXT, from_country),
    SAME("to_country", KIND_TEXT, to_country),
    SAME("transport_protocol", KIND_TEXT, transport),
    SAME("srtp", KIND_BOOL, srtp),
    SAME("secure_trunking", KIND_BOOL, secure),
    SAME("secure_trunking_rate", KIND_MONEY, secure_rate),
    SAME("stir_verification", KIND_TEXT, stir),
};

const struct column *columns_of(enum dialect d, size_t *ret_n)
{
    *ret_n = d == DIALECT_LEGACY ? COUNT(legacy_columns) : COUNT(latest_columns);
    return d == DIALECT_LEGACY ? legacy_columns : latest_columns;
}

const struct column *column_find(const char *name)
{
    for (size_t i = 0; i < COUNT(latest_columns); i++)
        if (strcmp(latest_columns[i].name, name) == 0)
            return &latest_columns[i];
    for (size_t i = 0; i < COUNT(legacy_columns); i++)
        if (strcmp(legacy_columns[i].name, name) == 0)
            return &legacy_columns[i];
    return NULL;
}
