/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/fault.h"
#include "common/log.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

static void enter_gone(struct run *r);

static void (*const enter[RUN_STATES])(struct run *r) = {
    [RUN_CLAIMED] = run_enter_claimed,
    [RUN_PLACING] = run_enter_placing,
    [RUN_BOOTING] = run_enter_booting,
    [RUN_OWNING] = run_enter_owning,
    [RUN_UPDATING] = run_enter_updating,
    [RUN_FILLING] = run_enter_filling,
    [RUN_STARTING] = run_enter_starting,
    [RUN_STREAMING] = run_enter_streaming,
    [RUN_COLLECTING] = run_enter_collecting,
    [RUN_CANCELLING] = run_enter_cancelling,
    [RUN_SUSPENDED] = run_enter_suspended,
    [RUN_KILLING] = run_enter_killing,
    [RUN_SETTLING] = run_enter_settling,
    [RUN_RELEASING] = run_enter_parking,
    [RUN_REQUEUEING] = run_enter_requeueing,
    [RUN_PARKING] = run_enter_parking,
    [RUN_CLOSING] = run_enter_closing,
    [RUN_PUBLISHING] = run_enter_publishing,
    [RUN_MARKING] = run_enter_marking,
    [RUN_CLEANING] = run_enter_cleaning,
    [RUN_GONE] = enter_gone,
};

void run_apply(struct run *r, enum run_event e)
{
    enum run_state from = r->state, to = run_state_next(from, e);

    assert(to != RUN_NONE);
    if (to == from)
        return;
    log_event(LOG_DEBUG, "run.state", LF("run", r->claim.run_id), LF("from", run_state_name(from)),
              LF("on", run_event_name(e)), LF("to", run_state_name(to)));
    r->state = to;
    fault_pass(run_state_name(to), "entered");
    if (!r->cancel.asked || !run_heed_cancel(r))
        enter[to](r);
    if (r->state == to) /* it asked for something, that is, and waits */
        fault_pass(run_state_name(to), "asked");
}

/* --- callbacks that belong to no single state -------------------------------- */

static void on_moved(void *ctx)
{
    struct run *r = ctx;

    if (r->state == RUN_SETTLING)
        run_settle(r);
    else if (r->state == RUN_PUBLISHING && publish_log_idle(r->log))
        run_apply(r, RUN_EV_ACKED);
    else
        run_stream_moved(r);
    fault_pass("line", "acknowledged");
}

static void on_timer(void *ctx)
{
    struct run *r = ctx;

    if (r->state == RUN_BOOTING)
        run_enter_booting(r);
    else if (r->state == RUN_STREAMING)
        run_watch_timer(r);
    else if (r->state == RUN_CANCELLING)
        run_cancel_timer(r);
}

/* --- life -------------------------------------------------------------------- */

static struct event_run about(const struct run_request *q)
{
    return (struct event_run){.tenant = q->tenant,
                              .run_id = q->run_id,
                              .batch_id = q->batch_id,
                              .custom_id = q->custom_id,
                              .traceparent = q->traceparent,
                              .created_ms = q->created_ms};
}

enum err_code run_new(const struct run_host *host, struct claim *claim, bool resumed,
                      struct run **out, struct err *err)
{
    struct run *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(err, ERR_NOMEM, "run %s", claim->run_id);
    *r = (struct run){.host = host, .resumed = resumed, .reattach = resumed};
    r->tail = BUF_INIT(RUN_TAIL_ROOM - 1);
    r->result = BUF_INIT(CAPTURE_LINE_MAX_BYTES);
    r->facts = BUF_INIT(RUN_FACTS_MAX_BYTES);
    r->artifacts = BUF_INIT(RUN_ARTIFACTS_MAX_BYTES);
    r->terminal_data = BUF_INIT(EVENT_DATA_MAX_BYTES);

    enum err_code rc = run_request_parse(str_of(claim->request), &r->request, err);
    if (rc != ERR_OK) {
        free(r);
        return rc;
    }
    r->about = about(&r->request);
    r->timer = timer_new(host->loop, on_timer, r);
    r->log = publish_log_new(host->hub, &r->about, on_moved, r);
    if (!r->timer || !r->log) {
        run_free(r);
        return err_set(err, ERR_NOMEM, "run %s", claim->run_id);
    }
    r->claim = *claim;
    free(claim->request); /* parsed: the tree has what is needed */
    r->claim.request = claim->request = claim->terminal = NULL;
    claim->credential = NULL;
    r->sent_line = r->saved_line = r->claim.log_line;
    *out = r;
    return ERR_OK;
}

void run_start(struct run *r)
{
    log_event(LOG_INFO, r->resumed ? "run.resumed" : "run.taken", LF("run", r->claim.run_id),
              LF_INT("attempt", r->claim.attempt), LF_INT("epoch", r->claim.epoch),
              LF("lane", run_lane_name(r->claim.lane)), LF_INT("line", r->claim.log_line));
    r->state = RUN_CLAIMED;
    fault_pass(run_state_name(r->state), "entered");
    run_enter_claimed(r);
}

static void drop_handles(struct run *r)
{
    timer_free(r->timer);
    capture_free(r->capture);
    run_break_off(r);
    carry_free(r->carry);
    sandbox_free(r->sandbox);
    ledger_cancel(r->op);
    ledger_cancel(r->started_op);
    ledger_cancel(r->credential_op);
    publish_log_free(r->log);
    r->timer = NULL;
    r->capture = NULL;
    r->carry = NULL;
    r->sandbox = NULL;
    r->op = r->started_op = r->credential_op = NULL;
    r->log = NULL;
}

