// SPDX-License-Identifier: MIT
/* /.cdrfs/config: the options in force, as `-o` takes them, one a line. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cdrfs_version.h"
#include "fs/control_texts.h"
#include "fs/options.h"

/* What stands between `//` and `@` of a URL, and what a `password=` is, is nobody's business. */
static void put_text(struct buf *out, const char *s)
{
    const char *at = strchr(s, '@'), *slashes = strstr(s, "://");
    const char *password = strcasestr(s, "password=");
    if (slashes && at && at > slashes) {
        buf_append(out, s, (size_t)(slashes + 3 - s));
        buf_puts(out, "***");
        s = at;
    }
    if (password && password >= s) {
        buf_append(out, s, (size_t)(password - s) + strlen("password="));
        buf_puts(out, "***");
        return;
    }
    buf_puts(out, s);
}

static const char *text_in_force(const struct fs *fs, const struct option_def *d)
{
    const char *text = *(char *const *)((const char *)fs->options + d->offset);
    if (strcmp(d->name, "api_url") == 0)
        return fs->api_url;
    if (strcmp(d->name, "cache_dir") == 0 && !text)
        return fs->store_dir;
    return text;
}

static int64_t number_in_force(const struct fs *fs, const struct option_def *d)
{
    int64_t v = *(const int64_t *)((const char *)fs->options + d->offset);
    if (strcmp(d->name, "uid") == 0)
        return fs->uid;
    if (strcmp(d->name, "gid") == 0)
        return fs->gid;
    return v;
}

static void put_option(const struct fs *fs, const struct option_def *d, struct buf *out)
{
    const void *at = (const char *)fs->options + d->offset;
    const char *text;
    switch (d->type) {
    case OPTION_FLAG:
        if (*(const bool *)at)
            buf_printf(out, "%s\n", d->name);
        return;
    case OPTION_NUMBER:
        buf_printf(out, "%s=%g\n", d->name, *(const double *)at);
        return;
    case OPTION_OCTAL:
        buf_printf(out, "%s=%03o\n", d->name, (unsigned)*(const int64_t *)at);
        return;
    case OPTION_SECONDS:
    case OPTION_WHOLE:
        if (number_in_force(fs, d) || d->fallback)
            buf_printf(out, "%s=%" PRId64 "\n", d->name, number_in_force(fs, d));
        return;
    default:
        text = text_in_force(fs, d);
        if (!text)
            return;
        buf_printf(out, "%s=", d->name);
        put_text(out, text);
        buf_puts(out, "\n");
    }
}

void config_put(struct fs *fs, struct buf *out)
{
    buf_printf(out, "# cdrfs %s, account %s, on %s\n", CDRFS_VERSION, fs->auth_id,
               fs->options->mountpoint);
    for (size_t i = 0; i < option_defs_count; i++)
        put_option(fs, &option_defs[i], out);
    if (fs->options->kernel)
        buf_printf(out, "%s\n", fs->options->kernel);
}
