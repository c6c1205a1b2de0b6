/* SPDX-License-Identifier: Apache-2.0 */
/* An archive on its way from where it lies into a file in a sandbox, looked at as it passes. Memory
 * for a few pieces: who is slower makes the other wait. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_HAUL_H
#define SANDFLEET_WORKER_HAUL_H

#include "worker/e2b/envd.h"
#include "worker/workspace/fill.h"

struct haul; /* opaque */

/* path: in the sandbox. fn is called once, later, the handle gone by then. */
enum err_code haul_start(const struct fetch_policy *policy, struct envd *envd,
                         const struct run_archive *archive, const char *path, fill_fn fn, void *ctx,
                         struct haul **out, struct err *err) MUST_USE;
void haul_free(struct haul *h); /* NULL is fine */

#endif
