/* SPDX-License-Identifier: Apache-2.0 */
/* For those who keep the fleet running: workers, limits, dead letters. Of all tenants. */
#include "api/api_internal.h"

#include <stdio.h>

#include "api/letter_id.h"
#include "api/reads/list.h"
#include "api/reads/reads.h"
#include "api/reads/run_json.h"
#include "common/banned.h"

static const char *const no_params[] = {NULL};

static void answer(struct call *c, const struct pg_cmd *cmd)
{
    if (call_params(c, no_params))
        call_query(c, cmd, call_json_row);
}

/* Whether one is alive, workers find out by their own clocks, over a lease. Here it is told what
 * the ledger saw, by the ledger's clock alone: how long its last beat is ago. */
void workers_list(struct call *c)
{
    // clang-format off
    static const char sql[] =
        "SELECT json_build_object('data', coalesce(json_agg(row_to_json(w)), '[]')) FROM"
        " (SELECT w.worker_id, w.host, w.pid, w.version, w.slots,"
        " (SELECT count(*) FROM ledger.claims AS c WHERE c.worker_id = w.worker_id"
        " AND c.state = 'running') AS running,"
        " w.beat_at > now() - interval '30 s' AS alive, greatest(0,"
        " round(extract(epoch FROM now() - w.beat_at), 3)) AS beat_age_s, "
        SQL_TIME("w.started_at") " AS started_at, " SQL_TIME("w.beat_at") " AS beat_at"
        " FROM ledger.workers AS w WHERE w.beat_at > now() - interval '1 day'"
        " ORDER BY w.started_at DESC, w.worker_id LIMIT 10000) AS w";
    // clang-format on

    answer(c, &(struct pg_cmd){.sql = sql});
}

void limits_show(struct call *c)
{
    static const char sql[] =
        "SELECT json_build_object('data', coalesce(json_agg(row_to_json(l)), '[]')) FROM"
        " (SELECT scope, name, setting, value FROM ledger.limits"
        " ORDER BY array_position(ARRAY['fleet', 'tenant', 'credential', 'key'], scope), name,"
        " setting LIMIT 100000) AS l";

    answer(c, &(struct pg_cmd){.sql = sql});
}

/* As the index has it. */
#define LETTER_ID "(r.topic || '-' || r.partition::text || '-' || r.\"offset\"::text)"

/* Of a letter that was too long for its topic, dlq.bytes has the true size. */
// clang-format off
#define LETTER_COLUMNS                                                                             \
    LETTER_ID " AS id, r.topic, r.partition, r.\"offset\", r.reason, r.detail, "                   \
    SQL_TIME("r.at") " AS at, CASE WHEN r.headers ->> 'dlq.bytes' ~ '^[0-9]{1,15}$'"               \
    " THEN (r.headers ->> 'dlq.bytes')::bigint ELSE octet_length(r.value) END AS bytes"

#define BYTES(column) "replace(encode(r." column ", 'base64'), E'\\n', '') AS " column "_base64"
// clang-format on

void letters_list(struct call *c)
{
    static const struct list_filter filters[] = {
        {.param = "reason", .kind = LIST_WORD, .column = "r.reason"}, {0}};
    static const struct list list = {.name = "dlq",
                                     .from = "fleet.quarantine AS r",
                                     .where = "$1::text IS NOT NULL",
                                     .at = "r.at",
                                     .id = LETTER_ID,
                                     .id_type = "text",
                                     .show = ROW_JSON(LETTER_COLUMNS),
                                     .filters = filters};

    list_answer(c, &list);
}

void letter_get(struct call *c)
{
    // clang-format off
    static const char sql[] = "SELECT " ROW_JSON(LETTER_COLUMNS ", " BYTES("key") ", "
        BYTES("value") ", r.headers") " FROM fleet.quarantine AS r"
        " WHERE r.topic = $1 AND r.partition = $2::int AND r.\"offset\" = $3::bigint";
    // clang-format on
    struct letter_id id;

    if (!letter_id_parse(c->param[0], &id))
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such letter");
    else
        answer(c, &(struct pg_cmd){.sql = sql, .n = 3, .v = {id.topic, id.partition, id.offset}});
}
