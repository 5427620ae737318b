// SPDX-License-Identifier: MIT
/*
 * Where a token may be sent. Pure.
 */
#ifndef CDRFS_FS_URL_H
#define CDRFS_FS_URL_H

#include "api/util.h"

/*
 * Whether requests may go there: an https: URL with a host, or an http: URL whose host is one of
 * localhost, 127.0.0.1 and [::1], as those words; no user name, query, fragment, blank, quote or
 * byte beyond ASCII; a port is 1 to 65535. At most 512 bytes. What curl might read otherwise is
 * refused.
 */
bool url_may_have_token(const char *url);

#endif
