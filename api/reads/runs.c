/* SPDX-License-Identifier: Apache-2.0 */
/* Runs, read. */
#include "api/api_internal.h"

#include "api/live/wait.h"
#include "api/reads/list.h"
#include "api/reads/reads.h"
#include "api/reads/run_json.h"
#include "common/banned.h"

/* Newest first; one whose request was not read yet is newer than all. */
#define CREATED "coalesce(r.created_at, 'infinity')"

static const char *const states[] = {"queued",    "held",       "starting",  "running",
                                     "retrying",  "cancelling", "completed", "failed",
                                     "timed_out", "cancelled",  "expired",   NULL};
static const char *const lanes[] = {"interactive", "batch", NULL};

#define BY_NAME(name) {.param = #name, .kind = LIST_NAME, .column = "r." #name}

static const struct list_filter filters[] = {
    {.param = "state", .kind = LIST_ANY, .column = "r.state", .words = states},
    {.param = "outcome", .kind = LIST_WORD, .column = "r.outcome"},
    BY_NAME(batch_id),
    BY_NAME(session_id),
    BY_NAME(custom_id),
    BY_NAME(project_id),
    BY_NAME(user_id),
    {.param = "model", .kind = LIST_VISIBLE, .column = "r.model"},
    {.param = "metadata",
     .several = "metadata*",
     .kind = LIST_LABELS,
     .column = "fleet.run_labels"},
    {.param = "tag", .several = "tag*", .kind = LIST_TAGS, .column = "fleet.run_labels"},
    {.param = "lane", .kind = LIST_OF, .column = "r.lane", .words = lanes},
    {.param = "created_after", .kind = LIST_SINCE, .column = CREATED},
    {.param = "created_before", .kind = LIST_BEFORE, .column = CREATED},
    {0}};

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

#define OF_RUN " FROM door.runs AS r WHERE r.run_id = $1 AND r.tenant = $2"

static const char *const no_params[] = {NULL};

/* then(c), with what is there; with ?wait=, when the run has ended or the time is over. */
static void when_ended(struct call *c, void (*then)(struct call *c))
{
    static const char *const params[] = {"wait", NULL};
    const char *id = call_params(c, params) ? call_run_id(c) : NULL;
    int64_t ms;

    if (!id || !wait_asked(c, &ms))
        return;
    if (ms > 0)
        wait_run(c, id, WAIT_END, ms, then);
    else
        then(c);
}

static void look(struct call *c, const char *sql, pg_fn fn)
{
    call_query(c, &(struct pg_cmd){.sql = sql, .n = 2, .v = {c->param[0].p, c->who.tenant}}, fn);
}

static void get(struct call *c)
{
    look(c, "SELECT " ROW_JSON(RUN_DETAIL_COLUMNS) OF_RUN, call_json_row);
}

void run_get(struct call *c)
{
    when_ended(c, get);
}

static void on_result(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;

    if (PQntuples(res) == 1 && PQgetisnull(res, 0, 0))
        call_problem(c, PROBLEM_NOT_ENDED, "it is %s: ask again, or with wait", pg_text(res, 0, 1));
    else
        call_json_row(c, res, e);
}

static void result(struct call *c)
{
    look(c, "SELECT CASE WHEN r.ended THEN " ROW_JSON(RESULT_COLUMNS) " END, r.state" OF_RUN,
         on_result);
}

void run_result(struct call *c)
{
    when_ended(c, result);
}

#define LIST_JSON(rows)                                                                            \
    "coalesce((SELECT json_agg(row_to_json(a) ORDER BY a.attempt) FROM (" rows ") AS a), '[]')"

// clang-format off
#define ATTEMPTS                                                                                   \
    LIST_JSON("SELECT attempt, state, worker_id, sandbox_id, template, model, claude_version,"     \
              " outcome, reason, exit_code, lines, bytes, " SQL_USD("cost_usd") " AS cost_usd, "   \
              SQL_TIME("starting_at") " AS starting_at, " SQL_TIME("started_at") " AS started_at, "\
              SQL_TIME("ended_at") " AS ended_at, arguments, arguments_hash, prompt_hash,"         \
              " system_prompt_hash, files_hash, credential, credential_mode FROM fleet.attempts WHERE run_id = r.run_id")

#define USES                                                                                       \
    LIST_JSON("SELECT attempt, model, outcome, " SQL_USD("cost_usd") " AS cost_usd"                \
              " FROM fleet.attempts WHERE run_id = r.run_id")
// clang-format on

void run_attempts(struct call *c)
{
    if (call_params(c, no_params) && call_run_id(c))
        look(c, "SELECT " ROW_JSON(ATTEMPTS " AS data") OF_RUN, call_json_row);
}

void run_usage(struct call *c)
{
    if (!call_params(c, no_params) || !call_run_id(c))
        return;
    // clang-format off
    look(c, "SELECT " ROW_JSON(
        "r.run_id, " SQL_TOKENS("r") " AS usage, " SQL_USD("r.cost_usd") " AS cost_usd,"
        " r.sandbox_ms, " SQL_USD("r.sandbox_cost_usd") " AS sandbox_cost_usd,"
        " trim_scale(fleet.usd(r.cost_usd) + fleet.usd(r.sandbox_cost_usd)) AS total_usd, "
        USES " AS attempts") OF_RUN, call_json_row);
    // clang-format on
}
