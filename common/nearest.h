/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": of several names the one that is most like what was typed. Pure. */
#ifndef SANDFLEET_COMMON_NEAREST_H
#define SANDFLEET_COMMON_NEAREST_H

#include <stddef.h>

#include "common/buf.h"

enum { NEAREST_MAX_BYTES = 64 }; /* of a name that are looked at */

struct nearest {
    struct str typed;             /* borrowed */
    size_t distance;              /* only what is nearer than this counts */
    char name[NEAREST_MAX_BYTES]; /* so far; "": nothing is near enough */
};

struct nearest nearest_of(struct str typed);
void nearest_try(struct nearest *n, const char *name);

#endif
