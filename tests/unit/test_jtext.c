// SPDX-License-Identifier: MIT
#include "api/jtext.h"

#include <errno.h>

#include "tests/unit/check_util.h"

#define TEXT_MAX (1 << 20)

/* --- reading members and elements --- */

START_TEST(members_come_in_order_with_their_literals)
{
    static const char text[] = " { \"a\" : 0.1 ,\"b\":\"x,}\\\"]\" , \"c\\u0041\":[1, {\"d\":2}],\n"
                               "\t\"e\":{}, \"\":null } \r\n";
    static const char *const want[][2] = {{"\"a\"", "0.1"},
                                          {"\"b\"", "\"x,}\\\"]\""},
                                          {"\"c\\u0041\"", "[1, {\"d\":2}]"},
                                          {"\"e\"", "{}"},
                                          {"\"\"", "null"}};
    struct jtext j;
    struct slice k, v;
    ck_assert_int_eq(jtext_open(&j, slice_of(text), '{'), 0);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        ck_assert_int_eq(jtext_next(&j, &k, &v), 1);
        ck_assert_uint_eq(k.n, strlen(want[i][0]));
        ck_assert_mem_eq(k.p, want[i][0], k.n);
        ck_assert_uint_eq(v.n, strlen(want[i][1]));
        ck_assert_mem_eq(v.p, want[i][1], v.n);
    }
    ck_assert_int_eq(jtext_next(&j, &k, &v), 0);
}
END_TEST

START_TEST(elements_have_no_key)
{
    struct jtext j;
    struct slice k = {"x", 1}, v;
    ck_assert_int_eq(jtext_open(&j, slice_of("[ true,[ ] , \"]\" ]"), '['), 0);
    ck_assert_int_eq(jtext_next(&j, &k, &v), 1);
    ck_assert_uint_eq(k.n, 0);
    ck_assert_uint_eq(v.n, 4);
    ck_assert_mem_eq(v.p, "true", 4);
    ck_assert_int_eq(jtext_next(&j, &k, &v), 1);
    ck_assert_uint_eq(v.n, 3);
    ck_assert_mem_eq(v.p, "[ ]", 3);
    ck_assert_int_eq(jtext_next(&j, &k, &v), 1);
    ck_assert_uint_eq(v.n, 3);
    ck_assert_mem_eq(v.p, "\"]\"", 3);
    ck_assert_int_eq(jtext_next(&j, &k, &v), 0);
}
END_TEST

/* The number of members of all of text, or the error. */
static int count(const char *text, size_t n, char open)
{
    struct jtext j;
    struct slice k, v;
    CLEANUP_FREE char *s = exact_copy(text, n);
    int members = 0, rc = jtext_open(&j, (struct slice){s, n}, open);
    while (rc >= 0 && (rc = jtext_next(&j, &k, &v)) > 0) {
        expect(v.n > 0 && v.p >= s && v.p + v.n <= s + n, "a value out of bounds");
        expect(k.p >= s && k.p + k.n <= s + n, "a key out of bounds");
        members++;
    }
    return rc < 0 ? rc : members;
}

static const struct {
    const char *text;
    char open;
    int want;
} containers[] = {
    {"{}", '{', 0},
    {"[]", '[', 0},
    {" [ \n ] ", '[', 0},
    {"{ }\n", '{', 0},
    {"[1]", '[', 1},
    {"[[],[],{}]", '[', 3},
    {"[\"a\",\"\\\\\",\"\\\"\"]", '[', 3},
    {"{\"a\":1,\"a\":2}", '{', 2},
    {"", '{', -EBADMSG},
    {"   ", '{', -EBADMSG},
    {"[]", '{', -EBADMSG},
    {"{}", '[', -EBADMSG},
    {"null", '{', -EBADMSG},
    {"\"{}\"", '{', -EBADMSG},
    {"{", '{', -EBADMSG},
    {"[", '[', -EBADMSG},
    {"[1", '[', -EBADMSG},
    {"[1,", '[', -EBADMSG},
    {"[1,]", '[', -EBADMSG},
    {"[,1]", '[', -EBADMSG},
    {"[1 2]", '[', -EBADMSG},
    {"[1}", '[', -EBADMSG},
    {"{\"a\":1]", '{', -EBADMSG},
    {"{\"a\"}", '{', -EBADMSG},
    {"{\"a\":}", '{', -EBADMSG},
    {"{\"a\":1,}", '{', -EBADMSG},
    {"{\"a\" 1}", '{', -EBADMSG},
    {"{a:1}", '{', -EBADMSG},
    {"{1:1}", '{', -EBADMSG},
    {"{\"a:1}", '{', -EBADMSG},
    {"{\"a\":\"b}", '{', -EBADMSG},
    {"{\"a\":\"b\\", '{', -EBADMSG},
    {"{\"a\":\"b\\\"}", '{', -EBADMSG},
    {"{\"a\\", '{', -EBADMSG},
    {"{\"a\":[}", '{', -EBADMSG},
    {"{\"a\":1}x", '{', -EBADMSG},
    {"{\"a\":1}{}", '{', -EBADMSG},
    {"[] []", '[', -EBADMSG},
    {"[]]", '[', -EBADMSG},
};

