/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered about a run or a batch that has just begun: as GET will show it. Pure. */
#ifndef SANDFLEET_API_DOC_H
#define SANDFLEET_API_DOC_H

#include "common/buf.h"
#include "schema/run_request.h"

enum { DOC_MAX_BYTES = 16 << 10 };

/* Appends the contract's Run, queued. */
void doc_run(const struct run_request *r, enum run_lane lane, struct buf *out);

struct doc_batch {
    const char *batch_id, *tenant;
    const char *retry_of, *metadata; /* JSON; NULL: none */
    int64_t created_ms;
    int64_t sealed_ms; /* 0: it is open */
    int64_t runs;      /* all of them queued */
};
/* Appends the contract's Batch. */
void doc_batch(const struct doc_batch *b, struct buf *out);

#endif
