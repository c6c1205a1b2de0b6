/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the fleet: shared by fleet.c and fleet_*.c. */
#ifndef SANDFLEET_WORKER_FLEET_INTERNAL_H
#define SANDFLEET_WORKER_FLEET_INTERNAL_H

#include <sys/queue.h>

#include "common/http/http_pages.h"
#include "worker/fleet/fleet.h"
#include "worker/fleet/intake.h"
#include "worker/sandbox/janitor.h"
#include "worker/ledger/lease.h"
#include "worker/publish/outbox.h"
#include "worker/publish/teller.h"
#include "worker/sandbox/pool.h"
#include "worker/session/sweep.h"
#include "worker/run/run.h"
#include "worker/fleet/run_index.h"
#include "worker/fleet/slots.h"

enum {
    FLEET_TICK_MS = 500,      /* looks for due runs and dead workers */
    FLEET_POSITIONS_MS = 250, /* acknowledged positions into the ledger… */
    FLEET_POSITIONS_RUNS = 2, /* …and a ms later for so many runs: each is a row to be written */
    FLEET_OUTBOX_MS = 5000,
    FLEET_KEEP_MS = 1000,        /* applies to lead; as a leader, fills the warm pool */
    FLEET_SWEEP_MS = 10 * 60000, /* a transcript that is nobody's is removed so much later */
    FLEET_CALM_MS = 60000,       /* the pool is not refilled for so long after an eviction */
    FLEET_OUTBOX_LIMIT = 50,
    FLEET_CANCEL_LIMIT = 100, /* waiting runs ended by one statement… */
    FLEET_CANCEL_OWED = 400,  /* …while not more than so many terminals are to be published */
    FLEET_FLUSH_MS = 2000,    /* at the end, for the broker's acknowledgements */
    FLEET_LEAVE_MS = 3000,    /* at the end, for the ledger's answer */
    FLEET_STARTING = 64,      /* runs that may be on their way to their first line at once */
    FLEET_BACKLOG_SLOTS = 2,  /* a lane with so many startable claims a slot is not read */
    FLEET_ORPHANS_SLOTS = 2,  /* runs of the dead may fill so many times the slots */
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
    struct http *web; /* for addresses that requests name, and nothing else */
    struct fetch_policy fetch;
    struct store *artifacts; /* NULL: none are kept */
    struct intake *intake;
    struct outbox *outbox;
    char ledger_id[UUID_TEXT]; /* "" until the ledger told it */
    struct sandbox_sizes sizes;
    struct pool_targets pool_targets;
    struct pool *pool;
    struct janitor *janitor;
    struct store *store; /* NULL: none */
    struct sweep *sweep;
    bool leads, asked_to_lead;
    struct run_host host;
    struct keyring *keys;      /* open the credentials; NULL: none */
    struct buf key_ids;        /* "{a,b}" */
    struct redactor *redactor; /* what is cut out of the lines */
    struct run_proxy proxy;

    struct run **runs;
    size_t n_runs, cap_runs;
    struct run_index index; /* of the same, by id */
    struct slots slots;
    int64_t backlog[LANES];      /* startable claims as far as we know */
    int64_t reserved;            /* slots that takings under way may fill */
    LIST_HEAD(, taking) takings; /* under way */

    struct lease lease;
    int64_t beat_sent_ms, look_sent_ms; /* 0: none under way */
    bool muted;     /* the lease lapsed: nothing is published until the runs are confirmed */
    bool reconcile; /* compare with the ledger at the next beat */
    bool judged;    /* the ledger's schema is ours */
    bool ready;     /* registered; the ready line is out */

    struct http_pages *pages; /* NULL: nobody looks */
    struct seen_delay *delay;
    struct timer *holds; /* asks what waits */

    struct teller *teller;
    struct timer *tell;
    int64_t tell_turns;
    bool telling; /* a look at the waiting room is under way */

    struct timer *tick, *beat, *positions, *outbox_timer, *drain, *keep;
    bool looking_for_cancels, ending_waiting; /* statements are under way */
    int64_t positions_due_ms;                 /* loop clock */
    bool saving;                              /* positions are under way: */
    LIST_HEAD(, saving) savings;              /* two at the end, when the first is not awaited */
    bool stopping, finishing;
    int exit_status;
};

/* fleet_stop.c */
void fleet_fatal(struct fleet *f, const char *what, const struct err *e); /* ends the process */
void fleet_publish_failed(void *ctx, const struct err *e);
void fleet_service_refused(void *ctx, const struct err *e); /* the sandbox service, our key */
void fleet_finish(struct fleet *f); /* hands over what runs, and stops the loop */

/* fleet.c */

void fleet_become_ready(struct fleet *f); /* the ledger has our first beat */

/* fleet_ledger.c */
enum err_code fleet_open_ledger(struct fleet *f, struct err *err);

/* fleet_redact.c */
enum err_code fleet_open_redactor(struct fleet *f, struct err *err);

/* fleet_runs.c */
void fleet_add_run(struct fleet *f, struct claim *claim, bool resumed); /* takes *claim */
void fleet_run_streams(void *ctx);
void fleet_run_gone(void *ctx, struct run *r);
size_t fleet_active(const struct fleet *f);
/* One that we own; NULL: none. */
struct run_entry *fleet_entry(const struct fleet *f, const char *run_id, int64_t epoch);
struct run *fleet_find(const struct fleet *f, const char *run_id, int64_t epoch);
/* Is the claim still its? A run that only waits for its sandbox's end may be back already. */
bool fleet_owns(const struct run *r);
void fleet_save_positions(struct fleet *f);
void fleet_forget_savings(struct fleet *f); /* once the ledger is gone */
void fleet_look_flow(struct fleet *f);      /* drops the streams while Kafka does not keep up */
/* "{id,…}" of all that is worked on here; the outbox's, too. */
void fleet_known_ids(const struct fleet *f, struct buf *out);

/* fleet_take.c */
void fleet_take(struct fleet *f);           /* as many due runs as there are slots */
void fleet_forget_takings(struct fleet *f); /* once the ledger is gone */
void fleet_adopt(struct fleet *f);
void fleet_take_over(struct fleet *f, const struct lease_peer *dead);
void fleet_work_outbox(struct fleet *f);
void fleet_look_backlog(struct fleet *f);
void fleet_claimed(struct fleet *f, const int64_t claimed[LANES]);

void fleet_end_waiting(struct fleet *f); /* those that somebody cancelled, or that expired */

/* fleet_cancel.c */
void fleet_look_cancels(struct fleet *f);

/* fleet_tell.c */
void fleet_tell(struct fleet *f);

/* fleet_seen.c */
enum err_code fleet_open_pages(struct fleet *f, struct err *err);
void fleet_close_pages(struct fleet *f);

/* fleet_keep.c */
void fleet_keep(struct fleet *f);
void fleet_lead_no_more(struct fleet *f, bool connected); /* another worker may, at once */

/* fleet_lease.c */
bool fleet_may_publish(void *ctx);
void fleet_check_lease(struct fleet *f);
void fleet_beat(struct fleet *f);
void fleet_look_peers(struct fleet *f);

#endif
