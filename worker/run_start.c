/* SPDX-License-Identifier: Apache-2.0 */
/* From the claim to the agent's start: CLAIMED, BOOTING, OWNING, STARTING. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/backoff.h"
#include "common/log.h"
#include "worker/claude_args.h"
#include "worker/run_internal.h"
#include "common/banned.h"

enum { DATA_MAX_BYTES = 8192, TAKEOVERS_MAX = 20 /* of a run, in all */ };
enum { OPEN_TRIES = 20, OPEN_BASE_MS = 500, OPEN_CAP_MS = 30000 };

/* --- claimed ----------------------------------------------------------------- */

static bool refuse(struct run *r, enum outcome o, const char *reason)
{
    run_end_with(r, o, reason, 0);
    r->refused = true;
    return true;
}

/* Does it end without an agent? A run that took its workers down with it, again and again,
 * does: its takings were counted before the work began (ledger_sql_take_over). Each taking
 * raises the epoch, and each that begins an attempt the attempt, too: the rest are take-overs. */
static bool refused(struct run *r)
{
    const struct run_request *q = &r->request;

    if (!r->claim.started && q->expires_ms > 0 && clock_wall_ms() >= q->expires_ms)
        return refuse(r, OUTCOME_EXPIRED, "expires_at has passed");
    if (strcmp(q->credential, "default") != 0)
        return refuse(r, OUTCOME_CREDENTIAL_NOT_FOUND, "this fleet has no such credential");
    if (r->claim.failures >= q->max_attempts)
        return refuse(r, OUTCOME_INTERNAL, "worker_lost: no worker got as far as its start");
    if (r->claim.epoch - r->claim.attempt > TAKEOVERS_MAX)
        return refuse(r, OUTCOME_INTERNAL, "worker_lost: too many workers were lost under it");
    return false;
}

static void say_starting(struct run *r)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    buf_addc(&data, '{');
    json_kv(&data, "worker", r->host->worker_id);
    if (r->resumed) {
        json_kv_int(&data, "line", r->claim.log_line);
    } else {
        json_kv(&data, "lane", run_lane_name(r->claim.lane));
        json_kv(&data, "template", r->request.template);
        json_kv(&data, "model", r->request.model);
    }
    buf_addc(&data, '}');
    run_say(r, r->resumed ? EVENT_RUN_RESUMED : EVENT_ATTEMPT_STARTING, &data);
}

void run_enter_claimed(struct run *r)
{
    if (refused(r)) {
        run_apply(r, RUN_EV_REFUSED);
        return;
    }
    say_starting(r);
    run_apply(r, RUN_EV_GO);
}

/* --- booting ----------------------------------------------------------------- */

static void say_sandbox(struct run *r, enum event_type type, const char *id)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    buf_addc(&data, '{');
    json_kv(&data, "sandbox_id", id);
    json_kv(&data, "template", r->request.template);
    buf_addc(&data, '}');
    run_say(r, type, &data);
}

static void on_ready(void *ctx, struct sandbox *sb)
{
    struct run *r = ctx;

    if (!run_answered(r)) { /* deposed meanwhile: it is the next owner's */
        sandbox_free(sb);
        return;
    }
    sandbox_free(r->sandbox);
    r->sandbox = sb;
    r->tries = 0;
    r->made = r->claim.sandbox_id[0] == '\0' && r->claim.session_sandbox[0] == '\0';
    snprintf(r->claim.sandbox_id, sizeof(r->claim.sandbox_id), "%s", sandbox_id(sb));
    run_apply(r, RUN_EV_SANDBOX);
}

/* The session's sandbox is gone, and with it the conversation: a new one begins. */
static void start_over(struct run *r)
{
    log_event(LOG_WARN, "session.lost", LF("run", r->claim.run_id),
              LF("sandbox", r->claim.session_sandbox));
    say_sandbox(r, EVENT_SANDBOX_LOST, r->claim.session_sandbox);
    r->claim.session_sandbox[0] = r->claim.claude_session[0] = '\0';
    run_enter_booting(r);
}

/* An agent may be at work in it: the service's trouble is no reason to give it up. */
static bool try_again(struct run *r, const struct err *e)
{
    struct backoff b = BACKOFF_INIT(OPEN_BASE_MS, OPEN_CAP_MS);

    if (e->code == ERR_GONE || err_action(e->code) != ERR_DO_RETRY || r->tries >= OPEN_TRIES)
        return false;
    b.tries = (unsigned)r->tries++;
    int64_t delay = backoff_next_ms(&b);
    timer_start(r->timer, delay > e->retry_ms ? delay : e->retry_ms);
    return true;
}

