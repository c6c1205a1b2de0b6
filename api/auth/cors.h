/* SPDX-License-Identifier: Apache-2.0 */
/* Which web pages may ask in a browser (--cors-origin): by default none. */
#ifndef SANDFLEET_API_AUTH_CORS_H
#define SANDFLEET_API_AUTH_CORS_H

#include <stdbool.h>

#include "common/buf.h"

struct call;

/* "*", or scheme://host[:port] and nothing behind it: what a browser sends is compared as it is. */
bool cors_origin_ok(struct str s);

/* Headers of every answer to a page that may ask. */
void cors_allow(struct call *c);
/* Those of the answer to OPTIONS, in which a browser asks before the request itself. */
void cors_preflight(struct call *c, const char *methods);

#endif
