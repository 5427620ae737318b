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
 *     .../by-uuid                DIR_UUID: holds every call of its conjunction, lists none
 *     /.cdrfs                    DIR_CONTROL; its files are FILE_CONTROL (fs/control.h)
 *     /.cdrfs/explain            the same tree, explained: windows, rendered files and calls of
 *                                by-uuid are files there, and 2026-05-01..2026-05-31 is a window
 *     /csv, /ndjson              the same tree; .../2026-05-26.csv is a FILE_RENDERED
 */
#ifndef CDRFS_FS_PATH_H
#define CDRFS_FS_PATH_H

#include "api/query.h"

#define FILE_NAME_MAX (CALL_UUID_MAX + 8)

enum dir_kind {
    DIR_FILTERS,
    DIR_DATES,
    DIR_AXIS,
    DIR_WINDOW,
    DIR_UUID,
    DIR_CONTROL, /* /.cdrfs */
    FILE_RENDERED,
    FILE_CONTROL
};
enum tree { TREE_JSON, TREE_CSV, TREE_NDJSON, TREES };

struct dir {
    enum dir_kind kind;
    enum tree tree;
    bool root;      /* of its tree */
    bool explained; /* stands below /.cdrfs/explain */
    int axis;       /* of DIR_AXIS: index into `axes`; of FILE_CONTROL: which */
    struct query q; /* the conjunction so far; of a window with its interval of end_time */
};

/* The root directory. */
struct dir path_root(void);

/* A date, month or hour as an interval of UTC seconds. -EINVAL. */
int path_date(const char *name, struct range *ret) MUST_CHECK;

/* The same, or two with `..` between them: from the beginning of the one to the end of the other.
 */
int path_dates(const char *name, struct range *ret) MUST_CHECK;

/*
 * The directory that parent has under this name, at the given time. -ENOENT with a reason (a
 * constant text) for a name that no directory can have.
 */
int path_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
               const char **reason) MUST_CHECK;

/* How dates end in a tree: "", ".csv", ".ndjson". */
const char *path_suffix(enum tree tree);

/* The name of a tree's root below the mount's; NULL for the first. */
const char *path_tree_name(enum tree tree);

/* The uuid in a call's file name; -ENOENT for a name that cannot be a call. */
int path_call(const char *name, char uuid[CALL_UUID_MAX]) MUST_CHECK;

/* The file name of a call. */
void path_call_name(const char *uuid, char out[FILE_NAME_MAX]);

#endif