static void boot_failed(struct run *r, const struct err *e)
{
    bool own = r->claim.sandbox_id[0] != '\0';

    log_event(LOG_WARN, "sandbox.failed", LF("run", r->claim.run_id), LF_ERR(e));
    if (e->code == ERR_GONE && !own && r->claim.session_sandbox[0]) {
        start_over(r);
        return;
    }
    if (own && try_again(r, e))
        return;
    if (e->code == ERR_GONE && own) {
        say_sandbox(r, EVENT_SANDBOX_LOST, r->claim.sandbox_id);
        run_end_with(r, OUTCOME_SANDBOX_LOST, e->msg, 0);
    } else if (e->code == ERR_UNAVAILABLE && !own) {
        /* The service is away, which is no run's fault: a queue must not drain into failures. */
        run_end_with(r, OUTCOME_SANDBOX_CAPACITY, e->msg, e->retry_ms);
    } else {
        run_end_with(r, outcome_of_error(e), e->msg, e->retry_ms);
    }
    run_apply(r, RUN_EV_ENDED);
}

static void on_boot_failed(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (run_answered(r))
        boot_failed(r, e);
}

/* Whose sandbox: the one this run already owns, its session's parked one, or a new one. */
void run_enter_booting(struct run *r)
{
    static const struct sandbox_events events = {.ready = on_ready, .failed = on_boot_failed};
    const char *id = r->claim.sandbox_id[0] ? r->claim.sandbox_id : r->claim.session_sandbox;
    int64_t ttl_ms = (r->request.timeout_s + RUN_TTL_MARGIN_S) * 1000;
    struct sandbox_op *op; /* never cancelled: see enter_gone() */
    struct err err = ERR_INIT;
    enum err_code rc;

    if (id[0]) {
        rc = sandbox_open(r->host->sandboxes, id, ttl_ms, &events, r, &op, &err);
    } else {
        struct sandbox_want want = {.template = r->request.template,
                                    .ttl_ms = ttl_ms,
                                    .run_id = r->claim.run_id,
                                    .attempt = r->claim.attempt,
                                    .tenant = r->request.tenant};
        rc = sandbox_create(r->host->sandboxes, &want, &events, r, &op, &err);
    }
    if (rc == ERR_OK)
        r->calls++;
    else
        boot_failed(r, &err);
}

/* --- owning ------------------------------------------------------------------ */

static void on_owned(void *ctx, bool held, const struct err *e)
{
    run_saved(ctx, held, e);
}

void run_enter_owning(struct run *r)
{
    r->op = ledger_set_sandbox(r->host->ledger, run_who(r), r->claim.sandbox_id, on_owned, r);
    if (!r->op) {
        run_end_with(r, OUTCOME_INTERNAL, "out of memory", 0);
        run_apply(r, RUN_EV_ENDED);
    }
}

/* --- starting ---------------------------------------------------------------- */

/* The conversation lives in the session's sandbox only. */
static const char *conversation(const struct run *r)
{
    bool there = strcmp(r->claim.sandbox_id, r->claim.session_sandbox) == 0;
    return there && r->claim.claude_session[0] ? r->claim.claude_session : NULL;
}

static enum err_code start_capture(struct run *r, struct err *err)
{
    const struct run_host *h = r->host;
    struct claude_want want = {.request = &r->request,
                               .attempt = r->claim.attempt,
                               .resume = conversation(r),
                               .base_url = h->base_url};
    AUTO(claude_args_release) struct claude_args a = {0};
    enum err_code rc = claude_args_make(&want, &a, err);
    if (rc != ERR_OK)
        return rc;

    /* Always from the file's beginning: what earlier lines told (cost, verdict, tail) is
     * not in the ledger. Lines that were published are read, but not published again. */
    struct capture_spec spec = {.run_id = r->claim.run_id,
                                .attempt = r->claim.attempt,
                                .prompt = str_of(r->request.prompt),
                                .args = (const char *const *)a.args,
                                .env = (const char *const *)a.env,
                                .credential_env = h->credential ? h->credential_env : NULL,
                                .credential = h->credential,
                                .working_dir = r->request.working_dir,
                                .timeout_s = r->request.timeout_s,
                                .resume = r->reattach};
    return capture_start(r->sandbox, &spec, &run_capture_events, r, &r->capture, err);
}

void run_enter_starting(struct run *r)
{
    struct err err = ERR_INIT;

    if (r->made)
        say_sandbox(r, EVENT_SANDBOX_CREATED, r->claim.sandbox_id);
    r->made = false;
    run_stream_reset(r);
    if (start_capture(r, &err) != ERR_OK) {
        run_end_with(r, outcome_of_error(&err), err.msg, 0);
        run_apply(r, RUN_EV_ENDED);
    }
    r->reattach = true;
}
