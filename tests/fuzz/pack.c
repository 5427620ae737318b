// SPDX-License-Identifier: MIT
/*
 * Packed bodies of a store somebody or something has damaged. What the input is, its first byte
 * says:
 *
 *     d    a dictionary
 *     p    a packed body, with a good dictionary
 *     *    a body, that byte included
 *
 * A dictionary is taken or refused for what it is; a body comes back as it went in, with whatever
 * dictionary was taken; what was never packed is refused, or it is what its checksum says.
 */
#include <errno.h>

#include "cache/pack.h"
#include "tests/fuzz/fuzz.h"

#define SAMPLES 400
#define GOOD 7 /* number of the good dictionary */

static struct buf good;

static void put_sample(struct buf *out, int i)
{
    buf_printf(
        out,
        "{\n  \"call_uuid\": \"%08x-26e0-4842-9387-%012x\",\n  \"from_number\": \"+1479%07d\","
        "\n  \"call_direction\": \"%s\",\n  \"end_time\": \"2026-05-26 13:%02d:%02d\"\n}\n",
        i * 7919, i * 104729, i * 31, i % 2 ? "inbound" : "outbound", i % 60, i % 59);
}

static void make_good(void)
{
    struct buf text = buf_make(1 << 20);
    size_t sizes[SAMPLES];
    good = buf_make(1 << 20);
    for (int i = 0; i < SAMPLES; i++) {
        size_t before = text.len;
        put_sample(&text, i);
        sizes[i] = text.len - before;
    }
    CHECK(pack_train(text.p, sizes, SAMPLES, &good) == 0);
    buf_release(&text);
}

static struct pack *pack_with(int64_t id, struct slice dict, int *ret_rc)
{
    struct pack *p = pack_create();
    CLEANUP_FREE char *copy = fuzz_copy(dict.p, dict.n);
    CHECK(p);
    *ret_rc = pack_add(p, id, (struct slice){copy, dict.n});
    CHECK(pack_current(p) == (*ret_rc == 0 ? id : 0));
    return p;
}

static void check_round(struct pack *p, struct slice body)
{
    struct buf packed = buf_make(PACK_MOST), out = buf_make(PACK_MOST);
    CLEANUP_FREE char *copy = fuzz_copy(body.p, body.n);
    int64_t dict = -1;
    CHECK(pack_body(p, (struct slice){copy, body.n}, &packed, &dict) == 0);
    CHECK(dict == 0 || dict == pack_current(p));
    CHECK(dict ? packed.len < body.n : packed.len == body.n);
    CHECK(pack_open(p, dict, (struct slice){fuzz_buf(&packed), packed.len}, &out) == 0);
    CHECK(fuzz_equal(body, (struct slice){fuzz_buf(&out), out.len}));
    buf_release(&packed);
    buf_release(&out);
}

static void as_dictionary(struct slice dict)
{
    int rc;
    struct buf body = buf_make(PACK_MOST);
    struct pack *p = pack_with(1, dict, &rc);
    CHECK(rc == 0 || rc == -EINVAL);
    put_sample(&body, 1000);
    check_round(p, (struct slice){fuzz_buf(&body), body.len});
    check_round(p, dict);
    buf_release(&body);
    pack_destroy(p);
}

static void as_packed(struct slice packed)
{
    int rc;
    struct buf out = buf_make(PACK_MOST), again = buf_make(PACK_MOST);
    CLEANUP_FREE char *copy = fuzz_copy(packed.p, packed.n);
    struct slice exact = {copy, packed.n};
    struct pack *p = pack_with(GOOD, (struct slice){good.p, good.len}, &rc);
    CHECK(rc == 0 && pack_open(p, GOOD + 1, exact, &out) == -EBADMSG && out.len == 0);
    rc = pack_open(p, GOOD, exact, &out);
    CHECK(rc == 0 || (rc == -EBADMSG && out.len == 0));
    if (rc == 0) {
        CHECK(pack_open(p, GOOD, exact, &again) == 0);
        CHECK(fuzz_equal((struct slice){fuzz_buf(&out), out.len},
                         (struct slice){fuzz_buf(&again), again.len}));
        check_round(p, (struct slice){fuzz_buf(&out), out.len});
    }
    buf_release(&out);
    buf_release(&again);
    pack_destroy(p);
}

static void as_body(struct slice body)
{
    int rc;
    struct pack *p = pack_with(GOOD, (struct slice){good.p, good.len}, &rc), *none = pack_create();
    CHECK(rc == 0 && none);
    check_round(p, body);
    check_round(none, body);
    pack_destroy(p);
    pack_destroy(none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (!good.len)
        make_good();
    struct slice text = {(const char *)data, n}, rest = {(const char *)data + 1, n - 1};
    if (n && *data == 'd')
        as_dictionary(rest);
    else if (n && *data == 'p')
        as_packed(rest);
    else
        as_body(text);
    return 0;
}
