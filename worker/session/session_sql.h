/* SPDX-License-Identifier: Apache-2.0 */
/* The statements about sessions and their transcripts, each one transaction; parameters are
 * named beside each text in session_sql.c. What a run changes is conditional on its epoch. */
#ifndef SANDFLEET_WORKER_SESSION_SQL_H
#define SANDFLEET_WORKER_SESSION_SQL_H

/* one run's */
extern const char session_sql_storing[];
extern const char session_sql_kept[];
/* the leader's */
extern const char session_sql_forget[];
extern const char session_sql_dead[]; /* returns keys */
extern const char session_sql_removed[];

#endif
