/* SPDX-License-Identifier: Apache-2.0 */
/* The working directory: FILLING before the agent starts, COLLECTING behind its end. */
#include <string.h>

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

    (void)secret_mask(masked.msg, strlen(masked.msg), r->host->secrets, r->host->n_secrets);
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

void run_enter_collecting(struct run *r)
{
    run_apply(r, RUN_EV_COLLECTED);
}
