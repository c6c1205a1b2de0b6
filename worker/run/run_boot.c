/* SPDX-License-Identifier: Apache-2.0 */
/* The run's sandbox, from the ledger's word on which one it is to the moment when an agent may
 * start in it: PLACING, BOOTING, OWNING, UPDATING; and its keeping alive. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/sandbox/eviction.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

enum {
    DATA_MAX_BYTES = 8192,
    OPEN_TRIES = 20,
    OPEN_BASE_MS = 500,
    OPEN_CAP_MS = 30000,
    ROOM_TRIES = 5,     /* the service counts an evicted sandbox for a while… */
    ROOM_WAIT_MS = 200, /* …doubled from try to try */
    EVICTIONS_MAX = 3,
    KEEP_AGAIN_MS = 30 * 1000
};

/* --- placing ----------------------------------------------------------------- */

static void on_placed(void *ctx, const PGresult *res, const struct err *e)
{
    struct run *r = ctx;

    if (res) {
        sandbox_row_place_read(res, &r->place);
        r->placed_ms = clock_boot_ms();
        r->busy_ms = r->place.busy ? r->placed_ms - r->place.state_ms : 0;
        r->op = NULL;
        run_bring(r);
        return;
    }
    run_saved(r, false, e);
}

static void place(struct run *r)
{
    char key[SANDBOX_KEY_TEXT];

    snprintf(key, sizeof(key), "%s-%" PRId64, r->claim.run_id, r->claim.attempt);
    r->op = sandbox_row_place(r->host->ledger, run_who(r), r->request.template, key, on_placed, r);
    if (!r->op)
        run_depose(r);
}

static void on_given_up(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    if (!held) {
        run_saved(r, held, e);
        return;
    }
    r->op = NULL;
    r->place = (struct sandbox_place){0};
    place(r);
}

/* One that is gone is given up first. */
void run_enter_placing(struct run *r)
{
    if (r->place.key[0] == '\0') {
        place(r);
        return;
    }
    r->op = sandbox_row_give_up(r->host->ledger, run_who(r), r->place.key, on_given_up, r);
    if (!r->op)
        run_depose(r);
}

/* --- booting ----------------------------------------------------------------- */

void run_say_sandbox(struct run *r, enum event_type type, const char *reason)
{
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    run_data_sandbox(r, reason, &data);
    run_say(r, type, &data);
}

static int64_t ttl_ms(const struct run *r)
{
    return (r->request.timeout_s + RUN_TTL_MARGIN_S) * 1000;
}

/* The run was cancelled while it waited: what came is for the end that follows. */
static bool too_late(struct run *r)
{
    r->asked = false;
    if (r->state == RUN_BOOTING)
        return false;
    if (r->state == RUN_CLEANING)
        run_enter_cleaning(r);
    return true;
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
    r->made = !r->place.busy;
    snprintf(r->place.sandbox_id, sizeof(r->place.sandbox_id), "%s", sandbox_id(sb));
    if (!too_late(r))
        run_apply(r, RUN_EV_SANDBOX);
}

/* A warm one or the session's is gone, and with it the conversation: another one is had. */
static void start_over(struct run *r)
{
    log_event(LOG_WARN, "sandbox.lost", LF("run", r->claim.run_id),
              LF("sandbox", r->place.sandbox_id));
    run_say_sandbox(r, EVENT_SANDBOX_LOST, "gone");
    run_apply(r, RUN_EV_VANISHED);
}

/* As long as its sandbox may live. */
static bool waits_for_service(const struct run *r)
{
    int64_t age_ms = r->claim.age_ms + clock_boot_ms() - r->placed_ms;
    return sandbox_service_is_down(r->host->sandboxes) && age_ms < ttl_ms(r);
}

/* An agent may be at work in it: the service's trouble is no reason to give it up. */
static bool try_again(struct run *r, const struct err *e)
{
    struct backoff b = BACKOFF_INIT(OPEN_BASE_MS, OPEN_CAP_MS);

    if (e->code == ERR_GONE || err_action(e->code) != ERR_DO_RETRY ||
        (r->tries >= OPEN_TRIES && !waits_for_service(r)))
        return false;
    b.tries = (unsigned)r->tries++;
    int64_t delay = backoff_next_ms(&b);
    timer_start(r->timer, delay > e->retry_ms ? delay : e->retry_ms);
    return true;
}

