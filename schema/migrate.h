/* SPDX-License-Identifier: Apache-2.0 */
/* The database's shape: migrations/NNNN_name.sql, embedded, forward only. */
#ifndef SANDFLEET_SCHEMA_MIGRATE_H
#define SANDFLEET_SCHEMA_MIGRATE_H

#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

enum { SCHEMA_VERSION = 29 };

/* Applies what is missing, each file in one transaction, under an advisory lock;
 * checks the checksums of what is there. ERR_CONFIG when the database is newer
 * than this program, a file was changed, or the encoding is not UTF8.
 * Blocks; for commands. */
enum err_code migrate_apply(const char *conninfo, FILE *out, struct err *err) MUST_USE;

/* SQL that yields one row, one column: the version applied, or 0. For start-up checks:
 * migrate_judge(version) says ERR_CONFIG with the next step unless it is SCHEMA_VERSION. */
extern const char migrate_version_sql[];
enum err_code migrate_judge(int64_t version, struct err *err) MUST_USE;

#endif
