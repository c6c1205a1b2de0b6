/* SPDX-License-Identifier: Apache-2.0 */
/* Inside a run: shared by run.c and its parts run_boot.c, run_start.c, run_files.c,
 * run_stream.c, run_watch.c, run_cancel.c, run_end.c, run_clean.c. */
#ifndef SANDFLEET_WORKER_RUN_INTERNAL_H
#define SANDFLEET_WORKER_RUN_INTERNAL_H

#include "worker/artifact/collect.h"
#include "worker/capture/capture.h"
#include "worker/run/claude_update.h"
#include "worker/sandbox/eviction.h"
#include "worker/run/outcome.h"
#include "worker/run/run.h"
#include "worker/sandbox/sandbox_row.h"
#include "worker/session/carry.h"
#include "worker/workspace/fill.h"

enum {
    RUN_TTL_MARGIN_S = 600,           /* the sandbox outlives the hard limit by so much */
    RUN_BACKSTOP_S = 60,              /* the worker ends what outlives it by so much */
    RUN_PARK_MARGIN_MS = 60 * 1000,   /* the janitor ends it, not its own time limit */
    RUN_TAIL_MAX_BYTES = 50 * 1024,   /* of the rendered output, in the terminal record */
    RUN_TAIL_ROOM = 64 * 1024,        /* memory for it: what is too old is dropped in one go */
    RUN_RESULT_MAX_BYTES = 64 * 1024, /* of the final text, likewise */
    RUN_UNACKED_MAX_BYTES = 4 << 20,  /* the capture pauses above… */
    RUN_UNACKED_LOW_BYTES = 1 << 20,  /* …and goes on below */
    RUN_ARTIFACTS_MAX_BYTES = 16 * 1024,
    RUN_FACTS_MAX_BYTES = 64 * 1024,
    RUN_REASON_TEXT = 200,
    RUN_CANCEL_BY_TEXT = 129,
    RUN_CANCEL_PATIENCE_MS = 15 * 1000 /* for a cancelled agent's end; then its sandbox is killed */
};

struct run_cancel { /* what is known of a cancel */
    bool asked, force;
    bool interrupt;              /* for its session's next run, which `by` names */
    char by[RUN_CANCEL_BY_TEXT]; /* who asked; "" nobody said */
};

struct attempt_end { /* how the agent's process ended */
    enum outcome outcome;
    char reason[RUN_REASON_TEXT]; /* "" none */
    bool exited;                  /* the fields below are known */
    int exit_status;
    int64_t bytes, lines, blank_lines;
    char *stderr_tail;             /* ours; masked; NULL: none */
    int64_t hold_ms;               /* a known waiting time */
    enum watchdog_reason watchdog; /* why we ended it; NONE: we did not */
};

/* How an agent comes to its credential. */
enum run_mode { RUN_MODE_NONE, RUN_MODE_FD, RUN_MODE_PROXY };

struct run {
    const struct run_host *host;
    struct claim claim;
    struct run_request request;
    struct event_run about;
    enum run_state state;
    bool resumed;  /* from another worker */
    bool reattach; /* the supervisor may be running */
    bool refused;  /* ends without an agent */
    bool asked;    /* the service, for the sandbox: its answer comes to us, whatever we are at */
    bool made;     /* the sandbox is new, and not yet told of */
    bool looked;   /* the service was asked for its size */
    bool parked;   /* the sandbox is its session's from the next write on… */
    bool frozen;   /* …paused */
    bool reported; /* attempt.ended is published */
    bool paused;   /* the capture, for want of acknowledgements */
    bool ruled;    /* the service adds the credential to the sandbox's requests… */
    bool clearing; /* …and is asked not to any more */
    enum run_mode mode;
    int64_t control_n;

    struct publish_log *log;
    struct ledger_op *op, *started_op; /* at most one awaited; `started` runs beside it */
    struct ledger_op *credential_op;   /* so does its holding, until the run settles */
    int calls; /* of the sandbox service, under way: each comes back to this struct */
    struct sandbox_place place; /* key "": none yet */
    int64_t placed_ms;          /* boot clock: when the ledger told it */
    int64_t busy_ms;            /* boot clock: since then it is ours; 0: it is not */
    int64_t alive_ms;           /* boot clock: so long it lives at least */
    struct sandbox *sandbox;
    struct claude_update *update;
    struct eviction *eviction;
    struct carry *carry;
    struct buf transcript; /* to resume from; until the start is known */
    struct fill *fill;
    struct collect *collect;
    struct buf artifacts; /* stored in this attempt, as an array without its brackets */
    bool shortened;       /* a line of the output is longer than an event may be */
    struct capture *capture;
    struct timer *timer;
    int tries, evictions; /* of opening or making the sandbox; for it */

