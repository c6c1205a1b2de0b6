/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/events_sql.h"

#include "api/live/event_row.h"
#include "common/banned.h"

const char events_sql[] = "SELECT r.sequence, r.ended, r.state, r.outcome, " EVENT_TEXT(
    "e",
    "e.before < $6::bigint") " FROM door.runs AS r LEFT JOIN LATERAL (SELECT p.*,"
                             "   sum(p.bytes) OVER (ORDER BY p.sequence ROWS UNBOUNDED PRECEDING) "
                             "- p.bytes AS before"
                             "  FROM (SELECT " EVENT_ROW " FROM fleet.events AS v"
                             "   WHERE v.run_id = r.run_id AND v.run_day = r.run_day AND "
                             "v.sequence > $3::bigint"
                             "    AND ($5::text[] IS NULL OR v.type LIKE ANY ($5::text[]))"
                             "   ORDER BY v.sequence LIMIT $4::bigint) AS p) AS e ON true"
                             " WHERE r.run_id = $1::uuid AND r.tenant = $2 ORDER BY e.sequence";
