/* SPDX-License-Identifier: Apache-2.0 */
/* Room at the service's cap: the sandbox of the whole fleet that has waited longest for
 * somebody, warm or parked, is ended. A follow-up that is just taking it is faster, or gets
 * a new one. Single-threaded; nothing blocks. */
#ifndef SANDFLEET_WORKER_EVICTION_H
#define SANDFLEET_WORKER_EVICTION_H

#include "worker/e2b/sandbox.h"
#include "worker/sandbox/sandbox_row.h"

/* f is borrowed; NULL: there is none to evict, or the ledger did not answer. The service may
 * count the evicted one for a moment longer. */
typedef void (*eviction_fn)(void *ctx, const struct sandbox_figures *f);

struct eviction; /* opaque: one under way */

/* Exactly one call of fn follows, later; the handle is gone by then. ERR_NOMEM, or as
 * ledger_send(). */
enum err_code eviction_start(struct ledger *l, struct sandbox_service *s, eviction_fn fn, void *ctx,
                             struct eviction **out, struct err *err) MUST_USE;
void eviction_free(struct eviction *v); /* only after ledger and service; NULL is fine */

#endif