void run_free(struct run *r)
{
    if (!r)
        return;
    drop_handles(r);
    eviction_free(r->eviction); /* one under way keeps the run until the process ends */
    run_request_release(&r->request);
    claim_release(&r->claim);
    buf_release(&r->tail);
    buf_release(&r->result);
    buf_release(&r->facts);
    buf_release(&r->terminal_data);
    buf_release(&r->artifacts);
    buf_release(&r->transcript);
    free(r->end.stderr_tail);
    free(r);
}

static void tell_gone(void *ctx)
{
    struct run *r = ctx;
    r->host->gone(r->host->ctx, r);
}

/* What would still come back to us finds nobody. Only calls of the service are waited for:
 * cancelling the making of a sandbox would kill what the next owner, asking with the same
 * key, gets. */
static void enter_gone(struct run *r)
{
    struct err err = ERR_INIT;

    timer_stop(r->timer);
    ledger_cancel(r->op);
    ledger_cancel(r->started_op);
    ledger_cancel(r->credential_op);
    capture_free(r->capture);
    run_break_off(r);
    carry_free(r->carry);
    r->op = r->started_op = r->credential_op = NULL;
    r->capture = NULL;
    r->carry = NULL;
    if (r->calls == 0 && loop_defer(r->host->loop, tell_gone, r, &err) != ERR_OK)
        log_event(LOG_ERROR, "run.leaked", LF("run", r->claim.run_id), LF_ERR(&err));
}

bool run_answered(struct run *r)
{
    r->calls--;
    if (r->state == RUN_GONE)
        enter_gone(r);
    return r->state != RUN_GONE;
}

const char *run_id(const struct run *r)
{
    return r->claim.run_id;
}

int64_t run_epoch(const struct run *r)
{
    return r->claim.epoch;
}

enum run_lane run_lane(const struct run *r)
{
    return r->claim.lane;
}

enum run_state run_state(const struct run *r)
{
    return r->state;
}

bool run_is_starting(const struct run *r)
{
    return r->state < RUN_STREAMING;
}

size_t run_buffered(const struct run *r)
{
    return r->tail.cap + r->result.cap + r->terminal_data.cap;
}

/* --- what the worker learnt -------------------------------------------------- */

void run_lapse(struct run *r)
{
    if (r->state != RUN_GONE)
        run_apply(r, RUN_EV_LAPSED);
}

void run_confirm(struct run *r)
{
    if (r->state == RUN_GONE)
        return;
    run_apply(r, RUN_EV_CONFIRMED);
    if (r->state == RUN_SETTLING)
        run_settle(r);
}

void run_depose(struct run *r)
{
    if (r->state == RUN_GONE)
        return;
    log_event(LOG_WARN, "run.deposed", LF("run", r->claim.run_id), LF_INT("epoch", r->claim.epoch),
              LF("state", run_state_name(r->state)));
    run_apply(r, RUN_EV_DEPOSED);
}

void run_release(struct run *r)
{
    if (r->state != RUN_GONE)
        run_apply(r, RUN_EV_RELEASED);
}

/* --- for the parts ----------------------------------------------------------- */

struct ledger_run run_who(const struct run *r)
{
    return (struct ledger_run){.run_id = r->claim.run_id, .epoch = r->claim.epoch};
}

void run_say(struct run *r, enum event_type type, struct buf *data)
{
    struct err err = data->rc == ERR_OK ? ERR_INIT : (struct err){.code = data->rc};
    struct event e = {.type = type,
                      .attempt = r->claim.attempt,
                      .epoch = r->claim.epoch,
                      .n = ++r->control_n,
                      .time_ms = clock_wall_ms(),
                      .data = data->rc == ERR_OK ? buf_str(data) : STR("{}")};
    enum err_code rc = publish_event(r->log, &e, &err);

    if (rc != ERR_OK)
        log_event(LOG_ERROR, "run.event_lost", LF("run", r->claim.run_id),
                  LF("type", event_type_name(type)), LF_ERR(&err));
}

void run_end_with(struct run *r, enum outcome o, const char *reason, int64_t hold_ms)
{
    r->end.outcome = o;
    r->end.hold_ms = hold_ms;
    snprintf(r->end.reason, sizeof(r->end.reason), "%s", reason ? reason : "");
}

void run_saved(struct run *r, bool held, const struct err *e)
{
    r->op = NULL;
    if (held) {
        run_apply(r, RUN_EV_SAVED);
        return;
    }
    if (e->code != ERR_OK)
        log_event(LOG_ERROR, "ledger.refused", LF("run", r->claim.run_id),
                  LF("state", run_state_name(r->state)), LF_ERR(e));
    run_depose(r); /* whoever finds the row next goes on from the last step that is in it */
}

void run_flow_changed(struct run *r)
{
    run_stream_moved(r);
}

bool run_position_due(const struct run *r, struct publish_position *out)
{
    if (r->state != RUN_STREAMING && r->state != RUN_STARTING && r->state != RUN_COLLECTING &&
        r->state != RUN_CANCELLING && r->state != RUN_SETTLING)
        return false;
    *out = publish_log_position(r->log);
    return out->line > r->saved_line;
}

void run_position_saved(struct run *r, int64_t line)
{
    if (line > r->saved_line)
        r->saved_line = line;
}
