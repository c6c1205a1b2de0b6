/* SPDX-License-Identifier: Apache-2.0 */
/* Behind the end: MARKING and CLEANING. What does not get through here is done by others, the
 * outbox and the janitor: the ledger says already what is owed. */
#include "common/fault.h"
#include "common/log.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

/* Marked or not: it may be published again, which changes nothing. */
static void on_marked(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    (void)held, (void)e;
    r->op = NULL;
    run_apply(r, RUN_EV_SAVED);
}

void run_enter_marking(struct run *r)
{
    r->op = ledger_set_published(r->host->ledger, run_who(r), on_marked, r);
    if (!r->op)
        run_apply(r, RUN_EV_SAVED);
}

static void on_freed(void *ctx, bool held, const struct err *e)
{
    struct run *r = ctx;

    (void)held, (void)e;
    r->op = NULL;
    run_apply(r, RUN_EV_FREED);
}

static void killed(struct run *r, const struct err *e)
{
    if (e->code == ERR_OK)
        r->op = sandbox_row_freed(r->host->ledger, r->place.key, on_freed, r);
    else
        log_event(LOG_WARN, "sandbox.not_killed", LF("run", r->claim.run_id),
                  LF("sandbox", r->place.sandbox_id), LF_ERR(e),
                  LF("next", "the janitor tries again"));
    if (!r->op)
        run_apply(r, RUN_EV_FREED);
}

static void on_killed(void *ctx, const struct err *e)
{
    fault_pass("kill", "answered");
    if (run_answered(ctx))
        killed(ctx, e);
}

/* The slot is free when the sandbox is gone: another one would find the service's cap reached. */
void run_enter_cleaning(struct run *r)
{
    struct err err = ERR_INIT;

    if (r->asked && !r->parked) /* what the service still makes must not outlive us */
        return;
    if (r->parked || r->place.sandbox_id[0] == '\0')
        run_apply(r, RUN_EV_FREED);
    else if (sandbox_kill(r->host->sandboxes, r->place.sandbox_id, on_killed, r, &err) == ERR_OK)
        r->calls++;
    else
        killed(r, &err);
}
