/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/cancel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "common/clock.h"
#include "common/pg/pg_once.h"
#include "schema/migrate.h"
#include "common/banned.h"

enum { LOOK_EVERY_MS = 100, IDS_MAX_BYTES = CANCEL_RUNS_MAX * (UUID_TEXT + 1) + 2 };

/* What a statement here returns of a run: its id, the claim's state, the terminal's type. */
enum column { COL_RUN, COL_STATE, COL_TYPE };

/* A batch has one row for all its runs, also for those that are not claimed yet. */
const char cancel_sql[] =
    "WITH asked AS (SELECT unnest($2::uuid[]) AS run_id UNION SELECT c.run_id FROM ledger.claims c"
    " WHERE c.tenant = $1 AND c.batch_id = $3 AND c.state <> 'ended'),"
    " found AS (SELECT a.run_id, c.state, c.terminal FROM asked a LEFT JOIN ledger.claims c"
    " ON c.run_id = a.run_id AND c.tenant = $1),"
    " told AS (INSERT INTO ledger.cancellations AS x (tenant, run_id, force, requested_by)"
    " SELECT $1, run_id, $4::bool, $5 FROM found WHERE run_id = ANY ($2::uuid[])"
    " AND state IS DISTINCT FROM 'ended' ORDER BY run_id"
    " ON CONFLICT (tenant, run_id) DO UPDATE SET force = x.force OR excluded.force),"
    " batch AS (INSERT INTO ledger.cancellations AS x (tenant, batch_id, force, requested_by)"
    " SELECT $1, $3, $4::bool, $5 WHERE $3::text IS NOT NULL"
    " ON CONFLICT (tenant, batch_id) DO UPDATE SET force = x.force OR excluded.force)"
    " SELECT run_id, state, terminal::json ->> 'type', (SELECT pg_notify('" CANCEL_CHANNEL "', $6))"
    " FROM found ORDER BY run_id";

const char cancel_batch_sql[] =
    "WITH batch AS (INSERT INTO ledger.cancellations AS x (tenant, batch_id, force, requested_by)"
    " VALUES ($1, $2, $3::bool, $4)"
    " ON CONFLICT (tenant, batch_id) DO UPDATE SET force = x.force OR excluded.force)"
    " SELECT greatest((SELECT count(*) FROM ledger.claims WHERE tenant = $1 AND batch_id = $2"
    " AND state <> 'ended'), (SELECT runs - completed - failed - timed_out - cancelled - expired"
    " FROM fleet.batches WHERE tenant = $1 AND batch_id = $2)),"
    " pg_notify('" CANCEL_CHANNEL "', '')";

/* $1 tenant $2 run ids */
static const char look_sql[] = "SELECT run_id, state, terminal::json ->> 'type' FROM ledger.claims"
                               " WHERE tenant = $1 AND run_id = ANY ($2::uuid[])";

const char *cancel_found_name(enum cancel_found f)
{
#define NAME(name, text) [CANCEL_##name] = (text),
    static const char *const names[CANCEL_FOUNDS] = {CANCEL_FOUND_MAP(NAME)};
#undef NAME
    return names[f];
}

/* --- libpq, blocking ---------------------------------------------------------- */

static enum err_code connect_to(const char *conninfo, PGconn **out, struct err *err)
{
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet cancel", out, err);

    if (rc == ERR_OK)
        rc = pg_once(*out, migrate_version_sql, 0, NULL, &res, err);
    return rc == ERR_OK ? migrate_judge(pg_int(res, 0, 0), err) : rc;
}

/* --- rows --------------------------------------------------------------------- */

void cancel_run_read(const PGresult *res, int row, struct cancel_run *out)
{
    static const char prefix[] = "sandfleet.run.";
    const char *id = pg_text(res, row, COL_RUN), *state = pg_text(res, row, COL_STATE);
    const char *type = pg_text(res, row, COL_TYPE);

    *out = (struct cancel_run){.found = CANCEL_AHEAD};
    (void)snprintf(out->run_id, sizeof(out->run_id), "%s", id ? id : "");
    if (state)
        out->found = strcmp(state, "waiting") == 0   ? CANCEL_QUEUED
                     : strcmp(state, "running") == 0 ? CANCEL_RUNNING
                                                     : CANCEL_ENDED;
    out->ended = out->found == CANCEL_ENDED;
    if (type && strncmp(type, prefix, sizeof(prefix) - 1) == 0)
        (void)snprintf(out->state, sizeof(out->state), "%s", type + sizeof(prefix) - 1);
}

