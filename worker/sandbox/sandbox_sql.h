/* SPDX-License-Identifier: Apache-2.0 */
/* The statements about sandboxes, each one transaction; parameters are named beside each text
 * in sandbox_sql.c. They move rows as worker/sandbox/sandbox_life.h says. Where a claim is locked,
 * it is locked before its sandbox; who moves several sandboxes skips what is locked. */
#ifndef SANDFLEET_WORKER_SANDBOX_SQL_H
#define SANDFLEET_WORKER_SANDBOX_SQL_H

/* one run's */
extern const char sandbox_sql_place[]; /* returns a row as sandbox_place_read() reads it */
extern const char sandbox_sql_own[];
extern const char sandbox_sql_give_up[];
/* whoever's: the dead */
extern const char sandbox_sql_evict[];
extern const char sandbox_sql_freed[];
/* the leader's: the warm pool */
extern const char sandbox_sql_refill[];
extern const char sandbox_sql_warmed[];
extern const char sandbox_sql_unmade[];
/* the leader's: the janitor */
extern const char sandbox_sql_lead[];
extern const char sandbox_sql_expire[];
extern const char sandbox_sql_dead[];
extern const char sandbox_sql_compare[];
extern const char sandbox_sql_missed[];
extern const char sandbox_sql_empty[];
extern const char sandbox_sql_sizes[];
/* this ledger's own id */
extern const char sandbox_sql_installation[];

/* For ledger_sql.c. Of row s, on its way into the state `to`: it ran until now, unless it
 * was not there or paused; and its new state. */
#define SANDBOX_MS(t) "(extract(epoch FROM clock_timestamp() - " t ") * 1000)::bigint"
#define SANDBOX_RAN                                                                                \
    "running_ms = s.running_ms + CASE WHEN s.state IN ('ready', 'busy', 'parked', 'lost')"         \
    " THEN " SANDBOX_MS("s.since") " ELSE 0 END"
#define SANDBOX_TO(to) "state = " to ", since = clock_timestamp(), " SANDBOX_RAN

#endif
