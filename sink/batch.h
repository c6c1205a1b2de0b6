/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: records collected for one transaction, bounded by rows and bytes.
 * Each record is decoded at once, so that this work overlaps the commit of the batch
 * before; its bytes stay where the consumer has them, and are the batch's until
 * batch_clear(), which must come before consumer_free(). */
#ifndef SANDFLEET_SINK_BATCH_H
#define SANDFLEET_SINK_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/kafka/kafka.h"
#include "schema/event.h"
#include "schema/run_request.h"
#include "schema/topics.h"

enum item_kind {
    ITEM_EVENT,
    ITEM_REQUEST,
    ITEM_REFUSED, /* a request that the worker dead-letters: passed over, counted */
    ITEM_POISON   /* goes to fleet.quarantine: of no use here, or a letter of runs.dlq */
};

struct batch_item {
    enum item_kind kind;
    enum topic topic;
    struct kafka_record record; /* its message is the batch's */
    int64_t from;               /* the partition's position before it; KAFKA_EARLIEST: unknown */
    uint8_t run[16];            /* events and requests */
    struct event_view event;
    struct run_request *request;
    struct str reason, detail; /* poison */
};

struct batch_block;

struct batch {
    size_t max_rows, max_bytes;
    const struct topics *topics;
    struct batch_item *items;
    size_t n, cap, bytes;
    size_t refused;             /* requests */
    struct batch_block *blocks; /* newest first */
};

void batch_init(struct batch *b, const struct topics *t, size_t max_rows, size_t max_bytes);
void batch_clear(struct batch *b); /* empty again; keeps its memory up to max_bytes */
void batch_release(struct batch *b);

/* No more room. A batch takes at least one record, whatever its size. */
bool batch_full(const struct batch *b);
bool batch_knows(const struct batch *b, const char *topic, enum topic *out);

/* Takes and decodes one record; what it is not good for is said in its kind. One without a
 * message is borrowed until batch_clear(). ERR_NOMEM: nothing was added or taken. */
enum err_code batch_add(struct batch *b, enum topic topic, struct kafka_record *r, int64_t from,
                        struct err *err) MUST_USE;

/* Turns item i into poison, with a copy of the text. */
enum err_code batch_poison(struct batch *b, size_t i, struct str reason, const char *detail,
                           struct err *err) MUST_USE;

#endif
