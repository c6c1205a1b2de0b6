/* SPDX-License-Identifier: Apache-2.0 */
/* From the agent's end to the next attempt or to the terminal. The order is the promise:
 * lines acknowledged, verdict and cost in the ledger, terminal acknowledged, sandbox killed.
 * From that write on the sandbox is its session's, or nobody's. */
#include <sodium.h>
#include <string.h>

#include "common/fault.h"
#include "common/log.h"
#include "worker/run/run_internal.h"
#include "worker/publish/terminal.h"
#include "worker/seen/seen.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 256 * 1024 };

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

static struct outcome_plan plan(const struct run *r)
{
    struct outcome_case c = {.attempt = r->claim.attempt,
                             .failures = r->claim.failures,
                             .uncounted = r->claim.uncounted,
                             .max_attempts = r->request.max_attempts,
                             .hold_ms = r->end.hold_ms,
                             .pooled = r->claim.credential && strcmp(r->claim.credential->name,
                                                                     r->request.credential) != 0};

    return outcome_plan(r->end.outcome, &c, randombytes_random());
}

/* --- the credential ---------------------------------------------------------- */

static void on_credential_held(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    r->credential_op = NULL;
    if (!held)
        log_event(LOG_ERROR, "credential.not_held", LF("run", r->claim.run_id),
                  LF("credential", r->claim.credential->name), LF_ERR(e));
    if (r->state == RUN_SETTLING)
        run_settle(r);
}

static void say_credential_held(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);
    char until[CLOCK_TEXT];

    clock_rfc3339(clock_wall_ms() + r->plan.credential_ms, until);
    log_event(r->plan.alert ? LOG_ERROR : LOG_WARN,
              r->plan.alert ? "credential.refused" : "credential.held",
              LF("credential", r->claim.credential->name), LF("run", r->claim.run_id),
              LF("outcome", outcome_name(r->end.outcome)), LF("reason", r->end.reason),
              LF("until", until));
    buf_addc(&data, '{');
    json_kv(&data, "credential", r->claim.credential->name);
    json_kv(&data, "pool", r->claim.credential->pool);
    json_kv(&data, "outcome", outcome_name(r->end.outcome));
    json_kv(&data, "reason", r->end.reason[0] ? r->end.reason : NULL);
    json_kv(&data, "until", until);
    json_kv_bool(&data, "alert", r->plan.alert);
    buf_addc(&data, '}');
    run_say(r, EVENT_CREDENTIAL_HELD, &data);
}

/* Before the run can be taken again, by this worker or another one: run_settle() waits for it. */
static void hold_credential(struct run *r)
{
    if (r->plan.credential_ms <= 0 || !r->claim.credential ||
        r->claim.credential->kind == CREDENTIAL_NONE)
        return; /* one that is none is not at fault */
    say_credential_held(r);
    r->credential_op =
        ledger_hold_credential(r->host->ledger, r->claim.credential, r->plan.credential_ms,
                               outcome_name(r->end.outcome), on_credential_held, r);
    if (!r->credential_op)
        log_event(LOG_ERROR, "credential.not_held", LF("run", r->claim.run_id),
                  LF("credential", r->claim.credential->name), LF("why", "out of memory"));
}

/* --- the verdict ------------------------------------------------------------- */

static void count(const struct run *r, const struct usage *used)
{
    seen_add(SEEN_ATTEMPTS, r->end.outcome, 1);
    seen_add(SEEN_COST, SEEN_COST_AGENT, used->cost_usd);
    seen_add(SEEN_COST, SEEN_COST_SANDBOX, used->sandbox_usd);
    seen_add(SEEN_TOKENS, SEEN_INPUT, (double)used->input_tokens);
    seen_add(SEEN_TOKENS, SEEN_OUTPUT, (double)used->output_tokens);
    seen_add(SEEN_TOKENS, SEEN_CACHE_READ, (double)used->cache_read_tokens);
    seen_add(SEEN_TOKENS, SEEN_CACHE_WRITE, (double)used->cache_write_tokens);
}

/* No attempt began. One whose credential does not open, or must not enter a sandbox, may have
 * another of its pool; those behind it wait instead of coming to the same end. */
static void refuse_credential(struct run *r)
{
    if (r->end.outcome != OUTCOME_CREDENTIAL_UNREADABLE &&
        r->end.outcome != OUTCOME_CREDENTIAL_NOT_PROXIED)
        return;
    r->plan = plan(r);
    hold_credential(r);
    if (r->plan.retry)
        say_retry(r);
}