static void boot_failed(struct run *r, const struct err *e);

static void on_room(void *ctx, const struct sandbox_figures *f)
{
    struct run *r = ctx;
    struct err full = {.code = ERR_CAPACITY,
                       .msg = "all sandboxes of the plan are in use, and none of them is idle"};
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    r->eviction = NULL;
    if (!run_answered(r) || r->state != RUN_BOOTING)
        return;
    if (!f) {
        r->evictions = EVICTIONS_MAX;
        r->tries = ROOM_TRIES;
        boot_failed(r, &full);
        return;
    }
    buf_addc(&data, '{');
    json_kv(&data, "sandbox_id", f->sandbox_id);
    json_kv(&data, "was", f->state);
    json_kv(&data, "reason", "capacity");
    json_kv_int(&data, "age_ms", f->age_ms);
    json_kv_int(&data, "running_ms", f->running_ms);
    if (f->cost_usd)
        json_kv_raw(&data, "cost_usd", str_of(f->cost_usd));
    buf_addc(&data, '}');
    run_say(r, EVENT_SANDBOX_EVICTED, &data);
    run_enter_booting(r);
}

/* At the service's cap: an idle sandbox of the fleet makes room. False: there is none. */
static bool make_room(struct run *r)
{
    struct err err = ERR_INIT;

    if (r->evictions > 0 && r->tries < ROOM_TRIES) {
        timer_start(r->timer, (int64_t)ROOM_WAIT_MS << r->tries++);
        return true;
    }
    if (r->evictions >= EVICTIONS_MAX || eviction_start(r->host->ledger, r->host->sandboxes,
                                                        on_room, r, &r->eviction, &err) != ERR_OK)
        return false;
    r->evictions++;
    r->tries = 0;
    r->calls++;
    return true;
}

static void boot_failed(struct run *r, const struct err *e)
{
    bool ours = r->place.busy; /* not asked for by us just now, that is */

    log_event(LOG_WARN, "sandbox.failed", LF("run", r->claim.run_id), LF_ERR(e));
    if (e->code == ERR_UNAUTHORIZED) {
        r->host->refused(r->host->ctx, e);
        return;
    }
    if (e->code == ERR_GONE && ours && !r->reattach) {
        start_over(r);
        return;
    }
    if ((ours && r->reattach && try_again(r, e)) || (e->code == ERR_CAPACITY && make_room(r)))
        return;
    if (e->code == ERR_GONE && ours) {
        run_say_sandbox(r, EVENT_SANDBOX_LOST, "gone");
        run_end_with(r, OUTCOME_SANDBOX_LOST, e->msg, 0);
    } else if (e->code == ERR_UNAVAILABLE && !r->reattach) {
        /* The service is away, which is no run's fault: a queue must not drain into failures. */
        run_end_with(r, OUTCOME_SERVICE_DOWN, e->msg, e->retry_ms);
    } else {
        run_end_with(r, outcome_of_error(e), e->msg, e->retry_ms);
    }
    run_apply(r, RUN_EV_ENDED);
}

static void on_boot_failed(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (run_answered(r) && !too_late(r))
        boot_failed(r, e);
}

/* Calls are never cancelled: see enter_gone(). */
static enum err_code boot(struct run *r, struct err *err)
{
    static const struct sandbox_events events = {.ready = on_ready, .failed = on_boot_failed};
    struct sandbox_want want = {.template = r->request.template,
                                .ttl_ms = ttl_ms(r),
                                .key = r->place.key,
                                .ledger = r->host->life.ledger_id,
                                .run_id = r->claim.run_id,
                                .attempt = r->claim.attempt,
                                .tenant = r->request.tenant};
    struct sandbox_op *op;

