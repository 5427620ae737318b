// SPDX-License-Identifier: MIT
#include "api/dialect.h"

#include <errno.h>

#include "tests/unit/gen_query.h"

#define MAY_26 1779753600 /* 2026-05-26 00:00:00 */
#define AUTH_ID "MAXXXXXXXXXXXXXXXXXX"
#define TRUNK (NUM_AXES + AXIS_TRUNK)
#define FROM (NUM_AXES + AXIS_FROM)

START_TEST(each_host_is_known_by_the_name_of_its_option)
{
    const struct dialect *latest = dialect_by_name("latest"), *legacy = dialect_by_name("legacy");
    ck_assert_int_eq(latest->id, DIALECT_LATEST);
    ck_assert_str_eq(latest->name, "latest");
    ck_assert_str_eq(latest->default_url, "https://api.plivo.com/v1");
    ck_assert_str_eq(latest->list_path, "Zentrunk/Call/");
    ck_assert(latest->one_call);
    ck_assert_int_eq(legacy->id, DIALECT_LEGACY);
    ck_assert_str_eq(legacy->default_url, "https://zt.plivo.com/v1");
    ck_assert_str_eq(legacy->list_path, "Call/");
    ck_assert(!legacy->one_call);
    ck_assert_ptr_null(dialect_by_name("Latest"));
    ck_assert_ptr_null(dialect_by_name(""));
    ck_assert_ptr_null(dialect_by_name("late"));
}
END_TEST

/* API.md section 2; the parameters behind the day, sorted as they come. */
static const struct {
    const char *dialect;
    int axis;
    const char *value;
    const char *extra[2]; /* parameters that must be there */
} urls[] = {
    {"latest", AXIS_DIRECTION, "outbound", {"&call_direction=outbound"}},
    {"legacy", AXIS_DIRECTION, "inbound", {"&call_direction=inbound"}},
    {"latest", FROM, "14155", {"&from_number=14155"}},
    {"latest", NUM_AXES + AXIS_TO, "91", {"&to_number=91"}},
    {"legacy", TRUNK, "2969858100306124", {"&trunk_id=2969858100306124"}},
    {"latest", AXIS_BILL_DURATION, "180", {"&bill_duration=180"}},
    {"latest", AXIS_BILL_DURATION, "gt-7200", {"&bill_duration__gte=7201"}},
    {"latest", AXIS_BILL_DURATION, "gte-7200", {"&bill_duration__gte=7200"}},
    {"latest", AXIS_BILL_DURATION, "lt-420", {"&bill_duration__lt=420", "&bill_duration__gte=0"}},
    {"legacy",
     AXIS_BILL_DURATION,
     "lte-7200",
     {"&bill_duration__lt=7201", "&bill_duration__gte=0"}},
    {"latest", AXIS_HANGUP_CAUSE, "4160", {"&hangup_cause_code=4160"}},
    {"latest", AXIS_HANGUP_SOURCE, "zentrunk", {"&hangup_source=zentrunk"}},
    {"latest", AXIS_STIR, "verified", {"&stir_verification=Verified"}},
    {"latest", AXIS_STIR, "not-verified", {"&stir_verification=Not%20Verified"}},
    {"latest", AXIS_STIR, "not-applicable", {"&stir_verification=Not%20Applicable"}},
    {"legacy",
     AXIS_INITIATION_TIME,
     "gte-2026-05-25T23:59:30",
     {"&initiation_time__gte=2026-05-25%2023%3A59%3A30"}},
    {"latest", TRUNK, "2969858100306124", {NULL}},
    {"latest", AXIS_INITIATION_TIME, "gte-2026-05-25T23:59:30", {NULL}},
    {"legacy", AXIS_HANGUP_CAUSE, "4160", {NULL}},
    {"legacy", AXIS_HANGUP_SOURCE, "carrier", {NULL}},
    {"legacy", AXIS_STIR, "verified", {NULL}},
};

static struct query day_query(void)
{
    struct query q = QUERY_ALL;
    query_meet_range(&q, AXIS_END_TIME, (struct range){MAY_26, MAY_26 + 86400});
    return q;
}

