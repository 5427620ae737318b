// SPDX-License-Identifier: MIT
#include "fs/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/utc.h"

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

static int window_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
                        const char **reason)
{
    struct range r;
    if (path_date(name, &r) < 0) {
        *reason = "not a date";
        return -ENOENT;
    }
    if (r.lo > now) {
        *reason = "a date in the future: no call can have ended then";
        return -ENOENT;
    }
    *ret = (struct dir){.kind = DIR_WINDOW, .q = parent->q};
    query_meet_range(&ret->q, AXIS_END_TIME, r);
    return 0;
}

static int axis_child(const struct dir *parent, const char *name, struct dir *ret,
                      const char **reason)
{
    *ret = (struct dir){.kind = DIR_FILTERS, .q = parent->q};
    if (query_apply(&ret->q, parent->axis, name) == 0)
        return 0;
    *reason = "not a value of this axis";
    return -ENOENT;
}

static int filters_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
                         const char **reason)
{
    int axis = axis_by_dir(name);
    if (strcmp(name, "by-date") == 0) {
        *ret = (struct dir){.kind = DIR_DATES, .q = parent->q};
        return 0;
    }
    if (axis >= 0) {
        *ret = (struct dir){.kind = DIR_AXIS, .axis = axis, .q = parent->q};
        return 0;
    }
    if (!parent->root)
        return window_child(parent, name, now, ret, reason);
    *reason = "no such view";
    return -ENOENT;
}

int path_child(const struct dir *parent, const char *name, int64_t now, struct dir *ret,
               const char **reason)
{
    switch (parent->kind) {
    case DIR_FILTERS:
        return filters_child(parent, name, now, ret, reason);
    case DIR_DATES:
        return window_child(parent, name, now, ret, reason);
    case DIR_AXIS:
        return axis_child(parent, name, ret, reason);
    default:
        *reason = "a date holds no directories";
        return -ENOENT;
    }
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
    snprintf(out, FILE_NAME_MAX, "%s.json", uuid);
}
