// SPDX-License-Identifier: MIT
#include "book.h"

#include <stdio.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

enum { US, CA, GB, IN, BR, DE, CH, FR, AU };

static const struct country countries[] = {
    [US] = {"US", 280, 1},  [CA] = {"CA", 650, 6},   [GB] = {"GB", 1210, 1},
    [IN] = {"IN", 200, 60}, [BR] = {"BR", 31800, 6}, [DE] = {"DE", 10000, 60},
    [CH] = {"CH", 9450, 1}, [FR] = {"FR", 725, 1},   [AU] = {"AU", 3000, 60},
};

/* `count` numbers that start with `prefix` and go on with `width` digits. */
struct series {
    const char *prefix;
    int width;
    int count;
    int country;
};

static const struct series own_series[] = {
    {"1332555", 4, 3, US}, {"442070001", 3, 2, GB}, {"9180400", 5, 2, IN}, {"5511400", 6, 1, BR}};

/* The two series without further digits are numbers that are prefixes of others. */
static const struct series remote_series[] = {
    {"1415555", 4, 30, US},   {"1415556", 4, 10, US}, {"1212555", 4, 20, US},
    {"1646555", 4, 10, US},   {"1604555", 4, 12, CA}, {"442079460", 3, 20, GB},
    {"447700900", 3, 10, GB}, {"9122400", 5, 20, IN}, {"9198200", 5, 15, IN},
    {"5521350", 6, 12, BR},   {"4930901", 5, 12, DE}, {"4144668", 4, 8, CH},
    {"33199", 6, 6, FR},      {"6125550", 4, 5, AU},  {"1415555", 0, 1, US},
    {"44207946", 0, 1, GB}};

static const struct trunk trunks[] = {
    {"31870244519062", "31870244519062.zt.plivo.com", ""},
    {"4810277365519284", "4810277365519284.us-east-1.zt.plivo.com", "us-east-1"},
    {"52094418873306175", "52094418873306175.ap-south-1.zt.plivo.com", "ap-south-1"},
    {"907316254481920376", "907316254481920376.zt.plivo.com", ""},
    {"660182934475018", "660182934475018.ap-southeast-1.zt.plivo.com", "ap-southeast-1"},
    {"", "", ""}};

static const struct cause answered[] = {
    {3000, "normal_hangup", "carrier"},  {3010, "normal_hangup", "customer"},
    {3000, "normal_hangup", "carrier"},  {3010, "normal_hangup", "customer"},
    {3010, "normal_hangup", "customer"}, {3020, "rtp_timeout", "zentrunk"}};

/* 4999 is a code no table lists: such codes occur. */
static const struct cause unanswered[] = {{4160, "request_timeout_carrier", "carrier"},
                                          {4170, "request_timeout_customer", "customer"},
                                          {4410, "user_busy", "carrier"},
                                          {4340, "temporary_unavailable", "carrier"},
                                          {4350, "temporary_unavailable", "customer"},
                                          {4420, "carrier_cancelled", "carrier"},
                                          {4550, "customer_cancelled", "customer"},
                                          {4040, "forbidden", "carrier"},
                                          {4570, "barred_number", "zentrunk"},
                                          {4120, "destination_invalid", "zentrunk"},
                                          {5180, "cps_limit_reached", "zentrunk"},
                                          {5350, "service_unavailable_by_carrier", "carrier"},
                                          {5360, "service_unavailable_by_user", "customer"},
                                          {6040, "declined_from_carrier", "carrier"},
                                          {4130, "incorrect_callerid_non_numeric", "zentrunk"},
                                          {4140, "incorrect_callerid_too_short", "zentrunk"},
                                          {4999, "unlisted_reason", "zentrunk"}};

static const struct odd_caller odd[] = {
    {"\"anonymous\"", "anonymous", 4130},
    {"\"../../etc/passwd\"", "../../etc/passwd", 4130},
    {"\"sip:alice@example.org\"", "sip:alice@example.org", 4130},
    {"\"+\"", "+", 4140},
    {"\"7\"", "7", 4140},
    {"\"+123\"", "+123", 4140},
    {"\"Z\xc3\xbcrich \xe2\x98\x8e\"", "Z\xc3\xbcrich \xe2\x98\x8e", 4130},
    {"\"a\\u0000b\"", "a", 4130},
    {"\"say \\\"hi\\\"\"", "say \"hi\"", 4130},
    {"\"back\\\\slash\\/\"", "back\\slash/", 4130},
    {"\"\\u001b[31mred\\n\"", "\x1b[31mred\n", 4130},
    {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4130},
    {"\"\"", "", 4140}};

static size_t fill(struct number *out, size_t at, const struct series *s)
{
    unsigned span = 1;

    for (int i = 0; i < s->width; i++)
        span *= 10;
    for (int i = 0; i < s->count; i++, at++) {
        unsigned tail = (100 + 37U * (unsigned)i) % span;

        out[at].country = &countries[s->country];
        if (s->width)
            snprintf(out[at].text, sizeof out[at].text, "+%s%0*u", s->prefix, s->width, tail);
        else
            snprintf(out[at].text, sizeof out[at].text, "+%s", s->prefix);
    }
    return at;
}

void book_init(struct book *b)
{
    size_t at = 0;

    for (size_t i = 0; i < COUNT(own_series); i++)
        at = fill(b->own, at, &own_series[i]);
    at = 0;
    for (size_t i = 0; i < COUNT(remote_series); i++)
        at = fill(b->remote, at, &remote_series[i]);
}

const struct trunk *book_trunk(size_t i)
{
    return &trunks[i % COUNT(trunks)];
}

size_t book_trunks(void)
{
    return COUNT(trunks);
}

const struct cause *book_answered(size_t i)
{
    return &answered[i % COUNT(answered)];
}

const struct cause *book_unanswered(size_t i)
{
    return &unanswered[i % COUNT(unanswered)];
}

const struct cause *book_cause(int code)
{
    for (size_t i = 0; i < COUNT(unanswered); i++)
        if (unanswered[i].code == code)
            return &unanswered[i];
    return &unanswered[COUNT(unanswered) - 1];
}

const struct odd_caller *book_odd(size_t i)
{
    return &odd[i % COUNT(odd)];
}
