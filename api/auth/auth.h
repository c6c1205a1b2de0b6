/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks. Single-threaded. */
#ifndef SANDFLEET_API_AUTH_AUTH_H
#define SANDFLEET_API_AUTH_AUTH_H

#include "api/call.h"

/* Fills c->who and calls next(c), now or later; or answers 401, 403, 429. c->route is found. */
void auth_check(struct call *c, void (*next)(struct call *c));

#endif
