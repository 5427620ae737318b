// SPDX-License-Identifier: MIT
/*
 * JSON as text: finds where values begin and end, and re-indents them, without ever changing a
 * literal. Deciding whether a value is valid JSON is jansson's work (record.c); this module only
 * has to be safe on any bytes, and right on valid ones. Pure functions, nothing allocated but in
 * the caller's buffers.
 */
#ifndef CDRFS_API_JTEXT_H
#define CDRFS_API_JTEXT_H

#include "api/util.h"

/* A cursor over the members of an object or the elements of an array. */
struct jtext {
    const char *p, *end;
    char close; /* '}' or ']' */
    bool first;
};

/*
 * Begins reading the container that is all of s (blanks around it allowed); open is '{' or '['.
 * -EBADMSG when s is something else.
 */
int jtext_open(struct jtext *j, struct slice s, char open) MUST_CHECK;

/*
 * The next member (key with its quotes; empty in an array) and its value, blanks cut off. Returns
 * 1, 0 after the last one when nothing but blanks follows the container, or -EBADMSG.
 */
int jtext_next(struct jtext *j, struct slice *ret_key, struct slice *ret_value) MUST_CHECK;

/* True when key, as jtext_next gave it, means name, whatever of it is written in escapes. */
bool jtext_key_is(struct slice key, const char *name);

/* Appends value with two blanks an indent level, as if it stood at the given depth. The value must
 * be valid JSON; on other text the result is some text of bounded size. */
void jtext_indent(struct buf *out, struct slice value, int depth);

/* Appends value with no blank outside strings. */
void jtext_compact(struct buf *out, struct slice value);

/*
 * Appends what a string (with its quotes) means, as UTF-8. Two escapes stay as they are, since no
 * text can carry them: \u0000, and half of a surrogate pair.
 */
void jtext_unescape(struct buf *out, struct slice string);

/*
 * Replaces, in place, every \uXXXX escape that is half of a surrogate pair without its other half
 * by the escape of U+FFFD, which is as long. RFC 8259 allows such text and jansson does not; this
 * makes a copy that jansson can judge (API.md trap 31).
 */
void jtext_mend_surrogates(char *s, size_t n);

/* Replaces, in place, every number outside strings that neither 64 bits nor a double can hold by
 * null and blanks, for the same purpose. What is no number by the grammar stays. */
void jtext_mend_numbers(char *s, size_t n);

#endif
