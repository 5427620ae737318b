// SPDX-License-Identifier: MIT
#include "cache/pack.h"

#include <errno.h>

#include "tests/unit/check_util.h"

#define SAMPLES 1000

static struct pack *pack;
static struct buf dict;

/* A record like others, of that number. */
static void put_record(struct buf *out, int i)
{
    buf_printf(
        out,
        "{\n  \"call_uuid\": \"%08x-26e0-4842-9387-%012x\",\n  \"from_number\": \"+1479%07d\","
        "\n  \"call_direction\": \"%s\",\n  \"hangup_cause_name\": \"normal_hangup\",\n"
        "  \"end_time\": \"2026-05-26 13:%02d:%02d\",\n  \"total_rate\": \"0.00650\"\n}\n",
        i * 7919, i * 104729, i * 31, i % 2 ? "inbound" : "outbound", i % 60, i % 59);
}

static void train(struct buf *out)
{
    struct buf text = buf_make(1 << 20);
    size_t sizes[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        size_t before = text.len;
        put_record(&text, i);
        sizes[i] = text.len - before;
    }
    ck_assert_int_eq(pack_train(text.p, sizes, SAMPLES, out), 0);
    buf_release(&text);
}

static struct slice slice_of_buf(const struct buf *b)
{
    return (struct slice){b->p ? b->p : "", b->len};
}

static void setup(void)
{
    pack = pack_create();
    dict = buf_make(1 << 20);
    ck_assert_ptr_nonnull(pack);
}

static void teardown(void)
{
    pack_destroy(pack);
    buf_release(&dict);
}

static void with_dictionary(void)
{
    train(&dict);
    ck_assert_int_eq(pack_add(pack, 7, slice_of_buf(&dict)), 0);
}

/* Packs and opens again; the bytes it took, and the dictionary. */
static size_t round_trip(struct slice body, int64_t *ret_dict)
{
    struct buf packed = buf_make(PACK_MOST), opened = buf_make(PACK_MOST);
    buf_puts(&packed, "before");
    buf_puts(&opened, "before");
    ck_assert_int_eq(pack_body(pack, body, &packed, ret_dict), 0);
    struct slice kept = {packed.p + 6, packed.len - 6};
    ck_assert_int_eq(pack_open(pack, *ret_dict, kept, &opened), 0);
    ck_assert_uint_eq(opened.len, body.n + 6);
    ck_assert(memcmp(opened.p + 6, body.p, body.n) == 0);
    ck_assert(memcmp(opened.p, "before", 6) == 0 && memcmp(packed.p, "before", 6) == 0);
    size_t n = kept.n;
    buf_release(&packed);
    buf_release(&opened);
    return n;
}

START_TEST(without_a_dictionary_a_body_is_kept_as_it_came)
{
    int64_t used = -1;
    ck_assert_int_eq(pack_current(pack), 0);
    ck_assert_uint_eq(round_trip(slice_of("{\"a\": 1}\n"), &used), 9);
    ck_assert_int_eq(used, 0);
}
END_TEST

START_TEST(a_record_like_others_takes_a_third_at_the_most)
{
    struct buf text = buf_make(4096);
    int64_t used = 0;
    with_dictionary();
    ck_assert_int_eq(pack_current(pack), 7);
    for (int i = 5000; i < 5100; i++) {
        text.len = 0;
        put_record(&text, i);
        ck_assert_uint_le(round_trip(slice_of_buf(&text), &used), text.len / 3);
        ck_assert_int_eq(used, 7);
    }
    buf_release(&text);
}
END_TEST

START_TEST(whatever_it_is_it_comes_back)
{
    struct rng rng = {42};
    char noise[70000];
    int64_t used;
    with_dictionary();
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)rng_next(&rng);
    static const size_t sizes[] = {0, 1, 2, 63, 64, 1000, 4096, 65536, 70000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        ck_assert_uint_le(round_trip((struct slice){noise, sizes[i]}, &used), sizes[i]);
        ck_assert_int_eq(used, 0); /* noise is not made smaller */
    }
    memset(noise, 'x', sizeof(noise));
    ck_assert_uint_le(round_trip((struct slice){noise, sizeof(noise)}, &used), 200);
}
END_TEST

