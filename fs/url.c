// SPDX-License-Identifier: MIT
#include "fs/url.h"

#include <string.h>

#define URL_MOST 512

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool plain(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s > '~' || strchr("?#@\"'\\<>^`{|}", *s))
            return false;
    return true;
}

/* http: is for tests and tunnels on this machine; a token must not cross a network in the clear. */
static bool is_loopback(const char *host, size_t n)
{
    static const char *const names[] = {"localhost", "[::1]", "127.0.0.1"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i]) == n && memcmp(host, names[i], n) == 0)
            return true;
    return false;
}

/* What stands between the host and the path: nothing, or a colon and a port. */
static bool is_port(const char *s, size_t n)
{
    unsigned port = 0;
    if (!n)
        return true;
    if (*s != ':' || n == 1)
        return false;
    for (size_t i = 1; i < n; i++) {
        if (s[i] < '0' || s[i] > '9' || port > 65535)
            return false;
        port = port * 10 + (unsigned)(s[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

bool url_may_have_token(const char *url)
{
    bool tls = starts_with(url, "https://");
    if ((!tls && !starts_with(url, "http://")) || strlen(url) > URL_MOST || !plain(url))
        return false;
    const char *host = strstr(url, "//") + 2;
    size_t whole = strcspn(host, "/");
    size_t n = *host == '[' ? strcspn(host, "]/") + 1 : strcspn(host, ":/");
    return n && n <= whole && is_port(host + n, whole - n) && (tls || is_loopback(host, n));
}
