/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the ledger: what is asked first, and what its loss means. */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "schema/cancel.h"
#include "schema/migrate.h"
#include "worker/fleet/fleet_internal.h"
#include "worker/sandbox/sandbox_sql.h"
#include "common/banned.h"

enum { STATEMENT_LEAST_MS = 5000 };

static void ignore(void *ctx, PGresult *res, const struct err *e)
{
    (void)ctx, (void)res, (void)e;
}

static void on_installation(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;

    if (e->code != ERR_OK && err_action(e->code) == ERR_DO_RETRY)
        return; /* the connection comes up again */
    if (e->code != ERR_OK || PQntuples(res) != 1) {
        struct err none = *e;
        if (e->code == ERR_OK)
            (void)err_set(&none, ERR_CONFIG, "ledger.installation has no row");
        fleet_fatal(f, "ledger.schema", &none);
        return;
    }
    snprintf(f->ledger_id, sizeof(f->ledger_id), "%s", pg_text(res, 0, 0));
    f->judged = true;
    f->reconcile = f->ready;
    fleet_beat(f);
}

static void ask_installation(struct fleet *f)
{
    struct pg_cmd cmd = {.sql = sandbox_sql_installation};
    struct err err = ERR_INIT;

    (void)!ledger_send(f->ledger, &cmd, on_installation, f, &err);
}

static void on_version(void *ctx, PGresult *res, const struct err *e)
{
    struct fleet *f = ctx;
    struct err err = ERR_INIT;

    if (e->code != ERR_OK && err_action(e->code) == ERR_DO_RETRY)
        return; /* the connection comes up again */
    if (e->code != ERR_OK)
        fleet_fatal(f, "ledger.schema", e);
    else if (migrate_judge(pg_int(res, 0, 0), &err) != ERR_OK)
        fleet_fatal(f, "ledger.schema", &err);
    else
        ask_installation(f);
}

static void on_up(void *ctx)
{
    struct fleet *f = ctx;
    struct pg_cmd version = {.sql = migrate_version_sql}, due = {.sql = "LISTEN ledger_due"},
                  cancel = {.sql = "LISTEN " CANCEL_CHANNEL};
    struct err err = ERR_INIT;

    log_event(LOG_INFO, "ledger.up");
    if (ledger_send(f->ledger, &due, ignore, NULL, &err) == ERR_OK &&
        ledger_send(f->ledger, &cancel, ignore, NULL, &err) == ERR_OK)
        (void)!ledger_send(f->ledger, &version, on_version, f, &err);
}

static void on_down(void *ctx, const struct err *e)
{
    fleet_lead_no_more(ctx, false);
    log_event(LOG_WARN, "ledger.down", LF_ERR(e),
              LF("next", "check that Postgres runs and --database names it; trying again"));
}

static void on_notify(void *ctx, const char *channel, const char *payload)
{
    struct fleet *f = ctx;

    if (strcmp(channel, CANCEL_CHANNEL) == 0) {
        fleet_look_cancels(f);
        return;
    }
    if (f->ready && !f->stopping)
        timer_start(f->tick, 0);
    if (strcmp(payload, "left") == 0) /* and may have left terminals unpublished */
        fleet_work_outbox(f);
}

enum err_code fleet_open_ledger(struct fleet *f, struct err *err)
{
    static const struct pg_events events = {.up = on_up, .down = on_down, .notify = on_notify};
    struct ledger_opts opts = {.conninfo = f->set->database,
                               .worker_id = f->worker_id,
                               .statement_ms = f->set->lease_ms > STATEMENT_LEAST_MS
                                                   ? f->set->lease_ms
                                                   : STATEMENT_LEAST_MS,
                               .events = &events,
                               .ctx = f};
    return ledger_new(f->loop, &opts, &f->ledger, err);
}
