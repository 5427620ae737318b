// SPDX-License-Identifier: MIT
/*
 * Shared by the fuzz targets. A target is one function over any bytes; what it promises it asserts
 * with CHECK, which ends the process, so that libFuzzer keeps the input and a replay fails.
 */
#ifndef CDRFS_TESTS_FUZZ_H
#define CDRFS_TESTS_FUZZ_H

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/query.h"

#define CHECK(cond) ((cond) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #cond))

/* libFuzzer's name for a target; always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Says which promise was broken, and aborts. */
_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/*
 * A copy of n bytes that ends exactly where its memory ends, so that the address sanitizer sees the
 * first byte read behind it. The caller frees.
 */
char *fuzz_copy(const void *p, size_t n);

/* The same as a C string: of bytes with a NUL in them, what stands before it. */
char *fuzz_text(const void *p, size_t n);

/* True for one line without its end: not empty, every byte printable ASCII. */
bool fuzz_is_line(const char *s);

/* The bytes of a buffer, terminated; "" while it is empty. Checks that nothing failed. */
const char *fuzz_buf(const struct buf *b);

bool fuzz_equal(struct slice a, struct slice b);

/* What may be the name of a file: call_uuid_valid() once more, and plainly. */
bool fuzz_is_name(const char *uuid);

/* What holds of every call that is decoded, whatever it was decoded from. */
void fuzz_check_call(const struct call *c);

/* Checks that two calls say the same, with the same bytes. */
void fuzz_check_same_call(const struct call *a, const struct call *b);

#endif
