// SPDX-License-Identifier: MIT
#ifndef SIM_BOOK_H
#define SIM_BOOK_H

#include <stddef.h>
#include <stdint.h>

/* The fixed world calls are drawn from: trunks, phone numbers, hangup causes, odd caller ids. */

enum { BOOK_OWN = 8, BOOK_REMOTE = 192, BOOK_HEAVY = 4, BOOK_NUMBER_SIZE = 20 };

/* What is particular to calls with one country. Money is in units of 0.00001. */
struct country {
    const char *code;
    int64_t rate;  /* per minute */
    int increment; /* seconds a call is billed in */
};

struct number {
    char text[BOOK_NUMBER_SIZE]; /* with the plus sign */
    const struct country *country;
};

/* Numbers of the account and of the world outside. The first BOOK_HEAVY of `remote` make most
 * calls. */
struct book {
    struct number own[BOOK_OWN];
    struct number remote[BOOK_REMOTE];
};

struct trunk {
    const char *id; /* decimal digits, beyond 2^53 for some */
    const char *domain;
    const char *region; /* "" when the domain has no such label */
};

struct cause {
    int code;
    const char *name;
    const char *source;
};

/* A caller id that is not a phone number: as JSON literal and as C text (cut at a NUL). */
struct odd_caller {
    const char *json;
    const char *text;
    int code; /* hangup cause of calls that carry it */
};

/* Fills the number book; the same every time. */
void book_init(struct book *b);

/* Trunk number `i` modulo their count; the last one is the call without trunk_domain. */
const struct trunk *book_trunk(size_t i);
size_t book_trunks(void);

/* Causes of answered, unanswered calls, any index; and the cause with a code (one is always found).
 */
const struct cause *book_answered(size_t i);
const struct cause *book_unanswered(size_t i);
const struct cause *book_cause(int code);

/* An odd caller id, any index. */
const struct odd_caller *book_odd(size_t i);

#endif
