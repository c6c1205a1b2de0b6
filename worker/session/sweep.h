/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that nobody goes on with are forgotten, and transcripts that are nobody's any more
 * are removed from the store, by the worker that leads. Single-threaded; nothing blocks. */
#ifndef SANDFLEET_WORKER_SWEEP_H
#define SANDFLEET_WORKER_SWEEP_H

#include "worker/ledger/ledger.h"
#include "worker/store/store.h"

struct sweep; /* opaque */

struct sweep_opts { /* all outlive the sweep */
    struct loop *loop;
    struct ledger *ledger;
    struct store *store; /* NULL: what is to be removed waits for a worker that has one */
    int64_t every_ms;
    int64_t keep_ms;  /* a session, after its last run */
    int64_t grace_ms; /* a dead transcript: an old owner may still be storing it */
};
struct sweep *sweep_new(const struct sweep_opts *opts); /* NULL: no memory */
void sweep_lead(struct sweep *s, bool leads);
void sweep_free(struct sweep *s); /* after the ledger; NULL is fine */

#endif
