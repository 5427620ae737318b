// SPDX-License-Identifier: MIT
#include "fs/listing.h"

#include <errno.h>
#include <string.h>

#include "api/utc.h"
#include "fs/control.h"
#include "fs/used.h"

void listing_release(struct listing *l)
{
    free(l->names);
    *l = (struct listing){0};
}

static int add(struct listing *l, const char *name)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        void *names = realloc(l->names, cap * sizeof(*l->names));
        if (!names)
            return -ENOMEM;
        l->names = names;
        l->cap = cap;
    }
    str_copy(l->names[l->n++], LISTING_NAME_MAX, name, strlen(name));
    return 0;
}

/* A day is listed unless it is known to hold no call of this query; as a file, only when it is held
 * whole. */
static int add_day(const struct fs *fs, const struct dir *d, int64_t day, bool served,
                   struct listing *l)
{
    bool files = d->tree != TREE_JSON;
    struct query q = d->q;
    int64_t newest;
    char name[UTC_TEXT_MAX + 8];
    query_meet_range(&q, AXIS_END_TIME, (struct range){day, day + UTC_DAY});
    if (q.none)
        return 0;
    int rc = cache_newest(fs->cache, &q, &newest);
    if (rc == -ENOENT && (!served || files || cache_known(fs->cache, &q)))
        return 0;
    if (rc < 0 && rc != -ENOENT)
        return rc;
    if (files && served && !cache_held(fs->cache, &q))
        return 0;
    utc_format_day(day, name);
    strcat(name, path_suffix(d->tree));
    return add(l, name);
}

/* Days held from before what the API still serves, then all that it serves. */
static int list_dates(const struct fs *fs, const struct dir *d, struct listing *l)
{
    int64_t served = cache_served_from(fs->cache), today = utc_midnight(cache_now(fs->cache));
    int64_t day = INT64_MIN / 2;
    int rc;
    while ((rc = cache_next_day(fs->cache, day, &day)) == 0 && day < served)
        if ((rc = add_day(fs, d, day, cache_archived(fs->cache, day), l)) < 0)
            return rc;
    if (rc < 0 && rc != -ENOENT)
        return rc;
    rc = 0;
    for (day = served; day <= today && rc == 0; day += UTC_DAY)
        rc = add_day(fs, d, day, true, l);
    return rc;
}

static int add_value(void *l, const char *value)
{
    return add(l, value);
}

static int list_axis(const struct fs *fs, const struct dir *d, struct listing *l)
{
    const struct axis *a = &axes[d->axis];
    int rc = 0;
    if (axis_lists_seen(d->axis))
        return cache_seen(fs->cache, d->axis, add_value, l);
    if (!a->choices)
        return used_list(fs->used, d->axis, add_value, l);
    for (size_t i = 0; a->choices[i].path && rc == 0; i++)
        rc = add(l, a->choices[i].path);
    return rc;
}

/* by-date first: what walks the tree in this order finds the calls of all other views held. */
static int list_root(const struct dir *d, struct listing *l)
{
    int rc = add(l, "by-date");
    for (int i = 0; i < AXES && rc == 0; i++)
        rc = add(l, axes[i].dir);
    if (d->tree != TREE_JSON)
        return rc;
    if (rc == 0)
        rc = add(l, "by-uuid");
    for (int t = TREE_JSON + 1; t < TREES && rc == 0; t++)
        rc = add(l, path_tree_name((enum tree)t));
    return rc;
}

static int list_controls(struct listing *l)
{
    int rc = 0;
    for (int i = 0; i < CONTROLS && rc == 0; i++)
        rc = add(l, control_name((enum control)i));
    return rc;
}

int listing_take(const struct fs *fs, const struct dir *d, struct listing *ret)
{
    struct listing l = {0};
    int rc;
    if (d->explained || d->kind == DIR_UUID)
        rc = 0;
    else if (d->kind == DIR_AXIS)
        rc = list_axis(fs, d, &l);
    else if (d->kind == DIR_CONTROL)
        rc = list_controls(&l);
    else if (d->root)
        rc = list_root(d, &l);
    else
        rc = list_dates(fs, d, &l);
    if (rc < 0)
        listing_release(&l);
    else
        *ret = l;
    return rc;
}