/* The URL without the one parameter, or the test fails. */
static void cut_param(char *url, const char *param)
{
    char *at = strstr(url, param);
    size_t n = strlen(param);
    ck_assert_msg(at && (at[n] == '&' || !at[n]), "%s has no %s", url, param);
    memmove(at, at + n, strlen(at + n) + 1);
}

static void make_url(struct buf *out, const char *dialect, const struct query *q, unsigned refused,
                     int64_t offset)
{
    const struct dialect *d = dialect_by_name(dialect);
    struct query asked = dialect_narrowest(d, refused, q);
    *out = buf_make(URL_MAX_BYTES);
    dialect_list_url(out, d, "http://127.0.0.1:8080/v1", AUTH_ID, &asked, offset, API_PAGE_LIMIT);
    expect(buf_error(out) == 0, "the URL does not fit");
}

static void cut_day(char *url)
{
    cut_param(url, "&end_time__gte=2026-05-26%2000%3A00%3A00");
    cut_param(url, "&end_time__lt=2026-05-27%2000%3A00%3A00");
}

static const char *const bare[] = {
    "http://127.0.0.1:8080/v1/Account/" AUTH_ID "/Zentrunk/Call/?limit=20&offset=40",
    "http://127.0.0.1:8080/v1/Account/" AUTH_ID "/Call/?limit=20&offset=40",
};

START_TEST(a_query_becomes_the_url_of_a_page)
{
    struct query q = day_query();
    struct buf url;
    ck_assert_int_eq(query_apply(&q, urls[_i].axis, urls[_i].value), 0);
    make_url(&url, urls[_i].dialect, &q, 0, 40);
    cut_day(url.p);
    for (int i = 0; i < 2 && urls[_i].extra[i]; i++)
        cut_param(url.p, urls[_i].extra[i]);
    ck_assert_str_eq(url.p, bare[dialect_by_name(urls[_i].dialect)->id]);
    buf_release(&url);
}
END_TEST

START_TEST(a_time_is_always_sent_as_two_bounds)
{
    struct query q = QUERY_ALL;
    struct buf url;
    query_meet_range(&q, AXIS_END_TIME, (struct range){MAY_26, MAY_26 + 1});
    make_url(&url, "latest", &q, 0, 0);
    cut_param(url.p, "&end_time__gte=2026-05-26%2000%3A00%3A00");
    cut_param(url.p, "&end_time__lt=2026-05-26%2000%3A00%3A01");
    ck_assert_ptr_null(strstr(url.p, "end_time"));
    buf_release(&url);
}
END_TEST

START_TEST(a_refused_filter_is_dropped_and_the_others_stay)
{
    struct query q = day_query();
    struct buf url;
    ck_assert_int_eq(query_apply(&q, FROM, "14155"), 0);
    ck_assert_int_eq(query_apply(&q, AXIS_STIR, "verified"), 0);
    ck_assert_int_eq(query_apply(&q, AXIS_DIRECTION, "inbound"), 0);
    make_url(&url, "latest", &q, 1u << AXIS_STIR | 1u << FROM | 1u << AXIS_END_TIME, 40);
    cut_day(url.p);
    cut_param(url.p, "&call_direction=inbound");
    ck_assert_str_eq(url.p, bare[0]);
    buf_release(&url);
}
END_TEST

/* No parameter without a value, no blank, no plus, nothing that is not printable (traps 13, 14,
 * 17). */
static void check_url_text(const char *url)
{
    for (const char *p = url; *p; p++) {
        expect(*p > 0x20 && *p < 0x7f && *p != '+' && *p != '"', "%s", url);
        expect(*p != '=' || (p[1] && p[1] != '&'), "%s", url);
    }
}

static struct query gen_day_query(struct rng *r)
{
    for (;;) {
        struct query q = day_query();
        for (int n = rng_below(r, 5); n > 0; n--) {
            int axis = 1 + rng_below(r, AXES - 1);
            if (axis < NUM_AXES)
                query_meet_range(&q, axis, gen_range(r, axis));
            else
                query_meet_text(&q, axis - NUM_AXES, gen_number(r));
        }
        if (!q.none)
            return q;
    }
}

