/* SPDX-License-Identifier: Apache-2.0 */
/* Tells why runs wait: an event each, and when the broker has it, a mark in the ledger. One
 * worker does it for all, the one that leads. Single-threaded; nothing blocks. */
#ifndef SANDFLEET_WORKER_TELLER_H
#define SANDFLEET_WORKER_TELLER_H

#include "worker/ledger/ledger.h"
#include "worker/publish/publish.h"

struct teller; /* opaque */

struct teller *teller_new(struct ledger *l, struct publish_hub *hub); /* NULL: no memory */
/* The rows of ledger_tell(). What cannot be told is logged, and told later. */
void teller_add(struct teller *t, const PGresult *res);
size_t teller_size(const struct teller *t); /* under way */
void teller_free(struct teller *t);         /* after ledger and producer; NULL is fine */

#endif