START_TEST(a_container_is_read_whole_or_not_at_all)
{
    int got = count(containers[_i].text, strlen(containers[_i].text), containers[_i].open);
    ck_assert_msg(got == containers[_i].want, "%s: %d", containers[_i].text, got);
}
END_TEST

START_TEST(no_beginning_of_an_object_is_whole)
{
    static const char text[] = "{\"a\": [1, {\"b\\\"\": \"c\"}], \"d\": -1.5e+3, \"e\": {}}";
    for (size_t n = 0; n < sizeof(text) - 1; n++)
        ck_assert_msg(count(text, n, '{') == -EBADMSG, "first %zu bytes", n);
    ck_assert_int_eq(count(text, sizeof(text) - 1, '{'), 3);
}
END_TEST

static const struct {
    const char *key, *name;
    bool want;
} key_names[] = {
    {"\"api_id\"", "api_id", true},
    {"\"api_id\"", "api_i", false},
    {"\"api_id\"", "api_id2", false},
    {"\"api\\u005fid\"", "api_id", true},
    {"\"\\u0061\\u0070\\u0069\\u005f\\u0069\\u0064\"", "api_id", true},
    {"\"api\\u005Fid2\"", "api_id", false},
    {"\"api_id\\u0000\"", "api_id", false},
    {"\"\\u0061\"", "b", false},
    {"\"\\billed\"", "billed", false},
    {"\"x\\\"\"", "x\"", true},
    {"\"a\\/b\"", "a/b", true},
    {"\"\"", "", true},
    {"\"\"", "a", false},
    {"\"API_ID\"", "api_id", false},
    {"", "", false},
    {"", "a", false},
};

START_TEST(a_key_is_the_name_it_means)
{
    size_t n = strlen(key_names[_i].key);
    CLEANUP_FREE char *s = exact_copy(key_names[_i].key, n);
    ck_assert_int_eq(jtext_key_is((struct slice){s, n}, key_names[_i].name), key_names[_i].want);
}
END_TEST

/* --- layout --- */

static const struct {
    const char *text, *indented, *compact;
    int depth;
} layouts[] = {
    {"0.1", "0.1", "0.1", 0},
    {"\"0.00650\"", "\"0.00650\"", "\"0.00650\"", 0},
    {"1e400", "1e400", "1e400", 0},
    {"-0.0E-7", "-0.0E-7", "-0.0E-7", 0},
    {"99999999999999999999", "99999999999999999999", "99999999999999999999", 0},
    {"\"\\ud800\"", "\"\\ud800\"", "\"\\ud800\"", 0},
    {"\"a\\u0000b\"", "\"a\\u0000b\"", "\"a\\u0000b\"", 0},
    {"\"\\/ \\\\\"", "\"\\/ \\\\\"", "\"\\/ \\\\\"", 0},
    {"\" : , { } [ ] \\\" \"", "\" : , { } [ ] \\\" \"", "\" : , { } [ ] \\\" \"", 0},
    {"\"gr\xc3\xbc\xc3\x9f\"", "\"gr\xc3\xbc\xc3\x9f\"", "\"gr\xc3\xbc\xc3\x9f\"", 0},
    {" true ", "true", "true", 3},
    {"null", "null", "null", 0},
    {"{}", "{}", "{}", 0},
    {"[]", "[]", "[]", 2},
    {"{ \n }", "{}", "{}", 0},
    {"[\t\r]", "[]", "[]", 0},
    {"{\"a\":1}", "{\n  \"a\": 1\n}", "{\"a\":1}", 0},
    {"{\"a\":1}", "{\n    \"a\": 1\n  }", "{\"a\":1}", 1},
    {"[1,2]", "[\n  1,\n  2\n]", "[1,2]", 0},
    {"[ 1 , 2 ]", "[\n      1,\n      2\n    ]", "[1,2]", 2},
    {"{\"a\":{},\"b\":[],\"c\":[{}]}", "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": [\n    {}\n  ]\n}",
     "{\"a\":{},\"b\":[],\"c\":[{}]}", 0},
    {"[[[1]]]", "[\n  [\n    [\n      1\n    ]\n  ]\n]", "[[[1]]]", 0},
};

