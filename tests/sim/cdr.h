// SPDX-License-Identifier: MIT
#ifndef SIM_CDR_H
#define SIM_CDR_H

#include <stdbool.h>
#include <stdint.h>

#include "book.h"

enum { CDR_NEVER = -1 };

/* A number as it stands in a record: C text for comparing, and the JSON literal when it is not
 * simply the text in quotes. */
struct phone {
    const char *text;
    const char *json;
};

/* One call with every value worked out. All pointers are borrowed: from the book, from constants,
 * or from the amendments of the call. Times are UTC seconds, durations seconds, money units of
 * 0.00001. */
struct cdr {
    uint32_t id;
    int64_t initiation;
    int64_t answer; /* CDR_NEVER when unanswered */
    int64_t end;
    int64_t talk;
    int64_t billed;
    struct phone from;
    struct phone to;
    const char *direction;
    const char *cause_name;
    int64_t cause_code;
    const char *source;
    int64_t rate;
    int64_t amount;
    const char *trunk_domain;
    const char *trunk_id;
    const char *region;
    const char *from_country;
    const char *to_country;
    const char *transport;
    bool srtp;
    bool secure;
    int64_t secure_rate;
    const char *stir;
    const char *attestation;
    bool cnam;
    int64_t cnam_rate;
};

/* Works out call `id` of the account `seed` stands for, given the second it ended. Pure. */
void cdr_derive(struct cdr *c, const struct book *book, uint64_t seed, uint32_t id, int64_t end);

/* A record of which nothing is known but its end: empty texts and zeros. */
void cdr_blank(struct cdr *c, uint32_t id, int64_t end);

#endif
