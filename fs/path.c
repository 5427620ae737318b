// SPDX-License-Identifier: MIT
#include "fs/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/utc.h"
#include "fs/control.h"

struct dir path_root(void)
{
    return (struct dir){.kind = DIR_FILTERS, .root = true, .q = QUERY_ALL};
}

/* The name must have this shape, `0` standing for any digit. */
static bool has_shape(const char *name, const char *shape)
{
    for (; *shape && *name; name++, shape++)
        if (*shape == '0' ? *name < '0' || *name > '9' : *name != *shape)
            return false;
    return !*shape && !*name;
}

static int number_at(const char *name, int from, int digits)
{
    int v = 0;
    for (int i = from; i < from + digits; i++)
        v = v * 10 + (name[i] - '0');
    return v;
}

int path_date(const char *name, struct range *ret)
{
    bool month = has_shape(name, "0000-00"), hour = has_shape(name, "0000-00-00T00");
    struct range r;
    if (!month && !hour && !has_shape(name, "0000-00-00"))
        return -EINVAL;
    int y = number_at(name, 0, 4), m = number_at(name, 5, 2);
    if (utc_from_date(y, m, month ? 1 : number_at(name, 8, 2), &r.lo) < 0)
        return -EINVAL;
    r.hi = r.lo + UTC_DAY;
    if (hour) {
        if (number_at(name, 11, 2) > 23)
            return -EINVAL;
        r.lo += number_at(name, 11, 2) * 3600;
        r.hi = r.lo + 3600;
    }
    if (month && utc_from_date(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1, &r.hi) < 0)
        return -EINVAL;
    *ret = r;
    return 0;
}

int path_dates(const char *name, struct range *ret)
{
    char from[16];
    struct range a, b;
    const char *dots = strstr(name, "..");
    if (!dots)
        return path_date(name, ret);
    if (!str_copy(from, sizeof(from), name, (size_t)(dots - name)) || path_date(from, &a) < 0 ||
        path_date(dots + 2, &b) < 0 || a.lo >= b.hi)
        return -EINVAL;
    *ret = (struct range){a.lo, b.hi};
    return 0;
}

static const char *const tree_names[TREES] = {NULL, "csv", "ndjson"};
static const char *const suffixes[TREES] = {"", ".csv", ".ndjson"};

const char *path_suffix(enum tree tree)
{
    return suffixes[tree];
}

const char *path_tree_name(enum tree tree)
{
    return tree_names[tree];
}

/* The date in the name of a window, or of a file in the trees that have one file a date. */
static int dated_name(const struct dir *parent, const char *name, struct range *ret)
{
    char date[40];
    const char *end = suffixes[parent->tree];
    size_t n = strlen(name), suffix = strlen(end);
    if (n < suffix || n - suffix >= sizeof(date) || strcmp(name + n - suffix, end) != 0)
        return -EINVAL;
    str_copy(date, sizeof(date), name, n - suffix);
    return parent->explained ? path_dates(date, ret) : path_date(date, ret);
}

static int window_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
                        const char **reason)
{
    struct range r;
    if (dated_name(parent, name, &r) < 0) {
        *reason = "not a date";
        return -ENOENT;
    }
    if (r.lo > now) {
        *reason = "a date in the future: no call can have ended then";
        return -ENOENT;
    }
    *ret = (struct dir){.kind = parent->tree == TREE_JSON ? DIR_WINDOW : FILE_RENDERED,
                        .tree = parent->tree,
                        .q = parent->q};
    query_meet_range(&ret->q, AXIS_END_TIME, r);
    return 0;
}

static int axis_child(const struct dir *parent, const char *name, struct dir *ret,
                      const char **reason)
{
    *ret = (struct dir){.kind = DIR_FILTERS, .tree = parent->tree, .q = parent->q};
    if (query_apply(&ret->q, parent->axis, name) == 0)
        return 0;
    *reason = "not a value of this axis";
    return -ENOENT;
}

/* by-date, by-uuid, by-AXIS. */
static bool view_child(const struct dir *parent, const char *name, struct dir *ret)
{
    int axis = axis_by_dir(name);
    *ret = (struct dir){.tree = parent->tree, .q = parent->q};
    if (strcmp(name, "by-date") == 0) {
        ret->kind = DIR_DATES;
    } else if (strcmp(name, "by-uuid") == 0 && parent->tree == TREE_JSON) {
        ret->kind = DIR_UUID;
    } else if (axis >= 0) {
        ret->kind = DIR_AXIS;
        ret->axis = axis;
    } else {
        return false;
    }
    return true;
}

/* The roots of the other trees stand in the first one's. */
static bool tree_child(const struct dir *parent, const char *name, struct dir *ret)
{
    for (int t = TREE_JSON + 1; t < TREES && parent->root && parent->tree == TREE_JSON; t++) {
        if (strcmp(name, tree_names[t]) == 0) {
            *ret = path_root();
            ret->tree = (enum tree)t;
            return true;
        }
    }
    return false;
}

static bool control_child(const struct dir *parent, const char *name, struct dir *ret)
{
    *ret = (struct dir){.kind = DIR_CONTROL, .q = QUERY_ALL};
    if (parent->kind != DIR_CONTROL)
        return parent->root && !parent->explained && parent->tree == TREE_JSON &&
               strcmp(name, ".cdrfs") == 0;
    ret->kind = FILE_CONTROL;
    ret->axis = control_by_name(name);
    if (ret->axis == CONTROL_EXPLAIN)
        *ret = path_root();
    ret->explained = ret->root;
    return ret->axis >= 0;
}

static int filters_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
                         const char **reason)
{
    if (view_child(parent, name, ret) || tree_child(parent, name, ret) ||
        control_child(parent, name, ret))
        return 0;
    if (!parent->root)
        return window_child(parent, name, now, ret, reason);
    *reason = "no such view";
    return -ENOENT;
}

static int child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
                 const char **reason)
{
    switch (parent->kind) {
    case DIR_FILTERS:
        return filters_child(parent, name, now, ret, reason);
    case DIR_DATES:
        return window_child(parent, name, now, ret, reason);
    case DIR_AXIS:
        return axis_child(parent, name, ret, reason);
    case DIR_CONTROL:
        *reason = "no such control file";
        return control_child(parent, name, ret) ? 0 : -ENOENT;
    default:
        *reason = "a date holds no directories";
        return -ENOENT;
    }
}

int path_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
               const char **reason)
{
    int rc = child(parent, name, now, ret, reason);
    if (rc == 0 && parent->explained)
        ret->explained = true;
    return rc;
}

int path_call(const char *name, char uuid[CALL_UUID_MAX])
{
    size_t n = strlen(name);
    if (n <= 5 || strcmp(name + n - 5, ".json") != 0 || !call_uuid_valid(name, n - 5))
        return -ENOENT;
    str_copy(uuid, CALL_UUID_MAX, name, n - 5);
    return 0;
}

void path_call_name(const char *uuid, char out[FILE_NAME_MAX])
{
    size_t n = strnlen(uuid, CALL_UUID_MAX - 1);
    memcpy(out, uuid, n);
    memcpy(out + n, ".json", sizeof(".json"));
}
