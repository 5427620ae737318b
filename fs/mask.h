// SPDX-License-Identifier: MIT
/*
 * What must never be seen in a text for people: the token, as it is and as the Authorization header
 * has it. An API may echo either in what it says about an error, whole or cut off.
 */
#ifndef CDRFS_FS_MASK_H
#define CDRFS_FS_MASK_H

#include "api/util.h"

#define MASK_FORMS 3

struct mask {
    char *forms[MASK_FORMS]; /* all NULL: nothing is masked */
};

/* Copies the token. -ENOMEM. */
int mask_init(struct mask *m, const char *token) MUST_CHECK;

/* Wipes. Twice does no harm. */
void mask_release(struct mask *m);

/*
 * Puts `***` in place of every run of 8 or more characters that stands in a form of the token, or
 * of a form that is shorter. In place: the text becomes no longer. Any thread.
 */
void mask_text(const struct mask *m, char *text);

#endif
