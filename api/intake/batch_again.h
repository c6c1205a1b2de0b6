/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of a batch that ended, once more: their requests, a page of them at a time, as runs of a new
 * batch, which is sealed behind the last. Ids derive from the new batch's name, so what was cut off
 * is gone on with by whoever asks again: with the same key, or the same name. Single-threaded. */
#ifndef SANDFLEET_API_BATCH_AGAIN_H
#define SANDFLEET_API_BATCH_AGAIN_H

#include "api/intake/batch_row.h"
#include "api/intake/intake.h"
#include "api/intake/marks.h"
#include "common/uuid.h"

enum { BATCH_AGAIN_STATES_TEXT = 64, BATCH_AGAIN_PLACE_TEXT = 64 };

struct batch_again {                      /* c->state */
    struct batch_row row;                 /* of the new one; retry_of is the other */
    char states[BATCH_AGAIN_STATES_TEXT]; /* which runs: {failed,expired} */
    bool named;                           /* the new batch, by whoever asks */
    struct buf metadata;                  /* row.metadata, when there is any */

    struct call *call; /* private from here on */
    PGresult *page;    /* NULL: none */
    int at;            /* the row of it that is next */
    char last_at[BATCH_AGAIN_PLACE_TEXT], last_id[UUID_TEXT];
    size_t pending;
    struct marks marks;
    int64_t sent, sealed_ms;
    bool done;
    struct err failed;
    struct intake_waiter waiter;
};

/* c's state from now on, and released with it. NULL: no memory, and c was answered. */
struct batch_again *batch_again_new(struct call *c);
/* Begins the new batch, fills and seals it, and answers: its row is as batch_row_begin() left it,
 * and its key is ours. */
void batch_again_begin(struct call *c);

#endif
