// SPDX-License-Identifier: MIT
#include "fs/notify.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Its length; 0 when it is no name of a socket. A leading @ stands for the zero byte of one that is
 * in no folder. */
static socklen_t address_of(const char *name, struct sockaddr_un *ret)
{
    size_t n = strlen(name);
    if ((*name != '/' && *name != '@') || n < 2 || n >= sizeof(ret->sun_path))
        return 0;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, n);
    if (*name == '@')
        ret->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

int notify_ready(void)
{
    static const char message[] = "READY=1";
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    if (!name || !*name)
        return 0;
    socklen_t length = address_of(name, &address);
    if (!length)
        return -EINVAL;
    int rc = 0, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
               (struct sockaddr *)&address, length) < 0)
        rc = -errno;
    close(fd);
    return rc;
}
