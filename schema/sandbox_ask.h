/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox that is asked for ahead of need, by whoever is no worker: a row in ledger.sandboxes
 * that nobody makes yet. The leader of the warm pool (worker/sandbox/pool.h) makes it, whatever
 * its own targets say; then it is the pool's like the others, for the first run that comes. */
#ifndef SANDFLEET_SCHEMA_SANDBOX_ASK_H
#define SANDFLEET_SCHEMA_SANDBOX_ASK_H

#define SANDBOX_ASKED_PREFIX "warm-asked-" /* what the key begins with; "warm-": a pool's */

enum { SANDBOX_ASK_MAX = 100 /* by one request */ };

/* $1 template $2 how many; a row each: key, template */
#define SANDBOX_ASK_SQL                                                                            \
    "INSERT INTO ledger.sandboxes (key, state, template)"                                          \
    " SELECT '" SANDBOX_ASKED_PREFIX "' || gen_random_uuid(), 'creating', $1"                      \
    " FROM generate_series(1, $2::int) RETURNING key, template"

#endif
