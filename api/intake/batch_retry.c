/* SPDX-License-Identifier: Apache-2.0 */
/* POST …/retry of a batch: which of its runs, and whether it has ended. What follows is
 * batch_again.h's. */
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/batch_again.h"
#include "api/intake/body.h"
#include "api/intake/handlers.h"
#include "common/banned.h"

/* $1 tenant $2 batch $3 states. Takes it no more items; runs that have not ended; those that are
 * asked for; its metadata. */
static const char find_sql[] =
    "SELECT (d.batch_id IS NULL OR d.sealed_at IS NOT NULL) AND door.passed(d.marks),"
    " coalesce(f.runs - f.completed - f.failed - f.timed_out - f.cancelled - f.expired, 0),"
    " coalesce(CASE WHEN 'failed' = ANY ($3::text[]) THEN f.failed ELSE 0 END"
    " + CASE WHEN 'timed_out' = ANY ($3::text[]) THEN f.timed_out ELSE 0 END"
    " + CASE WHEN 'cancelled' = ANY ($3::text[]) THEN f.cancelled ELSE 0 END"
    " + CASE WHEN 'expired' = ANY ($3::text[]) THEN f.expired ELSE 0 END, 0), d.metadata"
    " FROM (SELECT) AS one LEFT JOIN door.batches d ON d.tenant = $1 AND d.batch_id = $2"
    " LEFT JOIN fleet.batches f ON f.tenant = $1 AND f.batch_id = $2"
    " WHERE d.batch_id IS NOT NULL OR f.batch_id IS NOT NULL";

static void on_found(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct batch_again *g = c->state;
    const char *metadata;

    (void)e;
    if (PQntuples(res) == 0) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
        return;
    }
    if (pg_text(res, 0, 0)[0] != 't' || pg_int(res, 0, 1) > 0) {
        call_problem(c, PROBLEM_NOT_ENDED, "the batch has not ended: seal it, and wait");
        return;
    }
    if (pg_int(res, 0, 2) == 0) {
        call_problem(c, PROBLEM_NOTHING_TO_RETRY, "no run of it ended like that");
        return;
    }
    metadata = pg_text(res, 0, 3);
    if (metadata)
        buf_adds(&g->metadata, metadata);
    g->row.metadata = g->metadata.p;
    idem_begin(c, NULL, NULL, batch_again_begin);
}

static bool is_end(const char *word)
{
    static const char *const ends[] = {"failed", "timed_out", "cancelled", "expired"};

    for (size_t i = 0; i < COUNTOF(ends); i++)
        if (strcmp(word, ends[i]) == 0)
            return true;
    return false;
}

static void read_states(const cJSON *tree, struct batch_again *g, struct body_errors *errors)
{
    const cJSON *states = json_get(tree, "states"), *word;
    AUTO_BUF text = BUF_INIT(BATCH_AGAIN_STATES_TEXT - 1);
    bool good = cJSON_IsArray(states) && cJSON_GetArraySize(states) > 0;

    cJSON_ArrayForEach(word, states)
    {
        good = good && cJSON_IsString(word) && is_end(word->valuestring);
        if (good)
            buf_addf(&text, "%c%s", text.len ? ',' : '{', word->valuestring);
    }
    buf_addc(&text, '}');
    if (!states)
        (void)snprintf(g->states, sizeof(g->states), "{failed,timed_out,expired}");
    else if (good && text.rc == ERR_OK) /* each once: there is no room for more */
        (void)snprintf(g->states, sizeof(g->states), "%s", text.p);
    else
        body_errors_add(errors, "", "states", PROBLEM_INVALID,
                        "'states' must be some of failed, timed_out, cancelled, expired, each "
                        "once");
}

void batch_retry(struct call *c)
{
    static const char *const none[] = {NULL};
    static const char *const members[] = {"batch_id", "states", NULL};
    struct body_errors errors = BODY_ERRORS_INIT;
    const char *batch_id;
    AUTO_JSON *tree = NULL;
    AUTO_BUF work = BUF_INIT(1024);
    struct batch_again *g;

    if (!call_params(c, none) || !(tree = call_object(c)) || !(g = batch_again_new(c)) ||
        !idem_read(c, &g->row.idem))
        return;
    body_only(tree, members, &errors);
    batch_id = body_name(tree, "batch_id", &errors);
    read_states(tree, g, &errors);
    if (errors.n > 0) {
        call_problem_fields(c, errors.fields, errors.n);
        return;
    }
    if (!run_name_ok(c->param[0])) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such batch");
        return;
    }
    g->named = batch_id != NULL;
    batch_row_begin(c, batch_id);
    buf_addf(&work, "%s %s %s", c->param[0].p, batch_id ? batch_id : "", g->states);
    idem_work(&g->row.idem, "POST /v1/batches/{}/retry", work.p, work.len);
    const struct pg_cmd cmd = {
        .sql = find_sql, .n = 3, .v = {c->who.tenant, c->param[0].p, g->states}};
    call_query(c, &cmd, on_found);
}