START_TEST(what_an_older_dictionary_packed_is_opened_beside_a_newer_one)
{
    struct buf text = buf_make(4096), packed = buf_make(4096), opened = buf_make(4096);
    int64_t used;
    with_dictionary();
    put_record(&text, 12345);
    ck_assert_int_eq(pack_body(pack, slice_of_buf(&text), &packed, &used), 0);
    ck_assert_int_eq(pack_add(pack, 8, slice_of_buf(&dict)), 0);
    ck_assert_int_eq(pack_current(pack), 8);
    ck_assert_int_eq(pack_open(pack, used, slice_of_buf(&packed), &opened), 0);
    ck_assert_str_eq(opened.p, text.p);
    buf_release(&text);
    buf_release(&packed);
    buf_release(&opened);
}
END_TEST

START_TEST(what_cannot_have_been_packed_is_refused)
{
    struct buf text = buf_make(4096), packed = buf_make(4096), out = buf_make(1 << 20);
    int64_t used;
    with_dictionary();
    put_record(&text, 1);
    ck_assert_int_eq(pack_body(pack, slice_of_buf(&text), &packed, &used), 0);
    ck_assert_int_eq(pack_open(pack, 99, slice_of_buf(&packed), &out), -EBADMSG);
    for (size_t n = 0; n < packed.len; n++)
        ck_assert_int_eq(pack_open(pack, used, (struct slice){packed.p, n}, &out), -EBADMSG);
    ck_assert_int_eq(pack_open(pack, used, slice_of("plain text"), &out), -EBADMSG);
    ck_assert_uint_eq(out.len, 0);
    buf_release(&text);
    buf_release(&packed);
    buf_release(&out);
}
END_TEST

START_TEST(damaged_bytes_are_never_taken_for_others)
{
    struct buf text = buf_make(4096), packed = buf_make(4096);
    struct rng rng = {7};
    int64_t used;
    with_dictionary();
    put_record(&text, 1);
    ck_assert_int_eq(pack_body(pack, slice_of_buf(&text), &packed, &used), 0);
    for (int i = 0; i < 20000; i++) {
        struct buf out = buf_make(PACK_MOST);
        char *copy = exact_copy(packed.p, packed.len);
        copy[rng_below(&rng, (int)packed.len)] ^= (char)(1 + rng_below(&rng, 255));
        int rc = pack_open(pack, used, (struct slice){copy, packed.len}, &out);
        bool same = rc == 0 && out.len == text.len && memcmp(out.p, text.p, text.len) == 0;
        expect(same || rc == -EBADMSG, "rc %d", rc);
        free(copy);
        buf_release(&out);
    }
    buf_release(&text);
    buf_release(&packed);
}
END_TEST

START_TEST(no_dictionary_comes_of_nothing)
{
    size_t sizes[3] = {2, 2, 2};
    ck_assert_int_eq(pack_train("aabbcc", sizes, 3, &dict), -EINVAL);
    ck_assert_int_eq(pack_train("", sizes, 0, &dict), -EINVAL);
    ck_assert_uint_eq(dict.len, 0);
    ck_assert_int_eq(pack_add(pack, 1, slice_of("no dictionary at all")), -EINVAL);
    with_dictionary();
    ck_assert_int_eq(pack_add(pack, 0, slice_of_buf(&dict)), -EINVAL);
    memset(dict.p + 8, 0xff, 64); /* its tables */
    ck_assert_int_eq(pack_add(pack, 1, slice_of_buf(&dict)), -EINVAL);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        ONCE(without_a_dictionary_a_body_is_kept_as_it_came),
        ONCE(a_record_like_others_takes_a_third_at_the_most),
        ONCE(whatever_it_is_it_comes_back),
        ONCE(what_an_older_dictionary_packed_is_opened_beside_a_newer_one),
        ONCE(what_cannot_have_been_packed_is_refused),
        ONCE(damaged_bytes_are_never_taken_for_others),
        ONCE(no_dictionary_comes_of_nothing),
    };
    return run_suite_with("pack", tests, ARRAY_LEN(tests), setup, teardown);
}
