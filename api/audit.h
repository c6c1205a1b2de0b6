/* SPDX-License-Identifier: Apache-2.0 */
/* Who did what at the door: a row of door.audit for each call that changes something, or would have
 * (any method but GET), of a caller who is known. Single-threaded. */
#ifndef SANDFLEET_API_AUDIT_H
#define SANDFLEET_API_AUDIT_H

#include "api/call.h"
#include "api/telling.h"

enum { AUDIT_MAX_BYTES = 8192 };

bool audit_wanted(const struct call *c);
/* A statement for pg_cmd.before: the change behind it is told of in its own transaction. */
void audit_before(const struct call *c, struct buf *out);
/* It was answered so (0: not at all): told unless a change was. The log has what the database did
 * not take. */
void audit_answered(struct call *c, int status);

extern const struct telling_kind audit_telling; /* of api->audits; the log has what was not told */

#endif
