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

/* The first line of a file; refused when anybody but its owner can read it and that matters. */
static int token_from_file(const char *path, bool strict, char **ret, char *error, size_t cap)
{
    char text[TOKEN_MAX + 1] = "";
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(error, cap, "cannot read the token from %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -EACCES;
    }
    ssize_t n = read(fd, text, TOKEN_MAX);
    close(fd);
    if (strict && st.st_mode & 077) {
        explicit_bzero(text, sizeof(text));
        snprintf(error, cap, "the token file %s can be read by others; chmod 600 %s", path, path);
        return -EACCES;
    }
    text[n > 0 ? n : 0] = '\0';
    size_t length = strcspn(text, "\r\n");
    text[length] = '\0';
    if (length == TOKEN_MAX) {
        explicit_bzero(text, sizeof(text));
        snprintf(error, cap, "the first line of %s is too long for a token", path);
        return -EINVAL;
    }
    *ret = strdup(text);
    explicit_bzero(text, sizeof(text));
    return *ret ? 0 : -ENOMEM;
}

static int find_token(const struct options *o, char **ret, char *error, size_t cap)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    CLEANUP_FREE char *path = NULL;
    char *env = getenv("PLIVO_AUTH_TOKEN");
    int rc = 0;
    if (dir && asprintf(&path, "%s/cdrfs.token", dir) < 0)
        return -ENOMEM;
    if (o->auth_token_file)
        rc = token_from_file(o->auth_token_file, true, ret, error, cap);
    else if (path && access(path, F_OK) == 0)
        rc = token_from_file(path, false, ret, error, cap);
    else if (env && !(*ret = strdup(env)))
        rc = -ENOMEM;
    if (env) {
        wipe(env); /* in place: the kernel shows this very memory to ps */
        unsetenv("PLIVO_AUTH_TOKEN");
    }
    return rc;
}

int account_find(const struct options *o, struct account *ret, char *error, size_t cap)
{
    struct account a = {0};
    const char *id = o->auth_id ? o->auth_id : getenv("PLIVO_AUTH_ID");
    int rc = find_token(o, &a.token, error, cap);
    if (rc == 0 && !id) {
        snprintf(error, cap, "no account: set PLIVO_AUTH_ID, or give it before the mountpoint");
        rc = -EINVAL;
    } else if (rc == 0 && !id_valid(id)) {
        snprintf(error, cap,
                 "the account id must be 20 letters and digits, like MAXXXXXXXXXXXXXXXXXX");
        rc = -EINVAL;
    } else if (rc == 0 && (!a.token || !*a.token)) {
        snprintf(error, cap, "no token: set PLIVO_AUTH_TOKEN, or use -o auth_token_file=FILE");
        rc = -EINVAL;
    }
    if (rc == 0 && !(a.id = strdup(id)))
        rc = -ENOMEM;
    if (rc < 0)
        account_release(&a);
    else
        *ret = a;
    return rc;
}

/* http: is for tests and tunnels on this machine; a token must not cross a network in the clear. */
static bool is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "[::1]", "127.0.0.1"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);
        const char *behind = host + n;
        if (strncmp(host, names[i], n) == 0 && (!*behind || *behind == '/' || *behind == ':'))
            return !memchr(host, '@', strcspn(host, "/"));
    }
    return false;
}

/* Also the bytes that curl, logs or a terminal would take for something else. */
static bool has_odd_byte(const char *url)
{
    bool odd = false;
    for (; *url && !odd; url++)
        odd = (unsigned char)*url <= ' ' || *url == 0x7f || strchr("?#\"'\\", *url);
    return odd;
}

int account_api_url(const char *api_url, char **ret, char *error, size_t cap)
{
    *ret = NULL;
    if (!api_url)
        return 0;
    bool good = (strncmp(api_url, "https://", 8) == 0 && api_url[8] && api_url[8] != '/') ||
                (strncmp(api_url, "http://", 7) == 0 && is_loopback(api_url + 7));
    size_t n = strlen(api_url);
    if (!good || has_odd_byte(api_url) || n > 512) {
        snprintf(error, cap,
                 "api_url must be an https: URL (http: only to loopback), such as "
                 "https://api.plivo.com/v1");
        return -EINVAL;
    }
    while (n && api_url[n - 1] == '/')
        n--;
    *ret = strndup(api_url, n);
    return *ret ? 0 : -ENOMEM;
}
