/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of process.Process share. */
#ifndef SANDFLEET_SANDBOXD_ENVD_PROCESS_RPC_H
#define SANDFLEET_SANDBOXD_ENVD_PROCESS_RPC_H

#include "sandboxd/envd/process.h"

/* How the headers want a stream to be followed; false: answered. */
bool request_follow(struct request *r, struct follow *how);
/* The process that a message selects; also one that has just ended. NULL: answered. */
struct process *request_process(struct request *r, struct sandbox *sb, const cJSON *m);
/* The one that a unary request is about, alive. *m, the message, is yours. NULL: answered. */
struct process *request_live_process(struct request *r, cJSON **m);
void request_done(struct request *r); /* answers {} */

#endif
