/* SPDX-License-Identifier: Apache-2.0 */
/* How long events are kept. Rows of runs, attempts, gaps and all sums outlive them. */
#ifndef SANDFLEET_SCHEMA_RETENTION_H
#define SANDFLEET_SCHEMA_RETENTION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

/* Drops the events of runs that were created more than keep_days days (UTC) before today, day
 * by day, and what was quarantined before. dry_run: only says what it would drop. Says on `out`
 * what it did; a day that somebody holds on to is left, and the next one taken: then
 * ERR_UNAVAILABLE. Blocks; for commands. */
enum err_code retention_apply(const char *conninfo, int64_t keep_days, bool dry_run, FILE *out,
                              struct err *err) MUST_USE;

#endif
