/* SPDX-License-Identifier: Apache-2.0 */
/* How values of the tables become JSON, the same in every answer. */
#ifndef SANDFLEET_API_READS_SQL_H
#define SANDFLEET_API_READS_SQL_H

/* RFC 3339, UTC, milliseconds; NULL stays null. */
#define SQL_TIME(value) "to_char(" value " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
/* A double that anybody may have written, as an amount: never NaN, below 0 or in exponents. */
#define SQL_USD(value) "trim_scale(fleet.usd(" value "))"
#define SQL_SUM(value) "trim_scale(" value ")" /* of a numeric column */

/* The columns of schema Tokens, of a row that is called so. */
#define SQL_TOKENS(of)                                                                             \
    "(SELECT row_to_json(t) FROM (SELECT " of ".input_tokens, " of ".output_tokens, " of           \
    ".cache_read_tokens, " of ".cache_write_tokens) AS t)"

/* A time as a cursor holds it (cursor.h): whole microseconds, infinity the most of them. */
#define SQL_US(value)                                                                              \
    "CASE WHEN isfinite(" value ") THEN (extract(epoch FROM " value                                \
    ") * 1000000)::bigint ELSE 9223372036854775807 END"

#endif
