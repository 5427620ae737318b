// SPDX-License-Identifier: MIT
#ifndef SIM_COLUMN_H
#define SIM_COLUMN_H

#include <stddef.h>

/* The two shapes of the API a server may speak. */
enum dialect { DIALECT_LATEST, DIALECT_LEGACY };

/* How a value is written. */
enum kind {
    KIND_UUID,
    KIND_CALL_ID,
    KIND_PHONE, /* string; a bare integer on legacy when it is digits */
    KIND_TEXT,
    KIND_INT,
    KIND_TIME,  /* null when CDR_NEVER */
    KIND_MONEY, /* "0.00650"; 0.0065 on legacy */
    KIND_BOOL,
};

/* One key of a record: its name in the dialect, the name the latest dialect has for the same thing
 * (by which amendments are kept), and where in struct cdr the value is. */
struct column {
    const char *name;
    const char *latest;
    enum kind kind;
    size_t at;
};

/* The keys of a row in the order they are written; *ret_n is their count. */
const struct column *columns_of(enum dialect d, size_t *ret_n);

/* The column with that name in either dialect, or NULL. */
const struct column *column_find(const char *name);

#endif
