/* SPDX-License-Identifier: Apache-2.0 */
/* From the agent's end to the next attempt or to the terminal. The order is the promise:
 * lines acknowledged, terminal in the ledger, terminal acknowledged, sandbox killed. */
#include <sodium.h>
#include <string.h>

#include "common/log.h"
#include "worker/run_internal.h"
#include "worker/terminal.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 256 * 1024, KILL_AGAIN_MS = 2000 };

/* --- settling ---------------------------------------------------------------- */

static void say_stderr(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    if (!r->end.stderr_tail)
        return;
    buf_addc(&data, '{');
    json_kv(&data, "text", r->end.stderr_tail);
    buf_addc(&data, '}');
    run_say(r, EVENT_AGENT_STDERR, &data);
}

static void say_retry(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);
    bool held = outcome_next(r->end.outcome) == NEXT_HOLD;
    char until[CLOCK_TEXT];

    buf_addc(&data, '{');
    if (held) {
        json_kv(&data, "reason", outcome_name(r->end.outcome));
        json_kv(&data, "until", clock_rfc3339(clock_wall_ms() + r->plan.delay_ms, until));
    } else {
        json_kv(&data, "outcome", outcome_name(r->end.outcome));
        json_kv(&data, "reason", r->end.reason[0] ? r->end.reason : NULL);
        json_kv_int(&data, "delay_ms", r->plan.delay_ms);
        json_kv_bool(&data, "counted", r->plan.counted);
    }
    buf_addc(&data, '}');
    run_say(r, held ? EVENT_RUN_HELD : EVENT_RUN_RETRYING, &data);
}

/* A hold is nobody's failure and counts nowhere; it lasts longer from attempt to attempt. */
static struct outcome_plan plan(const struct run *r)
{
    bool held = outcome_next(r->end.outcome) == NEXT_HOLD;

    return outcome_plan(r->end.outcome, r->claim.failures,
                        held ? r->claim.attempt - 1 : r->claim.uncounted, r->request.max_attempts,
                        r->end.hold_ms, randombytes_random());
}

/* Decides what follows, once, and says how the attempt ended. */
static void report(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);
    struct usage used = run_attempt_usage(r);

    usage_add(&r->claim.used, &used);
    if (r->refused)
        return;
    log_event(LOG_INFO, "attempt.ended", LF("run", r->claim.run_id),
              LF_INT("attempt", r->claim.attempt), LF("outcome", outcome_name(r->end.outcome)),
              LF("reason", r->end.reason), LF_INT("lines", r->stream.lines),
              LF_INT("ms", run_elapsed_ms(r)));
    r->plan = plan(r);
    say_stderr(r);
    run_data_attempt_end(r, &data);
    run_say(r, EVENT_ATTEMPT_ENDED, &data);
    if (r->plan.retry)
        say_retry(r);
}

/* Without a lease neither word nor deed: the sandbox may be another owner's by now. */
void run_settle(struct run *r)
{
    if (!publish_log_idle(r->log) || !r->host->may_publish(r->host->ctx))
        return;
    if (!r->reported) {
        r->reported = true;
        report(r);
    }
    if (publish_log_idle(r->log))
        run_apply(r, r->plan.retry ? RUN_EV_RETRY : RUN_EV_END);
}

void run_enter_settling(struct run *r)
{
    timer_stop(r->timer);
    r->tries = 0;
    run_settle(r);
}

/* --- the sandbox: parked for its session, or killed -------------------------- */

/* A conversation that can be resumed where it is. */
static bool parkable(const struct run *r)
{
    enum outcome o = r->end.outcome;
    return r->request.session_id && r->sandbox && r->end.exited && r->stream.inits > 0 &&
           r->stream.session_id[0] && !r->stream.no_conversation && o != OUTCOME_TIMED_OUT &&
           o != OUTCOME_LOG_CEILING;
}

static void free_sandbox(struct run *r);

static void on_parked(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (!run_answered(r))
        return;
    r->parked = e->code == ERR_OK;
    if (!r->parked)
        log_event(LOG_WARN, "sandbox.not_parked", LF("run", r->claim.run_id), LF_ERR(e));
    if (r->parked || r->state == RUN_PARKING) /* closing, the outbox kills what is left */
        run_apply(r, RUN_EV_FREED);
    else
        free_sandbox(r);
}

/* Its life is set before the session's row names it: behind that, the session's next run
 * may have it, and must not find it shortened. */
static bool park(struct run *r)
{
    struct err err = ERR_INIT;

    if (sandbox_set_ttl(r->host->sandboxes, r->claim.sandbox_id,
                        (int64_t)RUN_PARK_MINUTES * 60 * 1000, on_parked, r, &err) != ERR_OK)
        return false;
    r->calls++;
    return true;
}

static void kill_failed(struct run *r, const struct err *e)
{
    log_event(LOG_WARN, "sandbox.not_killed", LF("run", r->claim.run_id),
              LF("sandbox", r->claim.sandbox_id), LF_ERR(e));
    timer_start(r->timer, KILL_AGAIN_MS);
}

