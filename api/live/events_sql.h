/* SPDX-License-Identifier: Apache-2.0 */
/* A page of one run's events, and where the run stands, in one look. */
#ifndef SANDFLEET_API_LIVE_EVENTS_SQL_H
#define SANDFLEET_API_LIVE_EVENTS_SQL_H

enum events_column {
    EVENTS_LAST, /* sequence of the run's newest event */
    EVENTS_ENDED,
    EVENTS_STATE,
    EVENTS_OUTCOME,
    EVENTS_EVENT /* its columns: event_row.h; NULL: there is none */
};

/* $1 run, $2 tenant, $3 since, $4 rows, $5 patterns of their types or NULL, $6 bytes: the event
 * that goes beyond is the last one with data, and the first one has it in any case. No row: there
 * is no such run. */
extern const char events_sql[];

#endif
