/* SPDX-License-Identifier: Apache-2.0 */
/* A transcript's two ways: out of a sandbox into the store, and from the store to whoever
 * uploads it. Closed and opened beside the loop. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_CARRY_H
#define SANDFLEET_WORKER_CARRY_H

#include "common/secret/redact.h"
#include "worker/e2b/sandbox.h"
#include "worker/session/transcript.h"

struct carry; /* opaque: one under way, either way */

enum { CARRY_MS = 120 * 1000 /* for all of it */ };

struct carry_store { /* borrowed until return; what it points to, for the life of the call… */
    struct loop *loop;
    struct store *store;
    const struct redactor *redactor; /* what it finds is cut out, unless it is sealed */
    const struct secret *seal;       /* …and this until the loop is freed; NULL: not sealed */
};

struct carry_done {   /* borrowed */
    struct buf *text; /* of carry_in: may be kept by moving it out */
    int64_t bytes;    /* of carry_out: what is stored */
    const char *sha256;
};
/* Last call, once, never from inside the start; the handle is gone by then. e->code ERR_OK:
 * done. NOT_FOUND: there is no transcript. TOO_BIG: over TRANSCRIPT_MAX_BYTES. INVALID: what
 * is stored is something else. CONFIG: it is sealed with another key. Others: try again. */
typedef void (*carry_fn)(void *ctx, const struct carry_done *d, const struct err *e);

struct carry_from { /* borrowed until return, but for sb */
    struct sandbox *sb;
    const char *run_id; /* whose folder the copy is made in */
    int64_t attempt;
    const char *claude_session; /* a UUID */
};
enum err_code carry_out(const struct carry_store *s, const struct carry_from *from, const char *key,
                        carry_fn fn, void *ctx, struct carry **out, struct err *err) MUST_USE;
enum err_code carry_in(const struct carry_store *s, const char *key, const char *sha256,
                       carry_fn fn, void *ctx, struct carry **out, struct err *err) MUST_USE;
void carry_free(struct carry *c); /* fn is not called any more; NULL is fine */

#endif
