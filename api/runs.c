/* SPDX-License-Identifier: Apache-2.0 */
/* Runs, read. */
#include "api/api_internal.h"

#include "api/list.h"
#include "api/run_json.h"
#include "common/banned.h"

/* Newest first; one whose request was not read yet is newer than all. */
#define CREATED "coalesce(r.created_at, 'infinity')"

static const char *const states[] = {"queued",    "held",       "starting",  "running",
                                     "retrying",  "cancelling", "completed", "failed",
                                     "timed_out", "cancelled",  "expired",   NULL};
static const char *const lanes[] = {"interactive", "batch", NULL};

// clang-format off
static const struct list_filter filters[] = {
    {"state", LIST_ANY, "r.state", states},
    {"outcome", LIST_WORD, "r.outcome", NULL},
    {"batch_id", LIST_NAME, "r.batch_id", NULL},
    {"session_id", LIST_NAME, "r.session_id", NULL},
    {"custom_id", LIST_NAME, "r.custom_id", NULL},
    {"project_id", LIST_NAME, "r.project_id", NULL},
    {"user_id", LIST_NAME, "r.user_id", NULL},
    {"lane", LIST_OF, "r.lane", lanes},
    {"created_after", LIST_SINCE, CREATED, NULL},
    {"created_before", LIST_BEFORE, CREATED, NULL},
    {0}};
// clang-format on

void runs_list(struct call *c)
{
    static const struct list list = {.name = "runs",
                                     .from = "fleet.runs AS r",
                                     .where = "r.tenant = $1",
                                     .at = CREATED,
                                     .id = "r.run_id",
                                     .id_type = "uuid",
                                     .show = ROW_JSON(RUN_COLUMNS),
                                     .filters = filters,
                                     .either_way = true};

    list_answer(c, &list);
}

/* sql: $1 run, $2 tenant; its first value is the answer. */
static void answer_one(struct call *c, const char *sql, const char *const *params, pg_fn fn)
{
    const char *id = call_params(c, params) ? call_run_id(c) : NULL;
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {id, c->who.tenant}};

    if (id)
        call_query(c, &cmd, fn);
}

#define OF_RUN " FROM door.runs AS r WHERE r.run_id = $1 AND r.tenant = $2"

static const char *const no_params[] = {NULL};
static const char *const wait_param[] = {"wait", NULL};

void run_get(struct call *c)
{
    answer_one(c, "SELECT " ROW_JSON(RUN_DETAIL_COLUMNS) OF_RUN, wait_param, call_json_row);
}

static void on_result(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;

    if (PQntuples(res) == 1 && PQgetisnull(res, 0, 0))
        call_problem(c, PROBLEM_NOT_ENDED, "it is %s: ask again, or with wait", pg_text(res, 0, 1));
    else
        call_json_row(c, res, e);
}

void run_result(struct call *c)
{
    answer_one(c, "SELECT CASE WHEN r.ended THEN " ROW_JSON(RESULT_COLUMNS) " END, r.state" OF_RUN,
               wait_param, on_result);
}

#define LIST_JSON(rows)                                                                            \
    "coalesce((SELECT json_agg(row_to_json(a) ORDER BY a.attempt) FROM (" rows ") AS a), '[]')"

// clang-format off
#define ATTEMPTS                                                                                   \
    LIST_JSON("SELECT attempt, state, worker_id, sandbox_id, template, model, claude_version,"     \
              " outcome, reason, exit_code, lines, bytes, " SQL_USD("cost_usd") " AS cost_usd, "   \
              SQL_TIME("starting_at") " AS starting_at, " SQL_TIME("started_at") " AS started_at, "\
              SQL_TIME("ended_at") " AS ended_at, arguments, arguments_hash, prompt_hash,"         \
              " system_prompt_hash, files_hash FROM fleet.attempts WHERE run_id = r.run_id")

#define USES                                                                                       \
    LIST_JSON("SELECT attempt, model, outcome, " SQL_USD("cost_usd") " AS cost_usd"                \
              " FROM fleet.attempts WHERE run_id = r.run_id")
// clang-format on

void run_attempts(struct call *c)
{
    answer_one(c, "SELECT " ROW_JSON(ATTEMPTS " AS data") OF_RUN, no_params, call_json_row);
}

void run_usage(struct call *c)
{
    // clang-format off
    answer_one(c, "SELECT " ROW_JSON(
        "r.run_id, " SQL_TOKENS("r") " AS usage, " SQL_USD("r.cost_usd") " AS cost_usd,"
        " r.sandbox_ms, " SQL_USD("r.sandbox_cost_usd") " AS sandbox_cost_usd,"
        " trim_scale(fleet.usd(r.cost_usd) + fleet.usd(r.sandbox_cost_usd)) AS total_usd, "
        USES " AS attempts") OF_RUN, no_params, call_json_row);
    // clang-format on
}
