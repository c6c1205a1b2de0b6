/* SPDX-License-Identifier: Apache-2.0 */
/* Batches, read. */
#include "api/api_internal.h"

#include "api/live/wait.h"
#include "api/reads/batch_json.h"
#include "api/reads/list.h"
#include "api/reads/reads.h"
#include "common/banned.h"

static const char *const states[] = {"open", "in_progress", "cancelling", "ended", NULL};

/* Two tables, each with an index in this order. A batch that stands in both has its place where it
 * was begun, and is left out where its first run is. */
// clang-format off
#define BOTH                                                                                       \
    "(SELECT tenant, batch_id, coalesce(first_created_at, 'infinity') AS at, false AS begun"       \
    " FROM fleet.batches"                                                                          \
    " UNION ALL SELECT tenant, batch_id, created_at, true FROM door.batches) AS r"
// clang-format on

void batches_list(struct call *c)
{
    static const struct list_filter filters[] = {
        {.param = "state", .kind = LIST_ANY, .column = BATCH_STATE, .words = states, .late = true},
        {0}};
    static const struct list list = {
        .name = "batches",
        .from = BOTH,
        .where = "r.tenant = $1",
        .at = "r.at",
        .id = "r.batch_id",
        .id_type = "text",
        .join = BATCH_JOINS("r"),
        .show = "CASE WHEN r.begun OR d.batch_id IS NULL THEN " ROW_JSON(BATCH_COLUMNS) " END",
        .filters = filters};

    list_answer(c, &list);
}

static void get(struct call *c)
{
    static const char sql[] =
        "SELECT " ROW_JSON(BATCH_COLUMNS) " FROM (SELECT $1::text AS tenant, $2::text AS batch_id)"
                                          " AS r" BATCH_JOINS("r") " WHERE d.batch_id IS NOT NULL"
                                                                   " OR b.batch_id IS NOT NULL";

    call_query(c, &(struct pg_cmd){.sql = sql, .n = 2, .v = {c->who.tenant, c->param[0].p}},
               call_json_row);
}

void batch_get(struct call *c)
{
    static const char *const params[] = {"wait", NULL};
    int64_t ms;

    if (!call_params(c, params) || !wait_asked(c, &ms))
        return;
    if (ms > 0)
        wait_batch(c, c->param[0].p, ms, get);
    else
        get(c);
}
