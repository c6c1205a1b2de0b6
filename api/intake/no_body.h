/* SPDX-License-Identifier: Apache-2.0 */
/* A body where none is wanted: many clients send `{}` with whatever they POST, so that is as good
 * as nothing, and so is white space. Comes in pieces, needs no memory. Pure. */
#ifndef SANDFLEET_API_NO_BODY_H
#define SANDFLEET_API_NO_BODY_H

#include <stdbool.h>

#include "common/buf.h"

struct no_body { /* zeroed: nothing came yet */
    enum { NO_BODY_BEFORE, NO_BODY_INSIDE, NO_BODY_BEHIND } at;
};

/* The next piece. False: there is something in it. */
bool no_body_take(struct no_body *b, struct str piece);
/* Behind the last piece. False: the object has no end. */
bool no_body_is_whole(const struct no_body *b);

#endif
