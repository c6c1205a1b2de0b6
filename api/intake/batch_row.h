/* SPDX-License-Identifier: Apache-2.0 */
/* A row of door.batches that is being made, with the answer to its Idempotency-Key in the same
 * transaction. Single-threaded. */
#ifndef SANDFLEET_API_BATCH_ROW_H
#define SANDFLEET_API_BATCH_ROW_H

#include "api/intake/idem.h"

struct batch_row { /* c->state begins with it */
    struct idem idem;
    char batch_id[RUN_NAME_MAX_BYTES + 1];
    char location[16 + 3 * RUN_NAME_MAX_BYTES];
    const char *defaults, *metadata, *retry_of; /* JSON and a name; NULL: none. Borrowed */
    int64_t created_ms;
    struct buf answer; /* with its ceiling; empty: there is none yet */
    void (*made)(struct call *c, bool made);
};

/* Gives it its name (made up when NULL: by the key, if there is one), time and place. */
void batch_row_begin(struct call *c, const char *batch_id);
/* With `answer`, that is the key's from here on. made(c, false): there is one of that name; the
 * key is let go. Else answers 503. */
void batch_row_insert(struct call *c, void (*made)(struct call *c, bool made));
void batch_row_release(struct batch_row *b);

#endif
