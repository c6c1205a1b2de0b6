/* SPDX-License-Identifier: Apache-2.0 */
/* Private to migrate.c: the embedded migrations; the build makes the list. */
#ifndef SANDFLEET_SCHEMA_MIGRATE_LIST_H
#define SANDFLEET_SCHEMA_MIGRATE_LIST_H

#include <stddef.h>

#include "schema/migrate.h"

struct migration {
    const char *name; /* "0001_ledger" */
    const char *sql;
    const size_t *len;
};

extern const struct migration schema_migrations[]; /* SCHEMA_VERSION of them; [0] is version 1 */

#endif
