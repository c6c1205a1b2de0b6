/* SPDX-License-Identifier: Apache-2.0 */
/* Ended runs whose terminal somebody left unpublished: it is published until the broker has
 * it. Single-threaded; nothing blocks. */
#ifndef SANDFLEET_WORKER_OUTBOX_H
#define SANDFLEET_WORKER_OUTBOX_H

#include <stdbool.h>

#include "worker/run/run.h"

struct outbox; /* opaque */

struct outbox *outbox_new(const struct run_host *host); /* NULL: no memory */
/* Takes *claim (left empty), which is ended and ours. */
void outbox_add(struct outbox *o, struct claim *claim);
/* Appends the ids it works on to an open array (ledger_array_text). */
void outbox_ids(const struct outbox *o, struct buf *ids);
size_t outbox_size(const struct outbox *o);
void outbox_free(struct outbox *o); /* after ledger and producer */

#endif
