// SPDX-License-Identifier: MIT
#include "fs/mask.h"

#include "tests/unit/check_util.h"

#define TOKEN "c2VjcmV0LXRva2VuLW9mLTQwLWNoYXJhY3Rlcn"
#define BASE64 "YzJWamNtVjBMWFJ2YTJWdUxXOW1MVFF3TFdOb1lYSmhZM1JsY24=" /* of it, by coreutils */

static struct mask mask;

static void teardown(void)
{
    mask_release(&mask);
}

static void expect_masked(const char *token, const char *text, const char *result)
{
    char *copy = exact_copy(text, strlen(text) + 1);
    mask_release(&mask);
    ck_assert_int_eq(mask_init(&mask, token), 0);
    mask_text(&mask, copy);
    ck_assert_str_eq(copy, result);
    free(copy);
}

static const struct {
    const char *text, *result;
} lines[] = {
    {"", ""},
    {"nothing of it", "nothing of it"},
    {TOKEN, "***"},
    {TOKEN TOKEN, "******"},
    {"you sent " TOKEN "?", "you sent ***?"},
    {"\"" TOKEN "\", " TOKEN, "\"***\", ***"},
    {"Basic " BASE64, "Basic ***"},
    {"cut off: c2VjcmV0LXRva2Vu", "cut off: ***"},
    {"cut off: c2VjcmV0", "cut off: ***"},
    {"too little to be of use: c2VjcmV", "too little to be of use: c2VjcmV"},
    {"its end: WNoYXJhY3Rlcn", "its end: ***"},
    {"its middle: RrVG9 LXRva2VuLW9m", "its middle: RrVG9 ***"},
    {"half a header: NtVjBMWFJ2YTJWdUx", "half a header: ***"},
    {"C2VJCMV0LXRVA2VULW9M", "C2VJCMV0LXRVA2VULW9M"},
};

START_TEST(the_token_and_long_parts_of_it_are_masked)
{
    expect_masked(TOKEN, lines[_i].text, lines[_i].result);
}
END_TEST

static const struct {
    const char *token, *text, *result;
} odd[] = {
    {"x", "x y xx", "* y **"},
    {"ab", "cab ba", "c** ba"},
    {"a-token", "my a-token, a-toke, -token", "my ***, a-toke, -token"},
    {"\"quoted'", "say \"quoted' now", "say *** now"},
    {"%s%n%d%%", "[%s%n%d%%]", "[***]"},
    {"two  blanks in it ", "two  blanks in it x", "***x"},
    {"sch\xc3\xb6ner-t\xc3\xb6ken", "as it is: sch\xc3\xb6ner-t\xc3\xb6ken", "as it is: ***"},
    {"sch\xc3\xb6ner-t\xc3\xb6ken", "made printable: sch??ner-t??ken", "made printable: ***"},
    {"aaaaaaaaaaaaaaaaaaaa", "aaaaaaaa aaaaaaa", "*** aaaaaaa"},
    {"a", "YQ==", "***"},
    {"ab", "YWI=", "***"},
    {"abc", "YWJj", "***"},
    {"\xff\xff\xfe", "///+", "***"},
};

START_TEST(any_token_is_masked)
{
    expect_masked(odd[_i].token, odd[_i].text, odd[_i].result);
}
END_TEST

START_TEST(where_there_is_none_nothing_is_masked)
{
    char text[] = "a text";
    const struct mask none = {0};
    mask_text(&none, text);
    ck_assert_str_eq(text, "a text");
    expect_masked("", "a text", "a text");
    mask_release(&mask);
    mask_release(&mask);
}
END_TEST

START_TEST(whatever_surrounds_it_no_8_characters_of_it_stay)
{
    static const char letters[] = "c2Vj V0LX\"";
    struct rng rng = {1};
    ck_assert_int_eq(mask_init(&mask, TOKEN), 0);
    for (int round = 0; round < 2000; round++) {
        char text[200] = "";
        for (int part = 0; part < 6; part++) {
            size_t len = strlen(text), from = (size_t)rng_below(&rng, (int)strlen(TOKEN));
            if (rng_one_in(&rng, 2))
                snprintf(text + len, 31, "%s", TOKEN + from);
            else
                text[len] = letters[rng_below(&rng, (int)strlen(letters))];
        }
        mask_text(&mask, text);
        for (size_t i = 0; i + 8 <= strlen(TOKEN); i++) {
            char part[9] = "";
            memcpy(part, TOKEN + i, 8);
            expect(!strstr(text, part), "%s has %s", text, part);
        }
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(the_token_and_long_parts_of_it_are_masked, lines),
        EACH(any_token_is_masked, odd),
        ONCE(where_there_is_none_nothing_is_masked),
        ONCE(whatever_surrounds_it_no_8_characters_of_it_stay),
    };
    return run_suite_with("mask", tests, ARRAY_LEN(tests), NULL, teardown);
}
