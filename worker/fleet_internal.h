/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the fleet: shared by fleet.c, fleet_runs.c, fleet_take.c and fleet_lease.c. */
#ifndef SANDFLEET_WORKER_FLEET_INTERNAL_H
#define SANDFLEET_WORKER_FLEET_INTERNAL_H

#include "worker/fleet.h"
#include "worker/intake.h"
#include "worker/lease.h"
#include "worker/outbox.h"
#include "worker/run.h"
#include "worker/slots.h"

enum {
    FLEET_TICK_MS = 500,      /* looks for due runs and dead workers */
    FLEET_POSITIONS_MS = 250, /* acknowledged positions into the ledger */
    FLEET_OUTBOX_MS = 5000,
    FLEET_OUTBOX_LIMIT = 50,
    FLEET_FLUSH_MS = 2000,   /* at the end, for the broker's acknowledgements */
    FLEET_LEAVE_MS = 3000,   /* at the end, for the ledger's answer */
    FLEET_BACKLOG_SLOTS = 2, /* a lane with so many startable claims a slot is not read */
    FLEET_ORPHANS_SLOTS = 2, /* runs of the dead may fill so many times the slots */
    FLEET_UNREADABLE_MS = 60000
};

struct fleet {
    struct loop *loop;
    const struct settings *set;
    const struct topics *topics;
    const struct kafka_conf *kafka;
    char host_name[64], worker_id[LEASE_ID_TEXT];
    int64_t pid;

    struct ledger *ledger;
    struct publish_hub *hub;
    struct sandbox_service *sandboxes;
    struct intake *intake;
    struct outbox *outbox;
    struct run_host host;
    struct secret *secrets[3]; /* borrowed from the settings */

    struct run **runs;
    size_t n_runs, cap_runs;
    struct slots slots;
    int64_t backlog[LANES]; /* startable claims as far as we know */
    int64_t reserved;       /* slots that takings under way may fill */
    int takings;            /* under way */

    struct lease lease;
    int64_t beat_sent_ms, look_sent_ms; /* 0: none under way */
    bool muted;     /* the lease lapsed: nothing is published until the runs are confirmed */
    bool reconcile; /* compare with the ledger at the next beat */
    bool judged;    /* the ledger's schema is ours */
    bool ready;     /* registered; the ready line is out */

    struct timer *tick, *beat, *positions, *outbox_timer, *drain;
    bool saving; /* positions are under way */
    bool stopping, finishing;
    int exit_status;
};

/* fleet_stop.c */
void fleet_fatal(struct fleet *f, const char *what, const struct err *e); /* ends the process */
void fleet_publish_failed(void *ctx, const struct err *e);
void fleet_finish(struct fleet *f); /* hands over what runs, and stops the loop */

/* fleet.c */

void fleet_become_ready(struct fleet *f); /* the ledger has our first beat */

/* fleet_runs.c */
void fleet_add_run(struct fleet *f, struct claim *claim, bool resumed); /* takes *claim */
void fleet_run_gone(void *ctx, struct run *r);
size_t fleet_active(const struct fleet *f);
struct run *fleet_find(const struct fleet *f, const char *run_id);
void fleet_save_positions(struct fleet *f);
/* "{id,…}" of all that is worked on here; the outbox's, too. */
void fleet_known_ids(const struct fleet *f, struct buf *out);

/* fleet_take.c */
void fleet_take(struct fleet *f); /* as many due runs as there are slots */
void fleet_adopt(struct fleet *f);
void fleet_take_over(struct fleet *f, const struct lease_peer *dead);
void fleet_work_outbox(struct fleet *f);
void fleet_look_backlog(struct fleet *f);
void fleet_claimed(struct fleet *f, const int64_t claimed[LANES]);

/* fleet_lease.c */
bool fleet_may_publish(void *ctx);
void fleet_check_lease(struct fleet *f);
void fleet_beat(struct fleet *f);
void fleet_look_peers(struct fleet *f);

#endif
