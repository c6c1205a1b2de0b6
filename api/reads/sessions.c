/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and sandboxes, read. */
#include "api/api_internal.h"

#include "api/reads/list.h"
#include "api/reads/reads.h"
#include "api/reads/run_json.h"
#include "common/banned.h"

static const char *const no_params[] = {NULL};

/* sql: $1 tenant, $2 the path's first parameter. */
static void answer_one(struct call *c, const char *sql)
{
    if (call_params(c, no_params))
        call_query(c, &(struct pg_cmd){.sql = sql, .n = 2, .v = {c->who.tenant, c->param[0].p}},
                   call_json_row);
}

/* The topic does not tell of the end of a sandbox that no run has. What waits by the topic, and has
 * no row in the ledger any more, has ended. */
#define SANDBOX_STATE(id, state)                                                                   \
    "CASE WHEN " state                                                                             \
    " IN ('parked', 'paused') AND NOT EXISTS (SELECT FROM ledger.sandboxes AS o"                   \
    " WHERE o.sandbox_id = " id " AND o.state <> 'dead') THEN 'ended' ELSE " state " END"

// clang-format off
#define SESSION_COLUMNS                                                                            \
    "r.session_id, r.tenant, r.runs, r.open_runs, r.last_run_id, r.last_state, r.claude_session,"  \
    " r.sandbox_id, " SANDBOX_STATE("r.sandbox_id", "r.sandbox_state") " AS sandbox_state, "       \
    SQL_TIME("r.sandbox_since") " AS sandbox_since, "           \
    SQL_SUM("r.cost_usd") " AS cost_usd, " SQL_TIME("r.first_run_at") " AS first_run_at, "         \
    SQL_TIME("r.last_active_at") " AS last_active_at"

#define SANDBOX_COLUMNS                                                                            \
    "r.sandbox_id, r.tenant, r.template, " SANDBOX_STATE("r.sandbox_id", "r.state") " AS state,"   \
    " r.reason, r.run_id, u.session_id, "                                                          \
    SQL_TIME("r.since") " AS since, " SQL_TIME("r.created_at") " AS created_at, "                  \
    SQL_TIME("r.used_at") " AS used_at, " SQL_TIME("r.ended_at") " AS ended_at, r.running_ms,"     \
    " CASE WHEN r.cost_usd IS NOT NULL THEN " SQL_USD("r.cost_usd") " END AS cost_usd"
// clang-format on

#define ITS_RUN " LEFT JOIN fleet.runs AS u ON u.run_id = r.run_id"

void sessions_list(struct call *c)
{
    static const struct list_filter filters[] = {{0}};
    static const struct list list = {.name = "sessions",
                                     .from = "fleet.sessions AS r",
                                     .where = "r.tenant = $1",
                                     .at = "r.last_active_at",
                                     .id = "r.session_id",
                                     .id_type = "text",
                                     .show = ROW_JSON(SESSION_COLUMNS),
                                     .filters = filters};

    list_answer(c, &list);
}

void session_get(struct call *c)
{
    answer_one(c, "SELECT " ROW_JSON(SESSION_COLUMNS) " FROM fleet.sessions AS r"
                                                      " WHERE r.tenant = $1 AND r.session_id = $2");
}

static const char *const sandbox_states[] = {"busy",    "parked", "paused", "ended",
                                             "evicted", "lost",   NULL};

void sandboxes_list(struct call *c)
{
    static const struct list_filter filters[] = {{.param = "state",
                                                  .kind = LIST_ANY,
                                                  .column = "r.state",
                                                  .words = sandbox_states,
                                                  .seen = SANDBOX_STATE("r.sandbox_id", "r.state")},
                                                 {0}};
    static const struct list list = {.name = "sandboxes",
                                     .from = "fleet.sandboxes AS r",
                                     .where = "r.tenant = $1",
                                     .at = "coalesce(r.used_at, 'infinity')",
                                     .id = "r.sandbox_id",
                                     .id_type = "text",
                                     .join = ITS_RUN,
                                     .show = ROW_JSON(SANDBOX_COLUMNS),
                                     .filters = filters};

    list_answer(c, &list);
}

void sandbox_get(struct call *c)
{
    answer_one(c, "SELECT " ROW_JSON(SANDBOX_COLUMNS) " FROM fleet.sandboxes AS r" ITS_RUN
                                                      " WHERE r.tenant = $1 AND r.sandbox_id = $2");
}
