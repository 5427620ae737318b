// SPDX-License-Identifier: MIT
#ifndef SIM_RENDER_H
#define SIM_RENDER_H

#include "cdr.h"
#include "column.h"
#include "extra.h"
#include "text.h"

/* Appends the row of a call as JSON: the same bytes each time for the same call, amendments and
 * dialect. `c` has the amendments applied; `x` may be NULL; `uuid` is the call's id as shown. */
void render_row(struct text *t, enum dialect d, const struct cdr *c, const struct extra *x,
                const char *uuid);

/* Appends a phone number as the latest dialect writes it. */
void render_phone(struct text *t, const struct phone *p);

#endif
