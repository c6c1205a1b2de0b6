/* SPDX-License-Identifier: Apache-2.0 */
/* Property: any record (key up to the first newline, then the value) becomes exactly one
 * claim or one dead letter with a reason, its offset is marked, and no token is left in a
 * letter. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "worker/fleet/intake_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_claim(const struct batch *b)
{
    struct buf col[BATCH_COLUMNS];
    struct err err = ERR_INIT;

    assert(batch_columns(b, 0, 1, col, &err) == ERR_OK);
    for (int c = 0; c < BATCH_COLUMNS; c++) {
        assert(col[c].p[0] == '{' && col[c].p[col[c].len - 1] == '}');
        buf_release(&col[c]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = size ? memchr(text, '\n', size) : NULL;
    size_t key = end ? (size_t)(end - text) : 0, from = end ? key + 1 : 0;
    struct kafka_record r = {.topic = "t",
                             .partition = 3,
                             .offset = 41,
                             .key = {text, key},
                             .value = {size > from ? text + from : NULL, size - from}};
    struct batch b = {0};
    struct err err = ERR_INIT;

    assert(batch_add(&b, LANE_BATCH, &r, &err) == ERR_OK);
    assert(b.n_marks == 1 && b.marks[0].next == 42);
    assert((b.n == 1) == (b.letters == NULL));
    if (b.n == 1)
        check_claim(&b);
    else
        assert(b.letters->reason[0] && !b.letters->next &&
               run_request_mask((char *)(uintptr_t)b.letters->record.value.p,
                                b.letters->record.value.n) == 0);
    batch_release(&b);
    return 0;
}