static void check_text(const struct buf *b, const char *want, size_t n)
{
    expect(buf_error(b) == 0, "error %d", buf_error(b));
    expect(b->len == n && memcmp(buf_text(b), want, n) == 0, "got  %s\nwant %.*s", buf_text(b),
           (int)n, want);
}

START_TEST(a_value_is_laid_out_and_its_literals_are_kept)
{
    size_t n = strlen(layouts[_i].text);
    CLEANUP_FREE char *s = exact_copy(layouts[_i].text, n);
    struct buf b = buf_make(TEXT_MAX), c = buf_make(TEXT_MAX);
    jtext_indent(&b, (struct slice){s, n}, layouts[_i].depth);
    check_text(&b, layouts[_i].indented, strlen(layouts[_i].indented));
    jtext_compact(&c, (struct slice){s, n});
    check_text(&c, layouts[_i].compact, strlen(layouts[_i].compact));
    buf_release(&b);
    buf_release(&c);
}
END_TEST

START_TEST(layout_is_appended_behind_what_is_there)
{
    struct buf b = buf_make(TEXT_MAX);
    buf_puts(&b, "x=");
    jtext_indent(&b, slice_of("[1]"), 0);
    buf_puts(&b, ";");
    jtext_compact(&b, slice_of("[ 1 ]"));
    check_text(&b, "x=[\n  1\n];[1]", 13);
    buf_release(&b);
}
END_TEST

/* A random value in three layouts at once: as somebody may send it, and as the two renderers must.
 */
struct sample {
    struct rng rng;
    struct buf sent, indented, compact;
};

static void put_blanks(struct sample *s)
{
    while (rng_one_in(&s->rng, 4))
        buf_append(&s->sent, &" \t\n\r"[rng_below(&s->rng, 4)], 1);
}

static void put_all(struct sample *s, const char *text)
{
    buf_puts(&s->sent, text);
    buf_puts(&s->indented, text);
    buf_puts(&s->compact, text);
}

static void put_line(struct sample *s, int depth)
{
    buf_printf(&s->indented, "\n%*s", depth * 2, "");
}

static void put_scalar(struct sample *s)
{
    static const char *const some[] = {"0.1",
                                       "\"0.00650\"",
                                       "1e400",
                                       "99999999999999999999",
                                       "null",
                                       "true",
                                       "\"\\ud800\"",
                                       "\"\\u0000\"",
                                       "-0",
                                       "\"\"",
                                       "\"\\\\\"",
                                       "\"a b:{}[],\\\"\"",
                                       "\"\\\\\\\"\"",
                                       "\" \"",
                                       "\"\xf0\x9f\x98\x80\""};
    put_all(s, some[rng_below(&s->rng, (int)ARRAY_LEN(some))]);
}

static void put_value(struct sample *s, int depth);

static void put_item(struct sample *s, bool object, int depth)
{
    put_line(s, depth);
    put_blanks(s);
    if (object) {
        put_all(s, rng_one_in(&s->rng, 2) ? "\"key\"" : "\"k:\\\"{ \"");
        put_blanks(s);
        put_all(s, ":");
        buf_puts(&s->indented, " ");
        put_blanks(s);
    }
    put_value(s, depth);
    put_blanks(s);
}

static void put_value(struct sample *s, int depth)
{
    bool object = rng_one_in(&s->rng, 2);
    int n = rng_below(&s->rng, 5);
    if (depth > 7 || rng_one_in(&s->rng, 2)) {
        put_scalar(s);
        return;
    }
    put_all(s, object ? "{" : "[");
    for (int i = 0; i < n; i++) {
        if (i)
            put_all(s, ",");
        put_item(s, object, depth + 1);
    }
    if (n)
        put_line(s, depth);
    else
        put_blanks(s);
    put_all(s, object ? "}" : "]");
}

