/* SPDX-License-Identifier: Apache-2.0 */
/* Who did what: the rows of door.audit, read (docs/adr/0031-who-did-what.md). Blocks; for commands.
 */
#ifndef SANDFLEET_SCHEMA_AUDIT_H
#define SANDFLEET_SCHEMA_AUDIT_H

#include <stdbool.h>

#include "common/buf.h"

struct audit_filter { /* NULL, 0: any */
    const char *tenant, *actor, *action, *object, *outcome;
    int64_t since_ms; /* so long ago at most */
    int64_t limit;    /* rows; 0: all */
};

/* The newest first: a line each for people, or an array. */
enum err_code audit_list(const char *conninfo, const struct audit_filter *f, bool json,
                         struct buf *out, struct err *err) MUST_USE;

/* Removes what is older; the owner's work. dry_run: only counts it. */
enum err_code audit_drop(const char *conninfo, int64_t keep_ms, bool dry_run, int64_t *dropped,
                         struct err *err) MUST_USE;

#endif
