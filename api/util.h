// SPDX-License-Identifier: MIT
/*
 * Small things every part needs: attributes, scoped release, growing text.
 *
 * All functions of this project that can fail return 0 or a negative errno.
 */
#ifndef CDRFS_API_UTIL_H
#define CDRFS_API_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Releases a malloc'ed pointer at the end of its scope. */
#define CLEANUP_FREE __attribute__((cleanup(util_freep)))

static inline void util_freep(void *p)
{
    free(*(void **)p);
}

/* A part of some text owned by somebody else; not terminated. */
struct slice {
    const char *p;
    size_t n;
};

/*
 * Growing text with a maximum. A failed append (no memory, or above max) marks the buffer and
 * every later append is ignored, so a run of appends is checked once at its end with buf_error().
 */
struct buf {
    char *p; /* terminated by a NUL that len does not count; NULL while empty */
    size_t len, cap, max;
    int error;
};

/* An empty buffer that will never hold more than max bytes. */
static inline struct buf buf_make(size_t max)
{
    return (struct buf){.max = max};
}

void buf_append(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_release(struct buf *b);

/* Room for n bytes behind what is there; buf_filled() then says how many of them count. NULL marks
 * the buffer as a failed append does. */
char *buf_room(struct buf *b, size_t n);
void buf_filled(struct buf *b, size_t n);

/* 0, -ENOMEM or -EMSGSIZE. */
static inline int buf_error(const struct buf *b)
{
    return b->error;
}

/* Every byte that is not printable ASCII becomes '?'. */
void str_printable(char *s);

/* Copies at most cap-1 bytes and terminates; returns false when it had to cut. */
bool str_copy(char *dst, size_t cap, const char *src, size_t n);

#endif