static void check_sample(struct sample *s, int depth)
{
    struct buf out = buf_make(TEXT_MAX), again = buf_make(TEXT_MAX);
    CLEANUP_FREE char *sent = exact_copy(s->sent.p, s->sent.len);
    jtext_indent(&out, (struct slice){sent, s->sent.len}, depth);
    check_text(&out, s->indented.p, s->indented.len);
    jtext_compact(&again, (struct slice){out.p, out.len});
    check_text(&again, s->compact.p, s->compact.len);
    again.len = 0;
    jtext_compact(&again, (struct slice){sent, s->sent.len});
    check_text(&again, s->compact.p, s->compact.len);
    out.len = 0;
    jtext_indent(&out, (struct slice){again.p, again.len}, depth);
    check_text(&out, s->indented.p, s->indented.len);
    buf_release(&out);
    buf_release(&again);
}

START_TEST(random_values_are_laid_out_as_a_simple_renderer_does)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct sample s = {.rng = {seed},
                           .sent = buf_make(TEXT_MAX),
                           .indented = buf_make(TEXT_MAX),
                           .compact = buf_make(TEXT_MAX)};
        int depth = (int)(seed % 3);
        put_blanks(&s);
        put_value(&s, depth);
        put_blanks(&s);
        check_sample(&s, depth);
        buf_release(&s.sent);
        buf_release(&s.indented);
        buf_release(&s.compact);
    }
}
END_TEST

/* --- any bytes --- */

static void render_all(const char *p, size_t n)
{
    CLEANUP_FREE char *s = exact_copy(p, n);
    struct buf a = buf_make(TEXT_MAX), b = buf_make(TEXT_MAX);
    jtext_indent(&a, (struct slice){s, n}, (int)(n % 5));
    jtext_compact(&b, (struct slice){s, n});
    expect(buf_error(&a) == 0 || buf_error(&a) == -EMSGSIZE, "error %d", buf_error(&a));
    expect(buf_error(&b) == 0 && b.len <= n, "more than was sent");
    count(s, n, '{');
    count(s, n, '[');
    jtext_mend_surrogates(s, n);
    buf_release(&a);
    buf_release(&b);
}

START_TEST(garbage_is_never_read_out_of_bounds)
{
    static const char letters[] = "{}[],:\"\"\\\\u0dD8cfa9 \n\xc3\x80\x00x";
    struct rng r = {7};
    char text[64];
    for (int i = 0; i < 100000; i++) {
        size_t n = (size_t)rng_below(&r, (int)sizeof(text));
        for (size_t k = 0; k < n; k++)
            text[k] = letters[rng_below(&r, (int)sizeof(letters) - 1)];
        render_all(text, n);
    }
}
END_TEST

START_TEST(closing_brackets_alone_indent_by_nothing)
{
    struct buf b = buf_make(TEXT_MAX);
    jtext_indent(&b, slice_of("]]]]}}}}1"), 0);
    ck_assert_int_eq(buf_error(&b), 0);
    ck_assert_uint_lt(b.len, 100);
    buf_release(&b);
}
END_TEST

START_TEST(a_deep_value_stops_at_the_maximum_of_its_buffer)
{
    size_t n = 200000;
    char *s = malloc(n);
    memset(s, '[', n);
    struct buf b = buf_make(TEXT_MAX);
    jtext_indent(&b, (struct slice){s, n}, 0);
    ck_assert_int_eq(buf_error(&b), -EMSGSIZE);
    ck_assert_uint_le(b.len, TEXT_MAX);
    ck_assert_int_eq(count(s, n, '['), -EBADMSG);
    memset(s + n / 2, ']', n / 2);
    ck_assert_int_eq(count(s, n, '['), 1);
    buf_release(&b);
    b = buf_make(TEXT_MAX);
    jtext_compact(&b, (struct slice){s, n});
    check_text(&b, s, n);
    buf_release(&b);
    free(s);
}
END_TEST

/* --- surrogates --- */

