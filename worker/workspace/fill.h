/* SPDX-License-Identifier: Apache-2.0 */
/* What a request wants in its working directory before the agent starts: a repository, an archive,
 * files, one over the other. The archive is fetched and looked at here and unpacked there; the
 * repository is cloned there. All of it is made beside the working directory and put there at the
 * end, under a lock and with a mark, so that a second owner may do it again, and none does it once
 * an agent has started (fill.sh). Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_FILL_H
#define SANDFLEET_WORKER_FILL_H

#include "schema/run_request.h"
#include "worker/e2b/sandbox.h"
#include "worker/workspace/fetch.h"

struct fill; /* opaque: one under way */

enum { FILL_MAX_MS = 300 * 1000, FILL_GIT_S = 240 };

enum fill_end {
    FILL_DONE,
    FILL_REFUSED, /* for good: it is the request's fault */
    FILL_SOURCE,  /* the archive or the repository could not be had */
    FILL_SANDBOX  /* e says what is the matter with the sandbox */
};
/* Called once, later, the handle gone by then; e says why it is not done. */
typedef void (*fill_fn)(void *ctx, enum fill_end end, const struct err *e);

struct fill_want {                     /* borrowed until the end */
    const struct run_request *request; /* fill_applies() */
    const char *run_id;
    int64_t attempt, epoch;
};
bool fill_applies(const struct run_request *r);

enum err_code fill_start(const struct fetch_policy *policy, struct sandbox *sb,
                         const struct fill_want *want, fill_fn fn, void *ctx, struct fill **out,
                         struct err *err) MUST_USE;
void fill_free(struct fill *f); /* stops waiting; NULL is fine */

#endif
