/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: a sandbox as it stands at a moment, kept as a template from which others are
 * created. Single-threaded, as worker/e2b/sandbox.h. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_SNAPSHOT_H
#define SANDFLEET_WORKER_E2B_SANDBOX_SNAPSHOT_H

#include "worker/e2b/sandbox.h"

/* id: of the snapshot, good as sandbox_want.template; borrowed; NULL unless e->code is ERR_OK. */
typedef void (*sandbox_snapshot_fn)(void *ctx, const char *id, const struct err *e);

/* `name` may be NULL. Asked once: an answer that is lost may have made one (look by
 * sandbox_snapshot_list). */
enum err_code sandbox_snapshot(struct sandbox_service *s, const char *sandbox_id, const char *name,
                               sandbox_snapshot_fn fn, void *ctx, struct err *err) MUST_USE;
/* Success also when there is none. */
enum err_code sandbox_snapshot_delete(struct sandbox_service *s, const char *snapshot_id,
                                      sandbox_fn fn, void *ctx, struct err *err) MUST_USE;
/* Those made of `sandbox_id`, or for NULL all; sandbox_list() says how they are told. */
enum err_code sandbox_snapshot_list(struct sandbox_service *s, const char *sandbox_id,
                                    void (*each)(void *ctx, const char *id), sandbox_fn done,
                                    void *ctx, struct sandbox_list **out, struct err *err) MUST_USE;

#endif