    int64_t began_ms;   /* boot clock of the attempt's start; 0: not started */
    int64_t sent_line;  /* published, acknowledged or not */
    int64_t saved_line; /* in the ledger */
    size_t warned;      /* soft warnings given */
    int64_t due_ms;     /* boot clock: when the timer is, while streaming */
    int64_t beat_ms;    /* boot clock: when the next heartbeat is due */
    int64_t read_bytes; /* of the agent's output */
    struct watchdog watchdog;
    struct buf facts; /* what this attempt was given, as an object; "" once it is told */
    struct stream_state stream;
    struct buf tail, result; /* rendered output; the last result's text */
    struct run_cancel cancel;
    struct attempt_end end;
    struct outcome_plan plan;
    struct event terminal; /* as the ledger has it; its data is in terminal_data */
    struct buf terminal_data;
};

/* run.c */
void run_apply(struct run *r, enum run_event e);
struct ledger_run run_who(const struct run *r);
/* First thing in the answer to a call: false when the run is gone and must not be touched. */
bool run_answered(struct run *r) MUST_USE;
/* Publishes a control event; *data is an object, its braces included. */
void run_say(struct run *r, enum event_type type, struct buf *data);
/* The answer to a conditional write: SAVED, DEPOSED, or the end of the attempt. */
void run_saved(struct run *r, bool held, const struct err *e);
void run_end_with(struct run *r, enum outcome o, const char *reason, int64_t hold_ms);

/* Entry actions, one a state. */
void run_enter_claimed(struct run *r);
void run_enter_placing(struct run *r);
void run_enter_booting(struct run *r);
void run_enter_owning(struct run *r);
void run_enter_updating(struct run *r);
void run_enter_filling(struct run *r);
void run_enter_starting(struct run *r);
void run_enter_streaming(struct run *r);
void run_enter_collecting(struct run *r);
void run_enter_cancelling(struct run *r);
void run_enter_suspended(struct run *r);
void run_enter_killing(struct run *r);
void run_enter_settling(struct run *r);
void run_enter_requeueing(struct run *r);
void run_enter_parking(struct run *r);
void run_enter_closing(struct run *r);
void run_enter_publishing(struct run *r);
void run_enter_marking(struct run *r);
void run_enter_cleaning(struct run *r);

/* run_boot.c: the sandbox */
int64_t run_sandbox_ms(const struct run *r); /* so long it is this attempt's */
void run_say_sandbox(struct run *r, enum event_type type, const char *reason);
void run_keep_alive(struct run *r); /* the sandbox, beyond the hard limit */
struct sandbox_size run_sandbox_size(const struct run *r);
void run_learn_size(struct run *r);
void run_live_for(struct run *r, int64_t ms); /* the sandbox, from now on, at least */

/* run_start.c */
bool run_follow(
    struct run *r); /* starts the agent, or finds it; false: it cannot, and why is told */

/* run_inject.c: the credential's way around the sandbox */
/* Why the credential would have to enter the sandbox although it must not; NULL: it need not. */
const char *run_exposed(const struct run *r);
/* Decides on the mode. True: run_follow() comes later, or the run ends. */
bool run_inject(struct run *r);
void run_clear_rules(struct run *r); /* of a sandbox that somebody may keep; run_settle() follows */
const char *run_base_url(const struct run *r); /* NULL: the agent's own default */
const char *run_mode_name(enum run_mode m);

/* run_session.c: the conversation of a session */
void run_bring(struct run *r); /* placed: fetches what the sandbox does not have; SAVED or ENDED */
const char *run_conversation(const struct run *r); /* the one to go on with; NULL: a new one */
void run_carry(struct run *r); /* stores what the sandbox has; run_park() follows */
void run_transcript_key(const struct run *r, char out[STORE_KEY_MAX + 1]);

/* run_stream.c */
extern const struct capture_events run_capture_events; /* ctx: struct run */
void run_stream_reset(struct run *r);
void run_stream_moved(struct run *r); /* is what it reads acknowledged? */
bool run_may_publish(const struct run *r);
int64_t run_elapsed_ms(const struct run *r);
struct usage run_attempt_usage(const struct run *r);

/* run_cancel.c */
void run_break_off(struct run *r);   /* what is done for an agent that will not come */
bool run_heed_cancel(struct run *r); /* false: not in this state, but in a later one */
void run_end_cancelled(struct run *r);
void run_cancel_timer(struct run *r); /* the agent took too long to end */

/* run_watch.c: what is due while the agent prints */
void run_watch_start(struct run *r);
void run_watch_timer(struct run *r); /* warnings, heartbeats, watchdog, backstop */
void run_watch_line(struct run *r, const struct stream_line *line);
void run_watch_resume(struct run *r); /* lines are read again */
enum outcome run_watch_outcome(const struct run *r, int exit_status, struct str stderr_tail);

/* run_end.c */
void run_park(struct run *r);   /* its session's sandbox, or nobody's */
void run_settle(struct run *r); /* goes on as far as acknowledgements and the lease allow */

/* run_data.c: the members of control events' data */
void run_data_facts(const struct run *r, struct buf *b); /* nothing, once they are told */
void run_data_usage(struct buf *b, const struct usage *u);
void run_data_attempt_end(const struct run *r, struct buf *b);
void run_data_terminal(const struct run *r, struct buf *b);
void run_data_sandbox(const struct run *r, const char *reason, struct buf *b);

#endif
