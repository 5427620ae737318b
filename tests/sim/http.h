// SPDX-License-Identifier: MIT
#ifndef SIM_HTTP_H
#define SIM_HTTP_H

#include <microhttpd.h>

#include "sim.h"

enum { HTTP_UPLOAD_MAX = 8 << 20 };

/* Listens on a free port of 127.0.0.1, a thread for each connection. Returns NULL when that fails.
 */
struct MHD_Daemon *http_start(struct sim *sim);

/* The port that was given, or 0. */
int http_port(struct MHD_Daemon *daemon);

#endif
