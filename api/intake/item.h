/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a batch's items: what it asks for, or why it is refused. An object of a run
 * request's members, or custom_id and params as in the Message Batches format. Pure but for the
 * clock. */
#ifndef SANDFLEET_API_ITEM_H
#define SANDFLEET_API_ITEM_H

#include "api/intake/body.h"
#include "common/uuid.h"

enum { ITEM_MAX_BYTES = RUN_REQUEST_MAX_BYTES };

struct item_batch { /* borrowed */
    const char *tenant, *batch_id;
    const cJSON *defaults; /* NULL: none */
};

struct item {
    struct body_run run;                    /* item_release() */
    char custom_id[RUN_NAME_MAX_BYTES + 1]; /* "": it could not be read */
    char run_id[UUID_TEXT];
    char key[RUN_KEY_MAX_BYTES + 1]; /* what the id derives from */
    enum problem problem;
    char pointer[BODY_POINTER_BYTES], detail[256];
};

/* False: `problem` and the two behind it say why. Into an item that was never used or was
 * released. The batch must outlive it. */
bool item_read(struct str line, const struct item_batch *b, struct item *out);
void item_refuse(struct item *it, enum problem p, const char *fmt, ...) PRINTF(3, 4);
void item_release(struct item *it); /* the request; the names stay */

/* Appends the contract's BatchItemAnswer, a line; accepted: Kafka has it. */
void item_answer(const struct item *it, int64_t line, bool accepted, struct buf *out);

#endif
