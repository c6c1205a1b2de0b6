/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent left, into the artifact store: what the request's globs name, as a tar.gz that is
 * made in the sandbox, and the agent's raw output. Both stream through the worker, in memory for a
 * few pieces, and past the redactor: in the output they are overwritten; an archive with one
 * in a file is not stored. Doing it again stores the same under the same keys. Single-threaded;
 * nothing here blocks. */
#ifndef SANDFLEET_WORKER_COLLECT_H
#define SANDFLEET_WORKER_COLLECT_H

#include "common/secret/secret.h"
#include "schema/run_request.h"
#include "worker/e2b/sandbox.h"
#include "worker/store/store.h"

struct collect; /* opaque: one under way */

enum {
    COLLECT_MAX_MS = 300 * 1000,
    COLLECT_MAX_BYTES = 256 << 20, /* of an artifact */
    COLLECT_MAX_FILES = 20000,
    COLLECT_TRIES = 3
};
#define COLLECT_MAX_UNPACKED ((int64_t)1 << 30)

struct artifact { /* borrowed for the call */
    const char *name;
    int64_t bytes, files; /* files: in it; 0: it is one itself */
    const char *sha256, *location;
    size_t masked; /* secrets that were overwritten in it */
};
struct collect_events { /* called from the loop */
    void (*stored)(void *ctx, const struct artifact *a);
    void (*failed)(void *ctx, const char *name, const struct err *e); /* and it goes on */
    void (*done)(void *ctx); /* last call; the handle is gone by then */
};
struct collect_want {                  /* borrowed until the end */
    const struct run_request *request; /* whose globs; NULL globs: none */
    const char *run_id;
    int64_t attempt, epoch;
    bool output;          /* the raw output, too… */
    int64_t output_bytes; /* …of this size */
    const struct redactor *redactor;
};

/* store NULL: failed() says so for each of them. */
enum err_code collect_start(struct store *store, struct sandbox *sb,
                            const struct collect_want *want, const struct collect_events *ev,
                            void *ctx, struct collect **out, struct err *err) MUST_USE;
void collect_free(struct collect *c); /* NULL is fine; what is under way is not stored */

/* "<tenant>/<run>/<attempt>/<name>", what a key cannot have as =XX. Pure. */
void collect_key(const char *tenant, const char *run_id, int64_t attempt, const char *name,
                 struct buf *out);

#endif
