/* SPDX-License-Identifier: Apache-2.0 */
/* One file of a sandbox into the store, piece by piece, past the known secrets. Single-threaded;
 * nothing here blocks. */
#ifndef SANDFLEET_WORKER_CARRY_FILE_H
#define SANDFLEET_WORKER_CARRY_FILE_H

#include "common/secret/redact.h"
#include "worker/e2b/envd.h"
#include "worker/store/store.h"

struct carry_file; /* opaque: one under way */

struct carry_file_want { /* path and key borrowed until return, the rest until the end */
    struct loop *loop;
    struct envd *envd;
    struct store *store;
    const char *path, *key;
    int64_t bytes; /* its size; another one is ERR_CONFLICT */
    bool packed;   /* a tar.gz: one that holds a known secret is ERR_INVALID. Else all that is
                    found is overwritten */
    const struct redactor *redactor;
};
struct carry_file_done { /* borrowed for the call; of what is stored */
    const char *sha256;
    size_t masked;
};
/* Called once, later, the handle gone by then. */
typedef void (*carry_file_fn)(void *ctx, const struct carry_file_done *d, const struct err *e);

enum err_code carry_file_start(const struct carry_file_want *want, carry_file_fn fn, void *ctx,
                               struct carry_file **out, struct err *err) MUST_USE;
void carry_file_free(struct carry_file *c); /* NULL is fine; nothing is stored */

#endif
