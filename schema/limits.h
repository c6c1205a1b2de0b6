/* SPDX-License-Identifier: Apache-2.0 */
/* The fleet's limits as people name them, and their rows (ledger.limits). Workers look at the
 * rows each time they take runs, so that a change holds from the next taking on. */
#ifndef SANDFLEET_SCHEMA_LIMITS_H
#define SANDFLEET_SCHEMA_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"
#include "schema/run_request.h"

enum {
    LIMIT_MAX = 1000 * 1000, /* of a number of runs; 0: none starts */
    LIMIT_WEIGHT_MAX = 1000, /* from 1 */
    LIMIT_FLEET_CONCURRENCY = 100,
    LIMIT_FLEET_STARTS_PER_MINUTE = 50 /* what is in force where nothing was set */
};

enum limit_to { LIMIT_TO_VALUE, LIMIT_TO_NONE, LIMIT_TO_DEFAULT };

struct limit_change {
    const char *scope, *setting; /* constants */
    struct str name;             /* of whom; "*": of each without a row of its own. Borrowed */
    enum limit_to to;
    int64_t value;
};

/* who: "fleet", "tenant:NAME", "credential:NAME" or "key:NAME", NAME "*" for all others; to: a
 * number, "none" or "default". ERR_USAGE says what is allowed. Pure. */
enum err_code limits_parse(const char *who, const char *setting, const char *to,
                           struct limit_change *out, struct err *err) MUST_USE;

/* The change as a statement, for those who do not block. */
struct limit_command {
    const char *sql;
    int n;
    const char *v[4]; /* of constants and of what is below: not to be moved */
    char name[RUN_NAME_MAX_BYTES + 1], value[24];
};
void limits_command(const struct limit_change *c, struct limit_command *out);

/* Both block; for commands. ERR_CONFIG: the database lacks the table, or the right to it. */
enum err_code limits_set(const char *conninfo, const struct limit_change *c,
                         struct err *err) MUST_USE;
/* One line a limit, or a JSON array of {scope, name, setting, value}, value null: none. */
enum err_code limits_list(const char *conninfo, bool json, struct buf *out,
                          struct err *err) MUST_USE;

#endif
