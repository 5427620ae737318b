// SPDX-License-Identifier: MIT
#include "fs/attr.h"

#include <string.h>

#include "fs/control.h"

static void set_times(struct stat *st, int64_t t)
{
    st->st_mtim.tv_sec = t;
    st->st_ctim = st->st_atim = st->st_mtim;
}

static void set_owner(const struct fs *fs, struct stat *st)
{
    st->st_uid = fs->uid;
    st->st_gid = fs->gid;
    st->st_blksize = 4096;
}

uint64_t inode_shown(const struct fs *fs, uint64_t ino)
{
    uint32_t folded = (uint32_t)(ino ^ ino >> 32);
    if (!fs->inode32 || ino <= UINT32_MAX)
        return ino;
    return folded > 2 ? folded : 3;
}

void attr_of_call(const struct fs *fs, const struct entry *e, struct stat *ret)
{
    memset(ret, 0, sizeof(*ret));
    set_owner(fs, ret);
    set_times(ret, e->mtime);
    ret->st_ino = inode_shown(fs, inode_of_call(e->uuid));
    ret->st_mode = S_IFREG | (0444 & ~fs->umask);
    ret->st_nlink = fs->inode32 ? 1 : CALL_NLINK;
    ret->st_size = e->size;
    ret->st_blocks = (e->size + 511) / 512;
}

void attr_of_shot(const struct fs *fs, const struct shot_info *s, struct stat *ret)
{
    memset(ret, 0, sizeof(*ret));
    set_owner(fs, ret);
    set_times(ret, s->mtime);
    ret->st_ino = inode_shown(fs, s->ino);
    ret->st_mode = S_IFREG | ((control_written_at(s->ino) < 0 ? 0444u : 0666u) & ~fs->umask);
    ret->st_nlink = 1;
    ret->st_size = s->size;
    ret->st_blocks = (s->size + 511) / 512;
}

static int64_t dir_mtime(const struct fs *fs, const struct dir *d)
{
    int64_t newest;
    if (d->kind != DIR_WINDOW || d->explained)
        return cache_created(fs->cache);
    if (cache_newest(fs->cache, &d->q, &newest) == 0)
        return newest;
    return d->q.num[AXIS_END_TIME].lo;
}

void attr_of_dir(const struct fs *fs, const struct dir *d, uint64_t ino, struct stat *ret)
{
    memset(ret, 0, sizeof(*ret));
    set_owner(fs, ret);
    set_times(ret, dir_mtime(fs, d));
    if (d->kind == DIR_WINDOW) {
        /* tar tells by it whether something was changed under its hands */
        ret->st_ctim.tv_sec = d->q.num[AXIS_END_TIME].lo;
        ret->st_blksize = LISTED_AT_ONCE;
    }
    ret->st_ino = inode_shown(fs, ino);
    ret->st_mode = S_IFDIR | (0555 & ~fs->umask);
    ret->st_nlink = 2;
    if (d->kind == FILE_CONTROL) {
        ret->st_mode = S_IFREG | (0222u & ~fs->umask); /* those that are read are snapshots */
        ret->st_nlink = 1;
    }
}