/* Decides what follows, once, and says how the attempt ended. */
static void report(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);
    struct usage used = run_attempt_usage(r);

    usage_add(&r->claim.used, &used);
    if (r->refused) {
        refuse_credential(r);
        return;
    }
    run_clear_rules(r);
    count(r, &used);
    log_event(LOG_INFO, "attempt.ended", LF("run", r->claim.run_id),
              LF_INT("attempt", r->claim.attempt), LF("outcome", outcome_name(r->end.outcome)),
              LF("reason", r->end.reason), LF_INT("lines", r->stream.lines),
              LF_INT("ms", run_elapsed_ms(r)));
    r->plan = plan(r);
    hold_credential(r);
    if (r->plan.retry && r->cancel.asked) { /* it ended by itself, but not for good */
        run_end_cancelled(r);
        r->plan = plan(r);
    }
    say_stderr(r);
    run_data_attempt_end(r, &data);
    run_say(r, EVENT_ATTEMPT_ENDED, &data);
    fault_pass("verdict", "published");
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
    if (publish_log_idle(r->log) && !r->credential_op && !r->clearing)
        run_apply(r, r->plan.retry ? RUN_EV_RETRY : RUN_EV_END);
}

void run_enter_settling(struct run *r)
{
    timer_stop(r->timer);
    run_break_off(r);
    run_settle(r);
}

/* --- the sandbox: for its session, or for nobody ------------------------------- */

/* A cancelled agent had the last word of its turn. One that was killed left who knows what. */
static bool heeded(const struct run *r)
{
    return r->stream.results > 0 && r->stream.results >= r->stream.inits;
}

/* A conversation that can be resumed where it is. */
static bool parkable(const struct run *r)
{
    enum outcome o = r->end.outcome;
    return r->request.session_id && r->sandbox && r->end.exited && r->stream.inits > 0 &&
           r->stream.session_id[0] && !r->stream.no_conversation && o != OUTCOME_TIMED_OUT &&
           o != OUTCOME_LOG_CEILING && (!r->cancel.asked || heeded(r));
}

/* The session's, and no agent of this attempt was in it: it goes back as it is. */
static bool untouched(const struct run *r)
{
    return r->place.busy && r->place.claude_session[0] && !r->reattach &&
           r->end.outcome != OUTCOME_SANDBOX_LOST;
}

/* What becomes of it is told as long as we may; the ledger knows it in any case. */
static void let_go(struct run *r)
{
    if (r->place.sandbox_id[0] && r->end.outcome != OUTCOME_SANDBOX_LOST &&
        r->host->may_publish(r->host->ctx))
        run_say_sandbox(r, r->parked ? EVENT_SANDBOX_PARKED : EVENT_SANDBOX_ENDED,
                        r->frozen   ? "paused"
                        : r->parked ? "kept"
                                    : "released");
    run_apply(r, RUN_EV_FREED);
}

static void on_kept(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (!run_answered(r))
        return;
    fault_pass("park", "answered");
    r->parked = e->code == ERR_OK;
    if (!r->parked)
        log_event(LOG_WARN, "sandbox.not_parked", LF("run", r->claim.run_id), LF_ERR(e));
    let_go(r);
}

/* Its life is set before the ledger says that it is the session's: behind that, the session's
 * next run may have it, and must not find it shortened. */
static void keep(struct run *r)
{
    struct err err = ERR_INIT;

    if (sandbox_set_ttl(r->host->sandboxes, r->place.sandbox_id,
                        r->host->life.park_ms + RUN_PARK_MARGIN_MS, on_kept, r, &err) == ERR_OK)
        r->calls++;
    else
        let_go(r);
}

static void on_frozen(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (!run_answered(r))
        return;
    fault_pass("pause", "answered");
    if (e->code != ERR_OK) {
        log_event(LOG_WARN, "sandbox.not_paused", LF("run", r->claim.run_id), LF_ERR(e),
                  LF("next", "it is kept running instead"));
        keep(r);
        return;
    }
    r->parked = r->frozen = true;
    let_go(r);
}

static void freeze(struct run *r)
{
    struct err err = ERR_INIT;

    capture_free(r->capture); /* no stream is left open in it */
    r->capture = NULL;
    if (sandbox_pause(r->host->sandboxes, r->place.sandbox_id, on_frozen, r, &err) == ERR_OK)
        r->calls++;
    else
        keep(r);
}

void run_enter_parking(struct run *r)
{
    run_carry(r);
}

void run_park(struct run *r)
{
    r->parked = untouched(r);
    if (r->parked || !parkable(r) || r->host->life.park_ms == 0)
        let_go(r);
    else if (r->host->life.pause)
        freeze(r);
    else
        keep(r);
}

/* --- back to waiting --------------------------------------------------------- */

static struct ledger_end ledger_end(const struct run *r)
{
    const char *talk = r->stream.session_id[0] ? r->stream.session_id : r->place.claude_session;

    return (struct ledger_end){.park_session = r->parked ? talk : NULL,
                               .paused = r->frozen,
                               .park_ms = r->host->life.park_ms,
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
    end.failures = r->plan.failures;
    end.uncounted = r->plan.uncounted;
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
    seen_add(SEEN_RUNS_ENDED, r->end.outcome, 1);
    if (publish_event(r->log, &r->terminal, &err) == ERR_OK)
        return;
    log_event(LOG_ERROR, "run.event_lost", LF("run", r->claim.run_id), LF("type", "terminal"),
              LF_ERR(&err));
    run_depose(r); /* the outbox has it */
}
