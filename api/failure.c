// SPDX-License-Identifier: MIT
#include "api/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failure_errno_of_status(int http)
{
    switch (http) {
    case 200:
        return 0;
    case 401:
    case 403:
        return -EACCES;
    case 429:
        return -EBUSY;
    default:
        return -EIO;
    }
}

void failure_set(struct failure *f, int err, int http, const char *fmt, ...)
{
    va_list ap;
    memset(f, 0, sizeof(*f));
    f->err = err;
    f->http = http;
    va_start(ap, fmt);
    vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
    va_end(ap);
    str_printable(f->detail);
}

const char *failure_remedy(const struct failure *f)
{
    if (f->remedy)
        return f->remedy;
    switch (-f->err) {
    case EACCES:
        return f->http == 403 ? "ask Plivo whether SIP trunking is enabled for this account"
                              : "check PLIVO_AUTH_ID and PLIVO_AUTH_TOKEN";
    case EBUSY:
        return "the account's request budget is used up; lower rate= or stop other programs";
    case ETIMEDOUT:
        return "the API is slow; try again, or raise deadline=";
    case EHOSTUNREACH:
        return "check the network, DNS, the certificate and api_url=";
    case EAGAIN:
        return "nothing needs to be done";
    case EBADMSG:
        return "the API answered something unexpected; check api_url= and dialect=";
    default:
        return "try again";
    }
}
