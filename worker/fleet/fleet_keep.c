/* SPDX-License-Identifier: Apache-2.0 */
/* One worker of all leads: it fills the warm pool, sends the janitor round and sweeps the store.
 * Who that is, a lock of the ledger's says; it is the connection's, so that it ends with the
 * worker. */
#include "common/log.h"
#include "worker/fleet/fleet_internal.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

static void set_leading(struct fleet *f, bool leads)
{
    if (leads == f->leads)
        return;
    f->leads = leads;
    log_event(LOG_INFO, leads ? "worker.leads" : "worker.leads_no_more",
              LF("worker", f->worker_id));
    pool_lead(f->pool, leads);
    janitor_lead(f->janitor, leads);
    sweep_lead(f->sweep, leads);
}

static void on_lead(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;
    const char *got = e->code == ERR_OK ? pg_text(res, 0, 0) : NULL;

    f->asked_to_lead = false;
    if (got && *got == 't' && !f->stopping)
        set_leading(f, true);
}

static void apply_to_lead(struct fleet *f)
{
    struct pg_cmd cmd = {.sql = sandbox_sql_lead};
    struct err err = ERR_INIT;

    if (!f->asked_to_lead)
        f->asked_to_lead = ledger_send(f->ledger, &cmd, on_lead, f, &err) == ERR_OK;
}

/* A leader that keeps no pool still clears away what an earlier one had begun to make. */
void fleet_keep(struct fleet *f)
{
    timer_start(f->keep, f->pool_targets.n > 0 || !f->leads ? FLEET_KEEP_MS : f->set->janitor_ms);
    if (!f->ready || f->stopping)
        return;
    if (f->leads)
        pool_look(f->pool);
    else
        apply_to_lead(f);
}

void fleet_lead_no_more(struct fleet *f, bool connected)
{
    struct pg_cmd cmd = {.sql = "SELECT pg_advisory_unlock_all()"};
    struct err err = ERR_INIT;

    if (f->leads && connected)
        (void)!ledger_send(f->ledger, &cmd, ignore, NULL, &err);
    f->asked_to_lead = false;
    set_leading(f, false);
    if (!f->stopping)
        timer_start(f->keep, FLEET_KEEP_MS);
}
