/* SPDX-License-Identifier: Apache-2.0 */
/* A capture as its parts see it:
 *   capture.c         its life, pause and kill
 *   capture_start.c   files in, supervisor up
 *   capture_follow.c  the output by offset, until rc and size agree
 *   capture_job.c     the text of the job file
 *   capture_lost.c    what to do when the sandbox seems gone
 *   capture_cancel.c  ends the agent, and what it started, by cancel.sh
 *   capture_cost.c    what the agent cost, where it did not say so
 *   capture_tails.c   ends streams of ours that nobody hears any more
 * At any time one thing is under way: `puts`, `call`, `stream`, or `timer` for the next
 * step. Only the kill has handles of its own. */
#ifndef SANDFLEET_WORKER_CAPTURE_INTERNAL_H
#define SANDFLEET_WORKER_CAPTURE_INTERNAL_H

#include "common/backoff.h"
#include "common/loop.h"
#include "worker/capture/capture.h"
#include "worker/e2b/envd.h"
#include "worker/capture/lines.h"

enum {
    CAPTURE_START_MS = 180 * 1000, /* to have the supervisor up */
    CAPTURE_LOST_MS = 120 * 1000,  /* without an answer of any kind while following */
    CAPTURE_DEAD_MS = 5 * 1000,    /* the agent is gone, and still no rc */
    CAPTURE_POLL_EVERY_MS = 200,
    CAPTURE_POLL_MS = 30 * 1000, /* then a stream is tried again */
    CAPTURE_STREAMS = 3,         /* failed in a row before polling */
    CAPTURE_KILL_AGAIN_MS = 500,
    CAPTURE_CEILING_GRACE_MS = 2000,
    CAPTURE_REFUSALS = 3,               /* of a sandbox that runs, in a row: it is not ours */
    CAPTURE_REOPEN_TTL_MS = 300 * 1000, /* of a paused one that we wake; the run extends it */
    CAPTURE_TAILS = 8,
    CAPTURE_COST_MAX_BYTES = 64 << 10,
    CAPTURE_DIR_MAX_BYTES = 128,
    CAPTURE_TAG_MAX_BYTES = CAPTURE_DIR_MAX_BYTES + 8
};

enum capture_put { PUT_JOB, PUT_PROMPT, PUT_TOKEN, PUT_TRANSCRIPT, PUTS };

typedef void (*capture_step)(struct capture *c);

struct capture {
    struct sandbox *sb;
    struct envd *envd;
    struct loop *loop;
    struct capture_events ev;
    void *ctx;
    char dir[CAPTURE_DIR_MAX_BYTES]; /* below the home, without "~/" */

    struct buf job, prompt, transcript; /* until the start is known */
    struct secret *token;               /* until the start is known; NULL: none */
    struct {
        struct capture *c;
        struct envd_call *call;
    } puts[PUTS];
    size_t puts_left;
    struct err put_err;

    struct envd_call *call;
    struct envd_stream *stream;
    struct buf said; /* what a short command printed */
    struct buf cost; /* two lines, as the supervisor tells them */
    struct timer *timer;
    capture_step next; /* of the timer */

    int64_t pid; /* the supervisor's; 0: not known to have started */
    struct lines lines;
    struct backoff backoff;
    int64_t deadline_ms;   /* of the start; then moved by every sign of life */
    int64_t dead_since_ms; /* it was found gone, without rc; 0: it was not */
    int64_t poll_until_ms; /* ranged reads instead of streams; 0: streams */
    int failures;          /* streams in a row that brought nothing */
    bool moved;            /* this stream or read brought bytes */
    bool gone;             /* tail ended by itself: the agent is no more */
    bool have_rc;
    int status; /* as in rc */

    struct err lost;         /* what made it seem gone */
    capture_step after_lost; /* where to go on when it is not */
    int refusals;
    struct sandbox_op *waking;
    bool stray;                   /* a tail of ours may be left behind */
    int64_t tails[CAPTURE_TAILS]; /* process ids still to be ended */
    size_t n_tails;

    struct envd_stream *killer;
    struct timer *kill_timer;
    int64_t grace_ms;
    bool cancelled;
    const char *signal; /* the next one to send; NULL: no kill was asked for */

    bool paused, log_ceiling;
    bool over;  /* ended() or failed() was called */
    int busy;   /* our caller's code is on the stack */
    bool freed; /* … and freed us */
};

/* capture_job.c */
enum err_code capture_job_write(const struct capture_spec *spec, struct buf *out,
                                struct err *err) MUST_USE;

/* capture.c */
void capture_later(struct capture *c, capture_step step, int64_t delay_ms);
void capture_drop(struct capture *c); /* whatever is under way, but the kill */
void capture_fail(struct capture *c, const struct err *e);
void capture_end(struct capture *c, struct str stderr_tail);
void capture_alive(struct capture *c); /* a sign of life: the deadline moves */
/* One piece of the output. False: do not go on (freed, paused, over the ceiling). */
bool capture_feed(struct capture *c, struct str piece);
bool capture_give(struct capture *c, const struct line *line); /* false: freed */
/* "~/.sandfleet/…/<name>"; `out` is given back. */
const char *capture_path(const struct capture *c, const char *name, char *out, size_t size);
/* `sh -c script sh <dir> [word]`: the script's folder is in "$HOME/$1". */
enum err_code capture_shell(struct capture *c, const char *script, const char *word,
                            const struct envd_stream_events *ev, struct envd_stream **out,
                            struct err *err) MUST_USE;
void capture_kill_go(struct capture *c); /* sends c->signal, when it started */

/* capture_cancel.c */
void capture_cancel_go(struct capture *c);

/* capture_start.c */
void capture_look(struct capture *c);    /* did somebody start it before? */
void capture_prepare(struct capture *c); /* files in, then start */

/* capture_follow.c */
void capture_follow(struct capture *c);
void capture_look_for_rc(struct capture *c);
void capture_open_stream(struct capture *c);
void capture_read_stderr(struct capture *c); /* the last step */

/* capture_cost.c: then capture_read_stderr(). */
void capture_ask_cost(struct capture *c);
/* What came of it: line 0 or 1, without newline. */
struct str capture_cost_line(const struct capture *c, size_t line);

/* capture_lost.c: `e` is GONE. Goes on at `step`, or fails. */
void capture_lost(struct capture *c, capture_step step, const struct err *e);
void capture_lost_drop(struct capture *c);

/* capture_tails.c: then capture_open_stream(). */
void capture_end_tails(struct capture *c);
const char *capture_tail_tag(const struct capture *c, char out[CAPTURE_TAG_MAX_BYTES]);

#endif
