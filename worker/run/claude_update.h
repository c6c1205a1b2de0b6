/* SPDX-License-Identifier: Apache-2.0 */
/* `claude update` in a new sandbox, once, before anybody's agent runs there. It may fail:
 * the version that the template has is good enough. Single-threaded; nothing blocks. */
#ifndef SANDFLEET_WORKER_CLAUDE_UPDATE_H
#define SANDFLEET_WORKER_CLAUDE_UPDATE_H

#include <stdbool.h>

#include "worker/e2b/sandbox.h"

struct claude_update; /* opaque: one under way */

enum { CLAUDE_UPDATE_MS = 120 * 1000 };

/* Is it done at all? In sandboxes of the template "claude" that nobody has used yet. */
bool claude_update_applies(bool policy_once, const char *template);

/* done() is called once, later, the handle gone by then; a failure is logged, not told. NULL:
 * it could not even be tried, which is logged, too. */
struct claude_update *claude_update_start(struct sandbox *sb, void (*done)(void *ctx), void *ctx);
/* The same with another limit. */
struct claude_update *claude_update_within(struct sandbox *sb, int64_t limit_ms,
                                           void (*done)(void *ctx), void *ctx);
void claude_update_free(struct claude_update *u); /* stops waiting; NULL is fine */

#endif