START_TEST(what_a_host_is_asked_holds_all_of_the_query)
{
    struct rng r = {21};
    for (int i = 0; i < 20000; i++) {
        const struct dialect *d = dialect_by_name(rng_one_in(&r, 2) ? "latest" : "legacy");
        unsigned refused = (unsigned)rng_next(&r) & (unsigned)rng_next(&r);
        struct query q = gen_day_query(&r), asked = dialect_narrowest(d, refused, &q), twice;
        expect(query_implies(&q, &asked), "case %d", i);
        expect(asked.num[AXIS_END_TIME].lo == q.num[AXIS_END_TIME].lo, "case %d", i);
        expect(asked.num[AXIS_END_TIME].hi == q.num[AXIS_END_TIME].hi, "case %d", i);
        twice = dialect_narrowest(d, refused, &asked);
        expect(query_implies(&asked, &twice) && query_implies(&twice, &asked), "case %d", i);
    }
}
END_TEST

START_TEST(every_url_is_plain_and_names_only_what_the_host_filters)
{
    struct rng r = {22};
    char param[64];
    for (int i = 0; i < 20000; i++) {
        const struct dialect *d = dialect_by_name(rng_one_in(&r, 2) ? "latest" : "legacy");
        struct query q = gen_day_query(&r);
        struct buf url;
        make_url(&url, d->name, &q, 0, 20 * rng_below(&r, 1000));
        check_url_text(url.p);
        for (int a = 0; a < AXES; a++) {
            bool used = a < NUM_AXES ? !range_is_all(q.num[a]) : *q.text[a - NUM_AXES] != 0;
            const char *name = axes[a].param[d->id] ? axes[a].param[d->id] : axes[a].field[d->id];
            snprintf(param, sizeof(param), "&%s", name);
            expect((strstr(url.p, param) != NULL) == (used && axes[a].param[d->id]), "%s in %s",
                   param, url.p);
        }
        buf_release(&url);
    }
}
END_TEST

START_TEST(an_offset_beyond_32_bits_is_written_whole)
{
    struct query q = day_query();
    struct buf url;
    make_url(&url, "latest", &q, 0, 9000000000000);
    ck_assert_ptr_nonnull(strstr(url.p, "?limit=20&offset=9000000000000&"));
    buf_release(&url);
}
END_TEST

START_TEST(one_call_has_a_url_with_its_slash)
{
    struct buf url = buf_make(URL_MAX_BYTES);
    dialect_call_url(&url, dialect_by_name("latest"), "https://api.plivo.com/v1", AUTH_ID,
                     "6c3a8b60-26e0-4842-9387-2350de79f16b");
    ck_assert_str_eq(url.p, "https://api.plivo.com/v1/Account/" AUTH_ID
                            "/Zentrunk/Call/6c3a8b60-26e0-4842-9387-2350de79f16b/");
    buf_release(&url);
}
END_TEST

START_TEST(the_longest_query_fits_in_a_url)
{
    struct query q = day_query();
    struct buf url;
    query_meet_text(&q, AXIS_FROM, "99999999999999999999999");
    query_meet_text(&q, AXIS_TO, "99999999999999999999999");
    query_meet_text(&q, AXIS_TRUNK, "99999999999999999999999");
    query_meet_range(&q, AXIS_BILL_DURATION, (struct range){1000000000, 9999999999});
    query_meet_range(&q, AXIS_INITIATION_TIME, (struct range){MAY_26 - 99999, MAY_26});
    ck_assert_int_eq(query_apply(&q, AXIS_STIR, "not-applicable"), 0);
    make_url(&url, "latest", &q, 0, INT64_MAX);
    buf_release(&url);
    make_url(&url, "legacy", &q, 0, INT64_MAX);
    buf_release(&url);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(each_host_is_known_by_the_name_of_its_option),
        EACH(a_query_becomes_the_url_of_a_page, urls),
        ONCE(a_time_is_always_sent_as_two_bounds),
        ONCE(a_refused_filter_is_dropped_and_the_others_stay),
        ONCE(what_a_host_is_asked_holds_all_of_the_query),
        ONCE(every_url_is_plain_and_names_only_what_the_host_filters),
        ONCE(an_offset_beyond_32_bits_is_written_whole),
        ONCE(one_call_has_a_url_with_its_slash),
        ONCE(the_longest_query_fits_in_a_url),
    };
    return RUN_SUITE("dialect", tests);
}