    r->alive_ms = clock_boot_ms() + ttl_ms(r);
    if (r->place.sandbox_id[0])
        return sandbox_open(r->host->sandboxes, r->place.sandbox_id, want.ttl_ms, &events, r, &op,
                            err);
    return sandbox_create(r->host->sandboxes, &want, &events, r, &op, err);
}

void run_enter_booting(struct run *r)
{
    struct err err = ERR_INIT;

    r->asked = boot(r, &err) == ERR_OK;
    if (r->asked)
        r->calls++;
    else
        boot_failed(r, &err);
}

/* --- owning ------------------------------------------------------------------ */

static void on_owned(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    if (held && !r->place.busy) {
        r->place.busy = true;
        r->busy_ms = clock_boot_ms();
    }
    run_saved(r, held, e);
}

void run_enter_owning(struct run *r)
{
    struct sandbox_size size = run_sandbox_size(r);

    r->op = sandbox_row_own(r->host->ledger, run_who(r), r->place.key, r->place.sandbox_id, &size,
                            on_owned, r);
    if (!r->op) {
        run_end_with(r, OUTCOME_INTERNAL, "out of memory", 0);
        run_apply(r, RUN_EV_ENDED);
    }
}

/* --- updating ---------------------------------------------------------------- */

static void on_updated(void *ctx)
{
    struct run *r = ctx;

    r->update = NULL;
    run_apply(r, RUN_EV_UPDATED);
}

void run_enter_updating(struct run *r)
{
    if (r->made && claude_update_applies(r->host->life.update_claude, r->request.template))
        r->update = claude_update_start(r->sandbox, on_updated, r);
    if (!r->update)
        run_apply(r, RUN_EV_UPDATED);
}

/* --- what it costs ----------------------------------------------------------- */

int64_t run_sandbox_ms(const struct run *r)
{
    return r->busy_ms ? clock_boot_ms() - r->busy_ms : 0;
}

struct sandbox_size run_sandbox_size(const struct run *r)
{
    struct sandbox_size size = sandbox_sizes_of(r->host->life.sizes, r->request.template);

    if (size.usd_per_hour <= 0)
        size.usd_per_hour = r->place.usd_per_hour;
    return size;
}

static void on_info(void *ctx, const struct sandbox_info *info, const struct err *e)
{
    struct run *r = ctx;

    if (run_answered(r) && e->code == ERR_OK)
        sandbox_sizes_learn(r->host->life.sizes, r->request.template, info->cpu_count,
                            info->memory_mb);
}

/* The first sandbox of a template is looked at. */
void run_learn_size(struct run *r)
{
    struct err err = ERR_INIT;

    if (!r->looked && run_sandbox_size(r).usd_per_hour <= 0 &&
        sandbox_get(r->host->sandboxes, r->place.sandbox_id, on_info, r, &err) == ERR_OK) {
        r->looked = true;
        r->calls++;
    }
}

/* --- keeping it alive --------------------------------------------------------- */

static void on_kept_alive(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (!run_answered(r) || e->code == ERR_OK)
        return;
    log_event(LOG_WARN, "sandbox.not_extended", LF("run", r->claim.run_id),
              LF("sandbox", r->place.sandbox_id), LF_ERR(e));
    r->alive_ms = 0;
    if (r->state == RUN_STREAMING)
        timer_start(r->timer, KEEP_AGAIN_MS);
}

/* Streams do not extend a sandbox's life. It ends behind the hard limit, whenever the agent
 * started: a slow start has used up some of what the sandbox was made with. */
void run_keep_alive(struct run *r)
{
    run_live_for(r, (r->request.timeout_s + 2 * RUN_BACKSTOP_S) * 1000 - run_elapsed_ms(r));
}

void run_live_for(struct run *r, int64_t left)
{
    int64_t now = clock_boot_ms();
    struct err err = ERR_INIT;

    if (left <= 0 || r->alive_ms >= now + left)
        return;
    r->alive_ms = now + left + (int64_t)RUN_BACKSTOP_S * 1000;
    if (sandbox_set_ttl(r->host->sandboxes, r->place.sandbox_id, r->alive_ms - now, on_kept_alive,
                        r, &err) == ERR_OK)
        r->calls++;
}