static const struct {
    const char *text, *want;
} surrogates[] = {
    {"", ""},
    {"plain", "plain"},
    {"\\ud800", "\\ufffd"},
    {"\\uDFFF", "\\ufffd"},
    {"\\ud83d\\ude00", "\\ud83d\\ude00"},
    {"\\uD83D\\uDE00", "\\uD83D\\uDE00"},
    {"\\ude00\\ud83d", "\\ufffd\\ufffd"},
    {"\\ud83d\\ud83d\\ude00", "\\ufffd\\ud83d\\ude00"},
    {"\\ud83d\\ude00\\ude00", "\\ud83d\\ude00\\ufffd"},
    {"\\ud83dx\\ude00", "\\ufffdx\\ufffd"},
    {"\\ud83d\\n\\ude00", "\\ufffd\\n\\ufffd"},
    {"\\ud83d\\u0041", "\\ufffd\\u0041"},
    {"\\\\ud800", "\\\\ud800"},
    {"\\\\\\ud800", "\\\\\\ufffd"},
    {"\\\"\\ud800", "\\\"\\ufffd"},
    {"\\u0000\\ud800\\u0000", "\\u0000\\ufffd\\u0000"},
    {"\\ud7ff\\ue000", "\\ud7ff\\ue000"},
    {"\\ud80", "\\ud80"},
    {"\\ud83d\\ude0", "\\ufffd\\ude0"},
    {"\\", "\\"},
    {"\\u", "\\u"},
    {"\\ud8zz", "\\ud8zz"},
};

START_TEST(half_a_surrogate_pair_becomes_the_replacement_character)
{
    size_t n = strlen(surrogates[_i].text);
    CLEANUP_FREE char *s = exact_copy(surrogates[_i].text, n);
    jtext_mend_surrogates(s, n);
    ck_assert_msg(memcmp(s, surrogates[_i].want, n) == 0, "%s: %.*s", surrogates[_i].text, (int)n,
                  s);
}
END_TEST

/* --- what a string means --- */

static const struct {
    const char *text, *want;
} strings[] = {
    {"\"\"", ""},
    {"\"plain\"", "plain"},
    {"\"gr\xc3\xbc\xc3\x9f\"", "gr\xc3\xbc\xc3\x9f"},
    {"\"\\\"\\\\\\/\"", "\"\\/"},
    {"\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t"},
    {"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac"},
    {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
    {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
    {"\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"\"a\\u0000b\"", "a\\u0000b"},
    {"\"\\ud83dx\"", "\\ud83dx"},
    {"\"\\ude00\\ud83d\"", "\\ude00\\ud83d"},
    {"\"\\ud83d\\ud83d\\ude00\"", "\\ud83d\xf0\x9f\x98\x80"},
    {"\"\\ud83d\\u0041\"", "\\ud83dA"},
};

START_TEST(a_string_is_turned_into_what_it_means)
{
    size_t n = strlen(strings[_i].text);
    CLEANUP_FREE char *s = exact_copy(strings[_i].text, n);
    struct buf b = buf_make(TEXT_MAX);
    jtext_unescape(&b, (struct slice){s, n});
    check_text(&b, strings[_i].want, strlen(strings[_i].want));
    buf_release(&b);
}
END_TEST

START_TEST(garbage_is_never_unescaped_out_of_bounds)
{
    static const char letters[] = "\"\\\\\\uudD8cC0fn\xc3\x80";
    struct rng r = {8};
    char text[40];
    for (int i = 0; i < 100000; i++) {
        size_t n = (size_t)rng_below(&r, (int)sizeof(text));
        for (size_t k = 0; k < n; k++)
            text[k] = letters[rng_below(&r, (int)sizeof(letters) - 1)];
        CLEANUP_FREE char *s = exact_copy(text, n);
        struct buf b = buf_make(TEXT_MAX);
        jtext_unescape(&b, (struct slice){s, n});
        expect(b.len <= n, "more than was sent");
        buf_release(&b);
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(members_come_in_order_with_their_literals),
        ONCE(elements_have_no_key),
        EACH(a_container_is_read_whole_or_not_at_all, containers),
        ONCE(no_beginning_of_an_object_is_whole),
        EACH(a_key_is_the_name_it_means, key_names),
        EACH(a_value_is_laid_out_and_its_literals_are_kept, layouts),
        ONCE(layout_is_appended_behind_what_is_there),
        ONCE(random_values_are_laid_out_as_a_simple_renderer_does),
        ONCE(garbage_is_never_read_out_of_bounds),
        ONCE(closing_brackets_alone_indent_by_nothing),
        ONCE(a_deep_value_stops_at_the_maximum_of_its_buffer),
        EACH(half_a_surrogate_pair_becomes_the_replacement_character, surrogates),
        EACH(a_string_is_turned_into_what_it_means, strings),
        ONCE(garbage_is_never_unescaped_out_of_bounds),
    };
    return RUN_SUITE("jtext", tests);
}
