/* SPDX-License-Identifier: Apache-2.0 */
/* A run that is to end. The ledger's row stays until the run has ended, so nothing of it is
 * lost with a worker: the next owner learns of it and goes on. From sandfleet.run.cancelling on
 * the run ends as cancelled, whatever its agent still manages to say. */
#include <stdio.h>

#include "common/log.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 4096 };

static void say_cancelling(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    log_event(LOG_INFO, "run.cancelling", LF("run", r->claim.run_id),
              LF("state", run_state_name(r->state)), LF_INT("force", r->cancel.force));
    if (!r->host->may_publish(r->host->ctx))
        return;
    buf_addc(&data, '{');
    json_kv_bool(&data, "force", r->cancel.force);
    json_kv(&data, r->cancel.interrupt ? "interrupted_by" : "requested_by",
            r->cancel.by[0] ? r->cancel.by : NULL);
    buf_addc(&data, '}');
    run_say(r, EVENT_RUN_CANCELLING, &data);
}

/* Says so, too, where no agent has said anything that would tell. */
void run_end_cancelled(struct run *r)
{
    char reason[RUN_REASON_TEXT];

    snprintf(reason, sizeof(reason), "%s%s%s%s", r->cancel.by[0] ? "by " : "",
             r->cancel.interrupt ? "run " : "", r->cancel.by, r->cancel.force ? ", by force" : "");
    run_end_with(r, r->cancel.interrupt ? OUTCOME_INTERRUPTED : OUTCOME_CANCELLED,
                 reason[0] == ',' ? reason + 2 : reason, 0);
}

/* The agent is not there yet, or not any more. Another run of the session waits for what it left;
 * somebody who cancels does not. */
static enum run_event event_of(const struct run *r)
{
    if (!r->reattach || (r->state == RUN_COLLECTING && !r->cancel.interrupt && !r->cancel.force))
        return RUN_EV_CANCEL;
    return r->cancel.force ? RUN_EV_FORCE : RUN_EV_INTERRUPT;
}

bool run_heed_cancel(struct run *r)
{
    enum run_event e = event_of(r);
    enum run_state to = run_state_next(r->state, e);

    if (r->state == RUN_GONE || to == r->state)
        return false;
    say_cancelling(r);
    run_end_cancelled(r);
    run_apply(r, e);
    return true;
}

static void ask(struct run *r, bool force, const char *by)
{
    struct run_cancel *c = &r->cancel;

    if (c->asked && (c->force || !force))
        return;
    c->asked = true;
    c->force = c->force || force;
    if (by && !c->by[0])
        snprintf(c->by, sizeof(c->by), "%s", by);
    (void)run_heed_cancel(r);
}

/* Somebody's word counts before another run's: as long as the end is not decided, it is theirs. */
void run_cancel(struct run *r, bool force, const char *by)
{
    struct run_cancel *c = &r->cancel;

    if (c->interrupt) {
        c->interrupt = false;
        snprintf(c->by, sizeof(c->by), "%s", by ? by : "");
    }
    ask(r, force, by);
}

void run_interrupt(struct run *r, const char *by_run)
{
    if (r->cancel.asked)
        return;
    r->cancel.interrupt = true;
    ask(r, false, by_run);
}

void run_break_off(struct run *r)
{
    claude_update_free(r->update);
    fill_free(r->fill);
    collect_free(r->collect);
    r->update = NULL;
    r->fill = NULL;
    r->collect = NULL;
}

/* --- the agent's end --------------------------------------------------------- */

/* One that was left by another owner, or before a lapse, is looked for first. */
void run_enter_cancelling(struct run *r)
{
    run_break_off(r);
    if (!r->capture && !run_follow(r)) {
        run_end_cancelled(r);
        run_apply(r, RUN_EV_ENDED);
        return;
    }
    timer_start(r->timer, r->host->life.cancel_ms + RUN_CANCEL_PATIENCE_MS);
    capture_cancel(r->capture, r->host->life.cancel_ms);
}

/* The sandbox answers no more, or what runs in it is out of everybody's reach. */
void run_cancel_timer(struct run *r)
{
    log_event(LOG_WARN, "run.cancel_forced", LF("run", r->claim.run_id),
              LF_INT("after_ms", r->host->life.cancel_ms + RUN_CANCEL_PATIENCE_MS));
    r->cancel.force = true;
    (void)run_heed_cancel(r);
}

/* --- the sandbox's end ------------------------------------------------------- */

static void killed(struct run *r, const struct err *e)
{
    if (e->code != ERR_OK)
        log_event(LOG_WARN, "sandbox.not_killed", LF("run", r->claim.run_id),
                  LF("sandbox", r->place.sandbox_id), LF_ERR(e),
                  LF("next", "it is tried again behind the run's end"));
    run_apply(r, RUN_EV_FREED);
}

static void on_killed(void *ctx, const struct err *e)
{
    if (run_answered(ctx))
        killed(ctx, e);
}

/* Before the ledger knows the end: whoever takes the run over meanwhile finds the cancel, and
 * no sandbox, and writes the same end. */
void run_enter_killing(struct run *r)
{
    struct err err = ERR_INIT;

    timer_stop(r->timer);
    run_break_off(r);
    capture_free(r->capture);
    r->capture = NULL;
    if (r->place.sandbox_id[0] == '\0')
        run_apply(r, RUN_EV_FREED);
    else if (sandbox_kill(r->host->sandboxes, r->place.sandbox_id, on_killed, r, &err) == ERR_OK)
        r->calls++;
    else
        killed(r, &err);
}
