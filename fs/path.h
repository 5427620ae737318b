// SPDX-License-Identifier: MIT
/*
 * The path grammar: which query a directory is (DESIGN.md section 1, docs/SEMANTICS.md). Pure.
 *
 *     /                          DIR_FILTERS, no condition
 *     /by-direction              DIR_AXIS
 *     /by-direction/outbound     DIR_FILTERS
 *     /by-date                   DIR_DATES
 *     .../2026-05-26             DIR_WINDOW; also 2026-05 and 2026-05-26T13
 *     .../2026-05-26/UUID.json   a call
 */
#ifndef CDRFS_FS_PATH_H
#define CDRFS_FS_PATH_H

#include "api/query.h"

#define FILE_NAME_MAX (CALL_UUID_MAX + 8)

enum dir_kind { DIR_FILTERS, DIR_DATES, DIR_AXIS, DIR_WINDOW };

struct dir {
    enum dir_kind kind;
    bool root;
    int axis;       /* of DIR_AXIS: index into `axes` */
    struct query q; /* the conjunction so far; of a window with its interval of end_time */
};

/* The root directory. */
struct dir path_root(void);

/* A date, month or hour as an interval of UTC seconds. -EINVAL. */
int path_date(const char *name, struct range *ret) MUST_CHECK;

/*
 * The directory that parent has under this name, at the given time. -ENOENT with a reason (a
 * constant text) for a name that no directory can have.
 */
int path_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
               const char **reason) MUST_CHECK;

/* The uuid in a call's file name; -ENOENT for a name that cannot be a call. */
int path_call(const char *name, char uuid[CALL_UUID_MAX]) MUST_CHECK;

/* The file name of a call. */
void path_call_name(const char *uuid, char out[FILE_NAME_MAX]);

#endif
