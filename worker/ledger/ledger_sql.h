/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's statements, each one transaction. Parameters are named beside each text in
 * ledger_sql.c. Every change of a run is conditional on (run_id, epoch); it returns its
 * row, so no row means that we are deposed. All may be repeated when it is unknown whether
 * they took effect, except the takings: ledger_sql_disown repairs those. */
#ifndef SANDFLEET_WORKER_LEDGER_SQL_H
#define SANDFLEET_WORKER_LEDGER_SQL_H

/* intake */
extern const char ledger_sql_insert[];
extern const char ledger_sql_conflicts[];
/* taking; all four return claims as ledger_claim_read() reads them */
extern const char ledger_sql_take_lock[]; /* goes before, in the same transaction */
extern const char ledger_sql_take[];
extern const char ledger_sql_take_over[];
extern const char ledger_sql_adopt[];
extern const char ledger_sql_outbox[];
extern const char ledger_sql_backlog[];
/* the waiting room */
extern const char ledger_sql_tell[];
extern const char ledger_sql_told[];
extern const char ledger_sql_tidy[];
/* one run */
extern const char ledger_sql_started[];
extern const char ledger_sql_positions[];
extern const char ledger_sql_requeue[];
extern const char ledger_sql_close[];
extern const char ledger_sql_published[];
extern const char ledger_sql_hand_out[];
/* credentials */
extern const char ledger_sql_hold_credential[];
extern const char ledger_sql_learn_windows[];
/* cancels; the second returns claims as the takings do */
extern const char ledger_sql_cancelled[];
extern const char ledger_sql_end_waiting[];
/* this worker and its peers */
extern const char ledger_sql_beat[];
extern const char ledger_sql_peers[];
extern const char ledger_sql_bury[];
extern const char ledger_sql_mine[];
extern const char ledger_sql_disown[];
extern const char ledger_sql_leave[];

#endif
