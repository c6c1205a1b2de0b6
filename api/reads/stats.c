/* SPDX-License-Identifier: Apache-2.0 */
/* How much waits and runs. Counted in an index of what is under way (runs_under_way), so it costs
 * nothing of what has ended; it counts what no worker has claimed yet, too: an autoscaler that
 * starts from none must see it. */
#include "api/api_internal.h"

#include <string.h>

#include "api/reads/reads.h"
#include "api/reads/sql.h"
#include "common/banned.h"

/* No event is written when a run goes from one want of room to another, so those are one. */
// clang-format off
#define UNDER_WAY                                                                                  \
    "WITH u AS (SELECT coalesce(lane, 'batch') AS lane, coalesce(fairness_key, tenant) AS key,"    \
    " CASE WHEN state = 'queued' OR state = 'held' AND hold_reason IN ('no_slot', 'fleet_full',"   \
    " 'starts_per_minute') THEN 'queued' WHEN state IN ('held', 'retrying') THEN 'held'"           \
    " ELSE 'running' END AS kind, coalesce(hold_reason, 'none') AS reason, sum(n)::bigint AS n,"   \
    " min(oldest) AS oldest FROM (SELECT tenant, lane, fairness_key, state, hold_reason,"          \
    " count(*) AS n, min(created_at) AS oldest FROM fleet.runs WHERE NOT ended"                    \
    " AND ($1::text IS NULL OR tenant = $1) GROUP BY 1, 2, 3, 4, 5) AS r GROUP BY 1, 2, 3, 4),"

#define NUMBERS                                                                                    \
    "coalesce(sum(n) FILTER (WHERE kind = 'queued'), 0)::bigint AS queued,"                        \
    " coalesce(sum(n) FILTER (WHERE kind = 'held'), 0)::bigint AS held,"                           \
    " coalesce(sum(n) FILTER (WHERE kind = 'running'), 0)::bigint AS running, "                    \
    SQL_TIME("min(oldest) FILTER (WHERE kind = 'queued')") " AS oldest_queued_at,"                 \
    " greatest(0, coalesce(round(extract(epoch FROM now()"                                         \
    " - min(oldest) FILTER (WHERE kind = 'queued')), 3), 0)) AS oldest_queued_s"

static const char stats_sql[] =
    UNDER_WAY " t AS (SELECT " NUMBERS " FROM u),"
    " g AS (SELECT lane, key, " NUMBERS " FROM u GROUP BY lane, key ORDER BY lane, key LIMIT 10000),"
    " w AS (SELECT coalesce(sum(slots), 0) AS slots, count(*) AS workers FROM ledger.workers"
    " WHERE $1 IS NULL AND beat_at > now() - interval '30 s')"
    " SELECT row_to_json(j) FROM (SELECT CASE WHEN $1 IS NULL THEN 'fleet' ELSE 'tenant' END AS scope, "
    SQL_TIME("now()") " AS at, t.*, (SELECT coalesce(json_object_agg(reason, n), '{}') FROM"
    " (SELECT reason, sum(n)::bigint AS n FROM u WHERE kind <> 'running' GROUP BY reason"
    " ORDER BY reason) AS r) AS reasons, CASE WHEN $1 IS NULL THEN w.slots END AS slots,"
    " CASE WHEN $1 IS NULL THEN w.workers END AS workers,"
    " (SELECT coalesce(json_agg(row_to_json(g)), '[]') FROM g) AS groups FROM t CROSS JOIN w) AS j";
// clang-format on

void stats_get(struct call *c)
{
    static const char *const params[] = {"scope", NULL};
    char scope[16];
    bool given, fleet;

    if (!call_params(c, params) || !call_text(c, "scope", scope, sizeof(scope), &given))
        return;
    fleet = strcmp(scope, "fleet") == 0;
    if (given && !fleet && strcmp(scope, "tenant") != 0)
        call_problem_at(c, PROBLEM_BAD_REQUEST, "scope", "scope is tenant or fleet");
    else if (fleet && !c->who.may[PERMIT_ADMIN])
        call_problem(c, PROBLEM_FORBIDDEN, "scope=fleet needs a key with admin");
    else
        call_query(c,
                   &(struct pg_cmd){.sql = stats_sql, .n = 1, .v = {fleet ? NULL : c->who.tenant}},
                   call_json_row);
}
