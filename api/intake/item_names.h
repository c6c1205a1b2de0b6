/* SPDX-License-Identifier: Apache-2.0 */
/* Which custom_ids a body had lately, and for what: a table of fixed size, in which newer names
 * push older ones out. So two lines of one name are told apart from one line twice when they are
 * not far from each other; else a worker does, which refuses the second. Pure. */
#ifndef SANDFLEET_API_ITEM_NAMES_H
#define SANDFLEET_API_ITEM_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/run_request.h"

enum { ITEM_NAMES = 1 << 14 };

struct item_names { /* zero: empty */
    struct {
        uint64_t name, work;
    } at[ITEM_NAMES];
};

/* False: the name was there for something else. */
bool item_names_take(struct item_names *n, const struct run_request *r);

#endif
