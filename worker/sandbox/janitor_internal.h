/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the janitor: janitor.c has the rounds, janitor_act.c what is done about a finding. */
#ifndef SANDFLEET_WORKER_JANITOR_INTERNAL_H
#define SANDFLEET_WORKER_JANITOR_INTERNAL_H

#include <sys/queue.h>

#include "common/buf.h"
#include "worker/sandbox/janitor.h"
#include "worker/sandbox/sandbox_row.h"
#include "worker/sandbox/suspects.h"

struct janitor {
    struct janitor_opts opts;
    struct timer *timer;
    struct suspects suspects;
    struct janitor_counts counts;
    struct sandbox_list *list; /* under way */
    struct buf ids, keys;      /* what it told so far, as arrays */
    struct buf sized, cpus, memories, prices;
    bool leading, busy; /* busy: a round is under way */
    LIST_HEAD(, janitor_act) acts;
    int n_acts;
};

enum janitor_finding { FOUND_DEAD, FOUND_EXPIRED, FOUND_ORPHAN, FOUND_MISSING, FOUND_EMPTY };

/* Says so and does it, unless too much is under way or it is being done already. */
void janitor_act(struct janitor *j, enum janitor_finding finding, const struct sandbox_figures *f);
void janitor_acts_free(struct janitor *j);

#endif
