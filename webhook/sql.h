/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of sandfleet-webhook; their parameters and columns. */
#ifndef SANDFLEET_WEBHOOK_SQL_H
#define SANDFLEET_WEBHOOK_SQL_H

/* Rows for ends that the sink has passed; those that it has not are not answered.
 *   $1 uuid[] runs $2 int[] partitions $3 bigint[] offsets $4 events topic $5 what links begin with
 */
extern const char sql_make[];
enum { MAKE_PARTITION, MAKE_OFFSET, MAKE_ROWS /* that are new */ };

/* Takes what is due. $1 at most so many $2 of one endpoint $3 lease, ms. A row each key of each
 * delivery, those of one delivery together. */
extern const char sql_take[];
enum {
    TAKE_ENDPOINT,
    TAKE_RUN,
    TAKE_STATE,
    TAKE_ATTEMPT,
    TAKE_TRIES,
    TAKE_TENANT,
    TAKE_NAME,
    TAKE_URL,
    TAKE_BODY,
    TAKE_SCHEME, /* NULL from here on: it has no key */
    TAKE_KEY,
    TAKE_WRAPPED,
    TAKE_SEALED
};

/* How it went. $1 endpoint $2 run $3 state $4 attempt $5 status or NULL $6 error or NULL $7 took,
 * ms $8 verdict $9 ms until the next try $10 ms that a delivery is tried $11 ms it asked for, or 0.
 * No row: somebody else has it by now. */
extern const char sql_end[];
enum { END_OUTCOME /* NULL: it goes on */ };

/* What nobody needs any more. $1 ms that deliveries are kept */
extern const char sql_sweep[];

#endif