static void on_killed(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (!run_answered(r))
        return;
    if (e->code == ERR_OK)
        run_apply(r, RUN_EV_FREED);
    else
        kill_failed(r, e);
}

static void free_sandbox(struct run *r)
{
    struct err err = ERR_INIT;

    if (r->claim.sandbox_id[0] == '\0' || ++r->tries > RUN_KILL_TRIES)
        run_apply(r, RUN_EV_FREED); /* its own time limit ends it */
    else if (sandbox_kill(r->host->sandboxes, r->claim.sandbox_id, on_killed, r, &err) == ERR_OK)
        r->calls++;
    else
        kill_failed(r, &err);
}

void run_release_timer(struct run *r)
{
    free_sandbox(r);
}

void run_enter_releasing(struct run *r)
{
    if (!parkable(r) || !park(r))
        free_sandbox(r);
}

void run_enter_parking(struct run *r)
{
    if (!parkable(r) || !park(r))
        run_apply(r, RUN_EV_FREED);
}

/* --- back to waiting --------------------------------------------------------- */

static struct ledger_end ledger_end(const struct run *r)
{
    return (struct ledger_end){.park_session = r->parked ? r->stream.session_id : NULL,
                               .park_minutes = RUN_PARK_MINUTES,
                               .used = r->claim.used};
}

static void on_saved(void *ctx, bool held, const struct err *e)
{
    run_saved(ctx, held, e);
}

void run_enter_requeueing(struct run *r)
{
    struct ledger_end end = ledger_end(r);

    end.hold_reason = outcome_name(r->end.outcome);
    end.delay_ms = r->plan.delay_ms;
    end.failures = r->claim.failures + r->plan.counted;
    end.uncounted =
        r->claim.uncounted + (!r->plan.counted && outcome_next(r->end.outcome) == NEXT_WAIT);
    r->op = ledger_requeue(r->host->ledger, run_who(r), &end, on_saved, r);
    if (!r->op)
        run_depose(r);
}

/* --- the terminal ------------------------------------------------------------------------------
 */

void run_enter_closing(struct run *r)
{
    AUTO_BUF row = BUF_INIT(2 * EVENT_DATA_MAX_BYTES);
    struct ledger_end end = ledger_end(r);

    run_data_terminal(r, &r->terminal_data);
    r->terminal = (struct event){.type = outcome_event(r->end.outcome),
                                 .attempt = r->claim.attempt,
                                 .epoch = r->claim.epoch,
                                 .n = ++r->control_n,
                                 .time_ms = clock_wall_ms(),
                                 .data = buf_str(&r->terminal_data)};
    terminal_write(&r->terminal, &row);
    end.terminal = row.p;
    r->op = row.rc == ERR_OK && r->terminal_data.rc == ERR_OK
                ? ledger_close(r->host->ledger, run_who(r), &end, on_saved, r)
                : NULL;
    if (!r->op)
        run_depose(r);
}

void run_enter_publishing(struct run *r)
{
    struct err err = ERR_INIT;

    log_event(LOG_INFO, "run.ended", LF("run", r->claim.run_id),
              LF("state", event_type_name(r->terminal.type)),
              LF("outcome", outcome_name(r->end.outcome)), LF_INT("attempt", r->claim.attempt),
              LF_INT("ms", run_elapsed_ms(r)));
    if (publish_event(r->log, &r->terminal, &err) == ERR_OK)
        return;
    log_event(LOG_ERROR, "run.event_lost", LF("run", r->claim.run_id), LF("type", "terminal"),
              LF_ERR(&err));
    run_depose(r); /* the outbox has it */
}

/* --- cleaning ------------------------------------------------------------------------------------
 */

static void finish(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    (void)held, (void)e;
    r->op = NULL;
    run_apply(r, RUN_EV_FREED);
}

/* What could not be killed is left to the outbox, which tries again. */
static void cleaned(struct run *r, const struct err *e)
{
    if (e->code == ERR_OK)
        r->op = ledger_set_freed(r->host->ledger, run_who(r), finish, r);
    else
        r->op = ledger_hand_out(r->host->ledger, run_who(r), finish, r);
    if (!r->op)
        run_apply(r, RUN_EV_FREED);
}

static void on_cleaned(void *ctx, const struct err *e)
{
    if (run_answered(ctx))
        cleaned(ctx, e);
}

static void on_published(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;
    struct err err = ERR_INIT;

    (void)held, (void)e;
    r->op = NULL;
    if (r->parked || r->claim.sandbox_id[0] == '\0')
        run_apply(r, RUN_EV_FREED);
    else if (sandbox_kill(r->host->sandboxes, r->claim.sandbox_id, on_cleaned, r, &err) == ERR_OK)
        r->calls++;
    else
        cleaned(r, &err);
}

void run_enter_cleaning(struct run *r)
{
    r->op = ledger_set_published(r->host->ledger, run_who(r), on_published, r);
    if (!r->op)
        run_apply(r, RUN_EV_FREED);
}
