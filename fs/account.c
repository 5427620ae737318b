// SPDX-License-Identifier: MIT
#include "fs/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_MAX 256
#define AUTH_ID_LENGTH 20 /* API.md section 1 */

static void wipe(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
}

void account_release(struct account *a)
{
    wipe(a->token);
    free(a->token);
    free(a->id);
    *a = (struct account){0};
}

static bool id_valid(const char *id)
{
    static const char safe[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return strlen(id) == AUTH_ID_LENGTH && strspn(id, safe) == AUTH_ID_LENGTH;
}

/* Never waits, as opening a pipe may. Only names with a slash are repeated: others may be the token
 * itself, given instead of a file. */
static int open_file(const char *path, const char **shown, struct stat *st, char *error, size_t cap)
{
    *shown = strchr(path, '/') ? path : "of auth_token_file=";
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, st) < 0) {
        int rc = -errno;
        snprintf(error, cap, "cannot read the token file %s: %s", *shown, strerror(-rc));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    if (S_ISREG(st->st_mode))
        return fd;
    snprintf(error, cap, "the token file %s is no regular file", *shown);
    close(fd);
    return -EINVAL;
}

/* NULL when the text's first line can be a token, which then stands alone. */
static const char *cut_first_line(char *text, ssize_t n)
{
    if (n < 0)
        return "cannot be read";
    text[n] = '\0';
    size_t length = strcspn(text, "\r\n");
    if (length == TOKEN_MAX)
        return "is too long for a token";
    if (!text[length] && length < (size_t)n)
        return "is no text";
    text[length] = '\0';
    return length ? NULL : "is empty";
}

/* The first line of a file; strict: refused when anybody but its owner can read it. -ENOENT: there
 * is none. */
static int token_from_file(const char *path, bool strict, char **ret, char *error, size_t cap)
{
    char text[TOKEN_MAX + 1] = "";
    struct stat st;
    const char *shown, *wrong = NULL;
    int rc = 0, fd = open_file(path, &shown, &st, error, cap);
    if (fd < 0)
        return fd;
    if (strict && st.st_mode & 077) {
        snprintf(error, cap, "the token file %s can be read by others; chmod 600 %s", shown, shown);
        rc = -EACCES;
    } else if ((wrong = cut_first_line(text, read(fd, text, TOKEN_MAX)))) {
        snprintf(error, cap, "the first line of the token file %s %s", shown, wrong);
        rc = -EINVAL;
    } else if (!(*ret = strdup(text))) {
        rc = -ENOMEM;
    }
    explicit_bzero(text, sizeof(text));
    close(fd);
    return rc;
}

static int token_from_credential(char **ret, char *error, size_t cap)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    CLEANUP_FREE char *path = NULL;
    if (!dir || *dir != '/')
        return -ENOENT;
    if (asprintf(&path, "%s/cdrfs.token", dir) < 0)
        return -ENOMEM;
    return token_from_file(path, false, ret, error, cap);
}

static int token_from_environment(char **ret, char *error, size_t cap)
{
    const char *value = getenv("PLIVO_AUTH_TOKEN");
    if (!value || !*value) {
        snprintf(error, cap, "no token: set PLIVO_AUTH_TOKEN, or use -o auth_token_file=FILE");
        return -EINVAL;
    }
    if (strlen(value) >= TOKEN_MAX) {
        snprintf(error, cap, "PLIVO_AUTH_TOKEN is too long for a token");
        return -EINVAL;
    }
    *ret = strdup(value);
    return *ret ? 0 : -ENOMEM;
}

/* In place: the kernel shows this very memory to ps. A variable may be there twice. */
static void wipe_environment(void)
{
    static const char name[] = "PLIVO_AUTH_TOKEN=";
    for (char **e = environ; e && *e; e++)
        if (strncmp(*e, name, strlen(name)) == 0)
            wipe(*e + strlen(name));
    unsetenv("PLIVO_AUTH_TOKEN");
}

static int find_token(const struct options *o, char **ret, char *error, size_t cap)
{
    int rc = o->auth_token_file ? token_from_file(o->auth_token_file, true, ret, error, cap)
                                : token_from_credential(ret, error, cap);
    if (rc == -ENOENT && !o->auth_token_file) {
        error[0] = '\0';
        rc = token_from_environment(ret, error, cap);
    }
    return rc;
}

static int find_id(const struct options *o, char **ret, char *error, size_t cap)
{
    const char *id = o->auth_id ? o->auth_id : getenv("PLIVO_AUTH_ID");
    if (!id || !id_valid(id)) {
        snprintf(error, cap,
                 id ? "the account id must be 20 letters and digits, like MAXXXXXXXXXXXXXXXXXX"
                    : "no account: set PLIVO_AUTH_ID, or give it before the mountpoint");
        return -EINVAL;
    }
    *ret = strdup(id);
    return *ret ? 0 : -ENOMEM;
}

int account_find(const struct options *o, struct account *ret, char *error, size_t cap)
{
    struct account a = {0};
    int rc = find_id(o, &a.id, error, cap);
    if (rc == 0)
        rc = find_token(o, &a.token, error, cap);
    wipe_environment();
    if (rc < 0)
        account_release(&a);
    else
        *ret = a;
    return rc;
}
