/* SPDX-License-Identifier: Apache-2.0 */
/* Where a list goes on: text that is opaque to clients, bound by a hash to the list, its tenant and
 * its filters, so that the cursor of another list is refused as garbage is. It is no secret and
 * opens nothing: what it names is asked for within the tenant again. Pure. */
#ifndef SANDFLEET_API_READS_CURSOR_H
#define SANDFLEET_API_READS_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

enum { CURSOR_ID_MAX = 320, CURSOR_TEXT_MAX = 512, CURSOR_BOUND_BYTES = 16 };
#define CURSOR_FOR_EVER INT64_MAX /* at_us of what has no time yet */

struct cursor {
    int64_t at_us; /* microseconds since 1970, before the year 10000; or CURSOR_FOR_EVER */
    char id[CURSOR_ID_MAX + 1];
};

/* What a cursor is bound to, told piece by piece. */
struct cursor_bound {
    uint8_t bytes[CURSOR_BOUND_BYTES];
};
void cursor_bind(struct cursor_bound *b, const char *list, const char *tenant);
void cursor_bind_to(struct cursor_bound *b, const char *name, const char *value);

void cursor_write(const struct cursor *c, const struct cursor_bound *b, struct buf *out);
/* False: it is none of ours, or was bound to something else. */
bool cursor_parse(struct str text, const struct cursor_bound *b, struct cursor *out);

enum { CURSOR_TIME_TEXT = 40 };
/* at_us as Postgres takes it: RFC 3339, or "infinity". Returns out. */
char *cursor_time(const struct cursor *c, char out[CURSOR_TIME_TEXT]);

#endif
