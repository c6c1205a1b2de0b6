/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that somebody wants to end: of ours we are told by a notification, and, as one may be
 * lost, looked for at every tick; those that wait, nobody's, are ended in the ledger by whoever
 * comes first. */
#include "worker/fleet/fleet_internal.h"
#include "common/banned.h"

/* What became somebody else's meanwhile is his to end: he finds the same row. */
static void on_cancelled(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;

    f->looking_for_cancels = false;
    if (e->code != ERR_OK || f->muted)
        return;
    for (int row = 0; row < PQntuples(res); row++) {
        const char *id = pg_text(res, row, 0), *force = pg_text(res, row, 2);
        struct run *r = id ? fleet_find(f, id, pg_int(res, row, 1)) : NULL;
        const char *by_run = pg_text(res, row, 4);

        if (r && by_run)
            run_interrupt(r, by_run);
        else if (r)
            run_cancel(r, force && *force == 't', pg_text(res, row, 3));
    }
}

void fleet_look_cancels(struct fleet *f)
{
    struct err err = ERR_INIT;

    if (!f->ready || f->muted || f->finishing)
        return;
    fleet_end_waiting(f);
    if (!f->looking_for_cancels && f->n_runs > 0)
        f->looking_for_cancels = ledger_cancelled(f->ledger, on_cancelled, f, &err) == ERR_OK;
}
