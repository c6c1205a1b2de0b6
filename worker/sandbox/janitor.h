/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is left behind: the leader lists the fleet's sandboxes by the metadata that names
 * this ledger, and compares them with its rows. It kills what no row owns and what died, ends
 * what nobody came for, and removes rows whose sandbox is gone. Whatever is only suspected
 * is looked at twice, a grace apart by our own clock: a list may be old, but a row is there
 * before its sandbox is asked for. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_JANITOR_H
#define SANDFLEET_WORKER_JANITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/loop.h"
#include "worker/e2b/sandbox.h"
#include "worker/ledger/ledger.h"
#include "worker/sandbox/sandbox_sizes.h"

struct janitor; /* opaque */

enum { JANITOR_ACTS_MAX = 20 /* under way at once: what is more waits for the next round */ };

struct janitor_opts { /* copied; what it points to is borrowed for the janitor's life */
    struct loop *loop;
    struct ledger *ledger;
    struct sandbox_service *sandboxes;
    struct sandbox_sizes *sizes;
    const char *ledger_id;
    int64_t every_ms, grace_ms;
    void (*done)(void *ctx); /* a round is over; NULL: nobody wants to know */
    void *ctx;
};

struct janitor_counts { /* since it was made */
    int64_t rounds, listed, orphans, expired, dead, lost;
};

struct janitor *janitor_new(const struct janitor_opts *opts); /* NULL: no memory */
void janitor_lead(struct janitor *j, bool leading);           /* the first round comes at once */
const struct janitor_counts *janitor_counts(const struct janitor *j);
bool janitor_is_idle(const struct janitor *j); /* no round and no act is under way */
void janitor_free(struct janitor *j);          /* after ledger and sandbox service; NULL is fine */

#endif
