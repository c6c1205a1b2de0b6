/* SPDX-License-Identifier: Apache-2.0 */
/* POST …/retry of a run: what its claim has of the request, as a new run. */
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/create.h"
#include "api/intake/handlers.h"
#include "api/intake/retry.h"
#include "common/banned.h"

/* What the door says anew, and times that have passed. */
static const char *const left_out[] = {"v",          "run_id",          "tenant",     "batch_id",
                                       "created_at", "idempotency_key", "not_before", "expires_at"};

bool retry_request(cJSON *tree, const char *run_id)
{
    cJSON *metadata;

    for (size_t i = 0; i < COUNTOF(left_out); i++)
        cJSON_DeleteItemFromObjectCaseSensitive(tree, left_out[i]);
    metadata = cJSON_GetObjectItemCaseSensitive(tree, "metadata");
    if (!metadata)
        metadata = cJSON_AddObjectToObject(tree, "metadata");
    cJSON_DeleteItemFromObjectCaseSensitive(metadata, "retry_of");
    return cJSON_AddStringToObject(metadata, "retry_of", run_id) != NULL;
}

static void submit(struct call *c, const char *request, const char *lane)
{
    struct body_errors errors = BODY_ERRORS_INIT;
    struct creation *cr = c->state;
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(str_of(request), JSON_STRICT, &tree, &err) != ERR_OK ||
        !retry_request(tree, c->param[0].p)) {
        cJSON_Delete(tree);
        call_problem(c, PROBLEM_INTERNAL, "the run's request cannot be read: %s", err.msg);
        return;
    }
    cr->run.lane = strcmp(lane, run_lane_name(LANE_BATCH)) == 0 ? LANE_BATCH : LANE_INTERACTIVE;
    if (body_run_read(tree, &cr->run, &errors))
        creation_submit(c, "POST /v1/runs/{}/retry", c->param[0].p, c->param[0].n);
    else
        call_problem_fields(c, errors.fields, errors.n);
}

static void on_found(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    const char *state = PQntuples(res) > 0 ? pg_text(res, 0, 0) : NULL;

    (void)e;
    if (!state)
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such run");
    else if (strcmp(state, "ended") != 0)
        call_problem(c, PROBLEM_NOT_ENDED, "the run has not ended: cancel it, or wait");
    else
        submit(c, pg_text(res, 0, 1), pg_text(res, 0, 2));
}

void run_retry(struct call *c)
{
    static const char *const none[] = {NULL};
    static const char sql[] =
        "SELECT state, request, lane FROM ledger.claims WHERE run_id = $1 AND tenant = $2"
        " UNION ALL SELECT 'queued', NULL, NULL FROM door.runs WHERE run_id = $1 AND tenant = $2"
        " AND NOT EXISTS (SELECT FROM ledger.claims WHERE run_id = $1)";
    const char *id = call_params(c, none) ? call_run_id(c) : NULL;
    const struct pg_cmd cmd = {.sql = sql, .n = 2, .v = {id, c->who.tenant}};

    if (id && creation_new(c))
        call_query(c, &cmd, on_found);
}
