/* SPDX-License-Identifier: Apache-2.0 */
/* The query of a list, and its pages. Pure. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_QUERY_H
#define SANDFLEET_WORKER_E2B_SANDBOX_QUERY_H

#include "common/buf.h"
#include "worker/e2b/sandbox.h"

/* The value of `metadata=`, encoded as often as the service decodes it: each name and value,
 * what joins them, and the whole. NAME, VALUE, …, NULL. */
void sandbox_query_metadata(struct buf *out, const char *const *pairs);

/* "?limit=100&state=…&metadata=…" of the first page; states other than "running", "paused"
 * or both with a comma: ERR_INVALID in out->rc. */
void sandbox_query_list(struct buf *out, const struct sandbox_query *q);
/* The same for a service that knows only "?metadata=…". */
void sandbox_query_list_old(struct buf *out, const struct sandbox_query *q);

#endif
