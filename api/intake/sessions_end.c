/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of a session and of a sandbox. The ledger's rows say what is to be, and the worker that
 * leads does it: what is past its time is killed, a dead transcript is removed. */
#include "api/api_internal.h"
#include "api/intake/handlers.h"
#include "api/reads/reads.h"
#include "common/banned.h"

/* $1 tenant $2 session. Is there one; has it a run that has not ended, and so nothing was done. */
static const char forget_sql[] =
    "WITH open AS MATERIALIZED (SELECT FROM ledger.claims WHERE tenant = $1 AND session_id = $2"
    " AND state IN ('waiting', 'running') UNION ALL SELECT FROM fleet.sessions WHERE tenant = $1"
    " AND session_id = $2 AND open_runs > 0),"
    " known AS MATERIALIZED (SELECT FROM ledger.sessions WHERE tenant = $1 AND session_id = $2"
    " UNION ALL SELECT FROM fleet.sessions WHERE tenant = $1 AND session_id = $2),"
    " forgotten AS (DELETE FROM ledger.sessions WHERE tenant = $1 AND session_id = $2"
    " AND NOT EXISTS (TABLE open)),"
    " removed AS (UPDATE ledger.transcripts SET state = 'dead', since = clock_timestamp()"
    " WHERE tenant = $1 AND session_id = $2 AND state = 'kept' AND NOT EXISTS (TABLE open)),"
    " killed AS (UPDATE ledger.sandboxes SET until = clock_timestamp() WHERE tenant = $1"
    " AND session_id = $2 AND state IN ('parked', 'paused') AND until > clock_timestamp()"
    " AND NOT EXISTS (TABLE open))"
    " SELECT EXISTS (TABLE known), EXISTS (TABLE open)";

/* $1 tenant $2 sandbox. Has a run it; is it known to those who read. */
static const char terminate_sql[] =
    "WITH killed AS (UPDATE ledger.sandboxes SET until = least(until, clock_timestamp())"
    " WHERE tenant = $1 AND sandbox_id = $2 AND state IN ('parked', 'paused') RETURNING true)"
    " SELECT EXISTS (SELECT FROM ledger.sandboxes WHERE tenant = $1 AND sandbox_id = $2"
    " AND state IN ('creating', 'busy', 'lost')) AND NOT EXISTS (TABLE killed),"
    " EXISTS (SELECT FROM fleet.sandboxes WHERE tenant = $1 AND sandbox_id = $2)";

static bool is_true(const PGresult *res, int col)
{
    const char *text = pg_text(res, 0, col);

    return text && text[0] == 't';
}

static void on_forgotten(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;

    (void)e;
    if (!is_true(res, 0))
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such session");
    else if (is_true(res, 1))
        call_problem(c, PROBLEM_SESSION_BUSY,
                     "a run of it has not ended: wait for it, or cancel it");
    else
        call_empty(c, 204);
}

static void on_terminated(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;

    (void)e;
    if (is_true(res, 0)) {
        call_problem(c, PROBLEM_SANDBOX_BUSY, "a run has it: cancel that, with force if need be");
    } else if (is_true(res, 1)) {
        c->ok_status = 202;
        sandbox_get(c);
    } else {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such sandbox");
    }
}

static void ask(struct call *c, const char *sql, pg_fn fn)
{
    static const char *const none[] = {NULL};
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {c->who.tenant, c->param[0].p}};

    if (call_params(c, none))
        call_query(c, &cmd, fn);
}

void session_delete(struct call *c)
{
    ask(c, forget_sql, on_forgotten);
}

void sandbox_delete(struct call *c)
{
    ask(c, terminate_sql, on_terminated);
}
