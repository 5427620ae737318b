// SPDX-License-Identifier: MIT
#include "fs/mount_args.h"

#include <errno.h>

#include "tests/unit/check_util.h"

#define WORDS_MAX 24
#define NAME "/sbin/mount.fuse.cdrfs MAX /mnt "

static char error[256], said[512];

/* What becomes of a line of words; in said, joined by blanks. */
static int take(const char *line, bool *ret_fake)
{
    static char words[512];
    char *argv[WORDS_MAX + 1], *rest = NULL;
    int argc = 0;
    struct mount_args m;
    snprintf(words, sizeof(words), "%s", line);
    for (char *w = strtok_r(words, " ", &rest); w && argc < WORDS_MAX;
         w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    argv[argc] = NULL;
    error[0] = said[0] = '\0';
    int rc = mount_args_take(argc, argv, &m, error, sizeof(error));
    for (int i = 0; rc == 0 && i < m.argc; i++)
        snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s%s", i ? " " : "", m.argv[i]);
    ck_assert(rc < 0 || m.argv[m.argc] == NULL);
    *ret_fake = m.fake;
    mount_args_release(&m);
    return rc;
}

static const struct {
    const char *line, *becomes;
    bool fake;
} taken[] = {
    /* under its own name nothing is changed */
    {"cdrfs -f -s -o remount,sync MAX /mnt", "cdrfs -f -s -o remount,sync MAX /mnt", false},
    {"/usr/bin/cdrfs.mount.fuse -f /mnt", "/usr/bin/cdrfs.mount.fuse -f /mnt", false},
    /* as mount(8) of util-linux calls its helpers */
    {NAME "-o rw", "cdrfs MAX /mnt -o rw", false},
    {"mount.fuse.cdrfs MAX /mnt -s -n -v -o rw,rate=3 -t fuse.cdrfs", "cdrfs MAX /mnt -o rw,rate=3",
     false},
    {NAME "-f -o rw", "cdrfs MAX /mnt -o rw", true},
    {NAME "-orw,rate=3", "cdrfs MAX /mnt -o rw,rate=3", false},
    {NAME, "cdrfs MAX /mnt", false},
    {NAME "-d -V", "cdrfs MAX /mnt -d -V", false},
    /* options of other filesystems mean nothing; what only begins like one is none */
    {NAME "-o rw,relatime,noatime,sync,user,noauto", "cdrfs MAX /mnt -o rw,noatime,user,noauto",
     false},
    {NAME "-o sync,async,lazytime", "cdrfs MAX /mnt -o ", false},
    {NAME "-o synchronous,loud=1", "cdrfs MAX /mnt -o synchronous,loud=1", false},
    /* a comma that a backslash keeps separates nothing */
    {NAME "-o cache_dir=/a\\,sync,rate=3", "cdrfs MAX /mnt -o cache_dir=/a\\,sync,rate=3", false},
    {NAME "-o cache_dir=/a\\\\,sync,rate=3", "cdrfs MAX /mnt -o cache_dir=/a\\\\,rate=3", false},
    {NAME "-o cache_dir=/a\\", "cdrfs MAX /mnt -o cache_dir=/a\\", false},
    {NAME "-o cache_dir=/remount", "cdrfs MAX /mnt -o cache_dir=/remount", false},
    /* what is left open is for the parser of cdrfs to say */
    {NAME "-o", "cdrfs MAX /mnt -o", false},
    {NAME "-x -t", "cdrfs MAX /mnt -x -t", false},
};

START_TEST(mount_8_is_understood)
{
    bool fake;
    ck_assert_int_eq(take(taken[_i].line, &fake), 0);
    ck_assert_str_eq(said, taken[_i].becomes);
    ck_assert_int_eq(fake, taken[_i].fake);
}
END_TEST

static const struct {
    const char *line, *says;
} refused[] = {
    {NAME "-o rw,remount", "umount it, then mount it again"},
    {NAME "-o remount,ro", "umount it, then mount it again"},
    {NAME "-v -o rw -o rate=3,remount,noatime -t fuse.cdrfs", "umount it, then mount it again"},
    {NAME "-N /proc/1/ns/mnt", "nsenter"},
};

START_TEST(what_cannot_be_done_is_refused)
{
    bool fake;
    ck_assert_int_eq(take(refused[_i].line, &fake), -EINVAL);
    ck_assert_msg(strstr(error, refused[_i].says) != NULL, "%s", error);
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(mount_8_is_understood, taken),
        EACH(what_cannot_be_done_is_refused, refused),
    };
    return RUN_SUITE("mount_args", tests);
}
