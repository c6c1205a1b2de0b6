/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of what changes something: one file a noun. */
#ifndef SANDFLEET_API_HANDLERS_H
#define SANDFLEET_API_HANDLERS_H

struct call;

void run_create(struct call *c);
void run_cancel(struct call *c);
void run_retry(struct call *c);
void batch_create(struct call *c);
void batch_seal(struct call *c);
void batch_cancel(struct call *c);
void batch_retry(struct call *c);
void session_delete(struct call *c);
void sandbox_delete(struct call *c);
void limit_set(struct call *c);
void letters_redrive(struct call *c);
void letters_purge(struct call *c);

#endif
