/* SPDX-License-Identifier: Apache-2.0 */
/* Records that become durable together, and the offsets behind them. Pure but for memory. */
#ifndef SANDFLEET_WORKER_INTAKE_BATCH_H
#define SANDFLEET_WORKER_INTAKE_BATCH_H

#include "schema/run_request.h"
#include "worker/publish/dead_letter.h"

enum { BATCH_MAX_RECORDS = 200, BATCH_MAX_BYTES = 4 << 20, HASH_TEXT = 65 };

struct batch_item {
    struct run_request request;
    struct dead_letter *copy; /* the record; becomes a letter when the claim is refused */
    enum run_lane lane;
    char hash[HASH_TEXT];
};

struct batch_mark { /* the offset to commit for a partition */
    enum run_lane lane;
    int32_t partition;
    int64_t next;
};

struct batch {
    struct batch_item *items;
    size_t n, cap;
    size_t n_records, bytes; /* letters, too */
    struct batch_mark *marks;
    size_t n_marks, cap_marks;
    struct dead_letter *letters;
};

/* Adds the record as an item or, when it is refused, as a letter; and its mark. */
enum err_code batch_add(struct batch *b, enum run_lane lane, const struct kafka_record *r,
                        struct err *err) MUST_USE;
bool batch_is_full(const struct batch *b);
bool batch_is_empty(const struct batch *b);
/* Item i becomes a letter. */
void batch_refuse(struct batch *b, size_t i, const char *reason, const char *detail);
void batch_release(struct batch *b); /* empty again */

/* The parameters of ledger_sql_insert for items from..from+n-1. Yours: release each. */
enum { BATCH_COLUMNS = 13, BATCH_COL_RUN = 0, BATCH_COL_HASH = 6 };
enum err_code batch_columns(const struct batch *b, size_t from, size_t n,
                            struct buf col[BATCH_COLUMNS], struct err *err) MUST_USE;

#endif
