// SPDX-License-Identifier: MIT
/*
 * One record: from its text in an answer to a call and the bytes of its file. Pure but for memory.
 */
#ifndef CDRFS_API_RECORD_H
#define CDRFS_API_RECORD_H

#include <jansson.h>

#include "api/query.h"

/*
 * jansson's verdict on a text: 0 and the value, -EBADMSG, or -ENOMEM. Two things that are valid
 * JSON and that jansson refuses are forgiven: halves of surrogate pairs, and numbers that its types
 * cannot hold.
 */
int record_load(struct slice text, json_t **ret, json_error_t *e) MUST_CHECK;

/*
 * Reads what can be asked for out of the record into ret (not its body) and appends its file to
 * out: the API's own object, two blanks an indent level, a newline at the end, no api_id. 0, or
 * -EBADMSG with the reason (printable, cut to cap) for a record that cannot be a file, -ENOMEM,
 * -EMSGSIZE. On failure out is as before.
 */
int record_decode(struct slice text, struct call *ret, struct buf *out, char *reason,
                  size_t cap) MUST_CHECK;

#endif
