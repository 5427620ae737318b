// SPDX-License-Identifier: MIT
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "control.h"

/* GET /control/oracle?dialect=&from=&to=: every call that ended in [from, to), one line each,
 * streamed. */
void oracle_answer(const struct control_request *req, struct reply *reply);

#endif
