/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of what is read: one file a noun. */
#ifndef SANDFLEET_API_READS_READS_H
#define SANDFLEET_API_READS_READS_H

struct call;

void runs_list(struct call *c);
void run_get(struct call *c);
void run_result(struct call *c);
void run_log(struct call *c);
void run_attempts(struct call *c);
void run_usage(struct call *c);
void run_explain(struct call *c);
void batches_list(struct call *c);
void batch_get(struct call *c);
void batch_results(struct call *c);
void sessions_list(struct call *c);
void session_get(struct call *c);
void sandboxes_list(struct call *c);
void sandbox_get(struct call *c);
void workers_list(struct call *c);
void limits_show(struct call *c);
void letters_list(struct call *c);
void letter_get(struct call *c);
void stats_get(struct call *c);

#endif
