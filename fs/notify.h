// SPDX-License-Identifier: MIT
/*
 * Tells systemd that the service is ready (Type=notify): a datagram to the socket that
 * NOTIFY_SOCKET names.
 */
#ifndef CDRFS_FS_NOTIFY_H
#define CDRFS_FS_NOTIFY_H

#include "api/util.h"

/* 0 also when nobody asked; -errno when the message could not be sent. Never waits. */
int notify_ready(void) MUST_CHECK;

#endif
