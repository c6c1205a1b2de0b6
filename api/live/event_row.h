/* SPDX-License-Identifier: Apache-2.0 */
/* An event of the read model as the door's JSON, and which of them a reader asked for. Pure. */
#ifndef SANDFLEET_API_LIVE_EVENT_ROW_H
#define SANDFLEET_API_LIVE_EVENT_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "common/buf.h"

/* The columns of fleet.events that an answer needs, in the order of enum event_column; bytes is
 * what its data takes. */
#define EVENT_ROW                                                                                  \
    "sequence, type, time, attempt, epoch, line, tool, model, input_tokens, output_tokens,"        \
    " cost_usd, data, octet_length(data::text) AS bytes"
/* The same of a subquery `from` that has EVENT_ROW; data only where `told` holds. */
#define EVENT_TEXT(from, told)                                                                     \
    from ".sequence, " from ".type, to_char(" from ".time AT TIME ZONE 'UTC',"                     \
         " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), " from ".attempt, " from ".epoch, " from          \
         ".line, " from ".tool, " from ".model, " from ".input_tokens, " from                      \
         ".output_tokens, " from ".cost_usd, CASE WHEN " told " THEN " from ".data END"

enum event_column {
    EV_SEQUENCE,
    EV_TYPE,
    EV_TIME,
    EV_ATTEMPT,
    EV_EPOCH,
    EV_LINE,
    EV_TOOL,
    EV_MODEL,
    EV_INPUT_TOKENS,
    EV_OUTPUT_TOKENS,
    EV_COST_USD,
    EV_DATA,
    EV_COLUMNS
};

/* Appends the row's Event as one line of JSON; its columns begin at `at`. */
void event_row_write(const PGresult *res, int row, int at, struct buf *out);

/* A list of types, "sandfleet.run.*,sandfleet.agent.message": '*' at the end stands for any rest.
 */
enum { EVENT_TYPES_MAX = 32, EVENT_TYPE_MAX_BYTES = 127, EVENT_TYPES_ROOM = EVENT_TYPES_MAX * 130 };

bool event_types_ok(struct str types);
/* types NULL: all. */
bool event_types_match(const char *types, const char *type);
/* The same as an array of patterns for SQL's LIKE. */
void event_types_like(const char *types, struct buf *out);

#endif