static void add_id(struct buf *b, const char *id)
{
    buf_addc(b, b->len == 0 ? '{' : ',');
    buf_adds(b, id);
}

static enum err_code close_ids(struct buf *b, struct err *err)
{
    buf_adds(b, b->len == 0 ? "{}" : "}");
    return b->rc == ERR_OK ? ERR_OK : err_set(err, b->rc, "more than %d runs", CANCEL_RUNS_MAX);
}

enum err_code cancel_ask(const struct cancel_want *w, struct cancel_run **out, size_t *n,
                         struct err *err)
{
    AUTO_BUF ids = BUF_INIT(IDS_MAX_BYTES);
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;

    for (size_t i = 0; i < w->n_runs; i++)
        add_id(&ids, w->run_ids[i]);
    if (close_ids(&ids, err) != ERR_OK || connect_to(w->conninfo, &conn, err) != ERR_OK)
        return err->code;
    const char *const v[] = {w->tenant,       ids.p,
                             w->batch_id,     w->force ? "true" : "false",
                             w->requested_by, w->n_runs == 1 && !w->batch_id ? w->run_ids[0] : ""};
    if (pg_once(conn, cancel_sql, COUNTOF(v), v, &res, err) != ERR_OK)
        return err->code;
    *n = (size_t)PQntuples(res);
    *out = calloc(*n + 1, sizeof(**out));
    if (!*out)
        return err_set(err, ERR_NOMEM, "%zu runs", *n);
    for (size_t i = 0; i < *n; i++)
        cancel_run_read(res, (int)i, &(*out)[i]);
    return ERR_OK;
}

/* --- until they have ended ------------------------------------------------------ */

static bool all_ended(const struct cancel_run *runs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!runs[i].ended)
            return false;
    return true;
}

static void learn(const PGresult *res, int row, struct cancel_run *r)
{
    struct cancel_run now;

    cancel_run_read(res, row, &now);
    if (strcmp(r->run_id, now.run_id) != 0)
        return;
    r->ended = now.ended;
    memcpy(r->state, now.state, sizeof(r->state));
}

static enum err_code look(PGconn *conn, const char *tenant, struct cancel_run *runs, size_t n,
                          struct err *err)
{
    AUTO_BUF ids = BUF_INIT(IDS_MAX_BYTES);
    AUTO_RES *res = NULL;

    for (size_t i = 0; i < n; i++)
        if (!runs[i].ended)
            add_id(&ids, runs[i].run_id);
    if (close_ids(&ids, err) != ERR_OK)
        return err->code;
    const char *const v[] = {tenant, ids.p};
    if (pg_once(conn, look_sql, COUNTOF(v), v, &res, err) != ERR_OK)
        return err->code;
    for (int row = 0; row < PQntuples(res); row++)
        for (size_t i = 0; i < n; i++)
            learn(res, row, &runs[i]);
    return ERR_OK;
}

enum err_code cancel_await(const struct cancel_want *w, struct cancel_run *runs, size_t n,
                           int64_t wait_ms, struct err *err)
{
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    int64_t until = clock_boot_ms() + wait_ms;
    AUTO_CONN *conn = NULL;

    if (all_ended(runs, n))
        return ERR_OK;
    if (connect_to(w->conninfo, &conn, err) != ERR_OK)
        return err->code;
    for (;;) {
        if (look(conn, w->tenant, runs, n, err) != ERR_OK)
            return err->code;
        if (all_ended(runs, n))
            return ERR_OK;
        if (clock_boot_ms() >= until)
            return err_set(err, ERR_TIMEOUT, "not all runs have ended");
        (void)nanosleep(&pause, NULL);
    }
}
