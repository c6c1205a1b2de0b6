/* SPDX-License-Identifier: Apache-2.0 */
/* The working directory: FILLING before the agent starts, COLLECTING behind its end. */
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/log.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

/* --- filling ------------------------------------------------------------------ */

static enum outcome outcome_of_fill(enum fill_end end, const struct err *e)
{
    switch (end) {
    case FILL_REFUSED:
        return OUTCOME_INVALID;
    case FILL_SOURCE:
        return OUTCOME_WORKSPACE_FAILED;
    case FILL_DONE:
    case FILL_SANDBOX:
        break;
    }
    return outcome_of_error(e);
}

/* What a server or a program there said is in the reason. */
static void fill_failed(struct run *r, enum fill_end end, const struct err *e)
{
    struct err masked = *e;

    (void)redactor_cut(r->host->redactor, masked.msg, strlen(masked.msg), 0);
    log_event(LOG_WARN, "workspace.failed", LF("run", r->claim.run_id), LF_ERR(&masked));
    if (e->code == ERR_GONE && run_may_publish(r))
        run_say_sandbox(r, EVENT_SANDBOX_LOST, "gone");
    run_end_with(r, outcome_of_fill(end, e), masked.msg, e->retry_ms);
    run_apply(r, RUN_EV_ENDED);
}

static void on_filled(void *ctx, enum fill_end end, const struct err *e)
{
    struct run *r = ctx;

    r->fill = NULL;
    if (end == FILL_DONE)
        run_apply(r, RUN_EV_FILLED);
    else
        fill_failed(r, end, e);
}

void run_enter_filling(struct run *r)
{
    const struct fill_want want = {.request = &r->request,
                                   .run_id = r->claim.run_id,
                                   .attempt = r->claim.attempt,
                                   .epoch = r->claim.epoch};
    struct err err = ERR_INIT;

    if (r->made)
        run_say_sandbox(r, EVENT_SANDBOX_CREATED, NULL);
    r->made = false;
    if (!fill_applies(&r->request))
        run_apply(r, RUN_EV_FILLED);
    else if (fill_start(r->host->fetch, r->sandbox, &want, on_filled, r, &r->fill, &err) != ERR_OK)
        fill_failed(r, FILL_SANDBOX, &err);
}

/* --- collecting ----------------------------------------------------------------- */

enum { DATA_MAX_BYTES = 8192 };

static void put_artifact(struct buf *b, const struct artifact *a)
{
    buf_addc(b, '{');
    json_kv(b, "name", a->name);
    json_kv_int(b, "bytes", a->bytes);
    json_kv(b, "sha256", a->sha256);
    json_kv(b, "location", a->location);
    if (a->files > 0)
        json_kv_int(b, "files", a->files);
    if (a->masked > 0)
        json_kv_int(b, "masked", (int64_t)a->masked);
    buf_addc(b, '}');
}

static void on_artifact(void *ctx, const struct artifact *a)
{
    struct run *r = ctx;
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    put_artifact(&data, a);
    log_event(LOG_INFO, "artifact.stored", LF("run", r->claim.run_id), LF("name", a->name),
              LF_INT("bytes", a->bytes));
    if (!run_may_publish(r) || data.rc != ERR_OK)
        return;
    if (r->artifacts.len > 0)
        buf_addc(&r->artifacts, ',');
    buf_addstr(&r->artifacts, buf_str(&data));
    run_say(r, EVENT_ARTIFACT_STORED, &data);
}

/* The run's verdict stands: it is the agent's. */
static void on_no_artifact(void *ctx, const char *name, const struct err *e)
{
    struct run *r = ctx;
    struct err masked = *e;
    AUTO_BUF data = BUF_INIT(DATA_MAX_BYTES);

    (void)redactor_cut(r->host->redactor, masked.msg, strlen(masked.msg), 0);
    log_event(LOG_WARN, "artifact.not_stored", LF("run", r->claim.run_id), LF("name", name),
              LF_ERR(&masked));
    buf_addc(&data, '{');
    json_kv(&data, "reason", "artifact_not_stored");
    json_kv(&data, "artifact", name);
    json_kv(&data, "message", masked.msg);
    json_kv_int(&data, "elapsed_s", run_elapsed_ms(r) / 1000);
    buf_addc(&data, '}');
    if (run_may_publish(r))
        run_say(r, EVENT_RUN_WARNING, &data);
}

/* Without a lease nothing follows: it lapses, and the next owner does it again. */
static void on_collected(void *ctx)
{
    struct run *r = ctx;

    r->collect = NULL;
    if (run_may_publish(r))
        run_apply(r, RUN_EV_COLLECTED);
}

/* The raw output is kept when it was asked for, or when events do not tell all of it. */
static bool wants_output(const struct run *r)
{
    return run_wants_output(&r->request) || (r->shortened && r->host->artifacts);
}

void run_enter_collecting(struct run *r)
{
    static const struct collect_events ev = {
        .stored = on_artifact, .failed = on_no_artifact, .done = on_collected};
    const struct collect_want want = {.request = &r->request,
                                      .run_id = r->claim.run_id,
                                      .attempt = r->claim.attempt,
                                      .epoch = r->claim.epoch,
                                      .output = wants_output(r),
                                      .output_bytes = r->end.bytes,
                                      .redactor = r->host->redactor};
    struct err err = ERR_INIT;

    buf_clear(&r->artifacts);
    timer_stop(r->timer);
    if (!r->end.exited || !(run_globs_of(&r->request) || want.output)) {
        run_apply(r, RUN_EV_COLLECTED);
        return;
    }
    run_live_for(r, COLLECT_MAX_MS + (int64_t)RUN_BACKSTOP_S * 1000);
    if (collect_start(r->host->artifacts, r->sandbox, &want, &ev, r, &r->collect, &err) != ERR_OK) {
        on_no_artifact(r, "all", &err);
        run_apply(r, RUN_EV_COLLECTED);
    }
}
