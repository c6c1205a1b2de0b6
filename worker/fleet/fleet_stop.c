/* SPDX-License-Identifier: Apache-2.0 */
/* The ways out: a drain, a second signal, a failure for good. */
#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "worker/seen/seen.h"
#include "common/banned.h"

static void on_left(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;

    (void)res;
    if (e->code != ERR_OK)
        log_event(LOG_WARN, "worker.not_released", LF_ERR(e),
                  LF("next", "others take the runs over when the lease ends"));
    loop_stop(f->loop);
}

/* One whose end is written needs nobody but the janitor any more. */
static int64_t hand_over(struct fleet *f)
{
    int64_t n = 0;

    for (size_t i = 0; i < f->n_runs; i++) {
        struct run *r = f->runs[i];
        if (fleet_owns(r)) {
            log_event(LOG_INFO, "run.handed_over", LF("run", run_id(r)),
                      LF("state", run_state_name(run_state(r))), LF_INT("epoch", run_epoch(r)));
            n++;
        }
        run_release(r);
    }
    return n;
}

/* What runs goes on without us: the claims are anybody's, at once. */
static void leave(struct fleet *f)
{
    struct err err = ERR_INIT;

    f->finishing = f->stopping = true;
    int64_t n = hand_over(f);
    log_event(LOG_INFO, "worker.leaving", LF("worker", f->worker_id), LF_INT("runs_released", n));
    seen_add(SEEN_HANDED_OVER, 0, (double)n);
    timer_start(f->drain, FLEET_LEAVE_MS);
    if (!f->ready || ledger_leave(f->ledger, on_left, f, &err) != ERR_OK)
        loop_stop(f->loop);
}

void fleet_fatal(struct fleet *f, const char *what, const struct err *e)
{
    log_event(LOG_ERROR, what, LF_ERR(e));
    if (f->exit_status == 0)
        f->exit_status = err_exit_status(e->code);
    if (!f->finishing)
        leave(f);
}

/* The runs wait for a worker with a key that is good; to go on would drain the queue. */
void fleet_service_refused(void *ctx, const struct err *e)
{
    struct fleet *f = ctx;

    if (!f->finishing)
        fleet_fatal(f, "sandboxes.refused", e);
}

/* Whoever goes on does so at the first line that was not acknowledged. */
void fleet_publish_failed(void *ctx, const struct err *e)
{
    struct fleet *f = ctx;

    f->exit_status = err_exit_status(ERR_INTERNAL);
    if (f->finishing) /* a dead producer tells it of each record under way */
        return;
    fleet_fatal(f, "events.failed", e);
}

void fleet_finish(struct fleet *f)
{
    if (f->finishing) { /* the ledger did not answer */
        loop_stop(f->loop);
        return;
    }
    publish_hub_flush(f->hub, FLEET_FLUSH_MS);
    f->saving = false;
    if (!f->muted)
        fleet_save_positions(f);
    leave(f);
}

void fleet_stop(struct fleet *f, int count)
{
    timer_stop(f->keep);
    f->stopping = true;
    fleet_lead_no_more(f, true);
    if (count > 1 || !f->ready || fleet_active(f) == 0) {
        intake_stop(f->intake);
        fleet_finish(f);
        return;
    }
    log_event(LOG_INFO, "worker.draining", LF_INT("runs", fleet_active(f)),
              LF_INT("ms", f->set->drain_ms));
    intake_stop(f->intake);
    timer_start(f->drain, f->set->drain_ms);
}
