/* SPDX-License-Identifier: Apache-2.0 */
/* Files that outlive a sandbox, by key: a session's transcript, a run's artifacts. What is
 * stored under a key is whole or not there at all. Nobody but its user encrypts or masks it.
 * Single-threaded: call only from the loop's thread. Nothing here blocks. */
#ifndef SANDFLEET_WORKER_STORE_H
#define SANDFLEET_WORKER_STORE_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"

struct store;      /* opaque */
struct store_call; /* opaque: one under way */

enum { STORE_KEY_MAX = 400 };

/* Names of letters, digits, '.', '_', '-' and '=', none of them beginning with '.', joined
 * by '/'; of at most STORE_KEY_MAX bytes. */
bool store_key_ok(const char *key);

/* Called once, unless cancelled; the handle is gone by then. e->code ERR_OK: done. NOT_FOUND:
 * no such key. TOO_BIG: more than the caller would have. IO, …: try again. Of a store_get:
 * *bytes may be kept by moving it out; of the others it is empty. */
typedef void (*store_fn)(void *ctx, struct buf *bytes, const struct err *e);

/* where: a directory, made when missing (0700). ERR_CONFIG: it cannot be used. */
enum err_code store_new(struct loop *l, const char *where, struct store **out,
                        struct err *err) MUST_USE;
void store_free(struct store *s); /* before the loop; calls under way still end; NULL is fine */

/* Takes *bytes (left empty) on success. It replaces what the key had, and is on the disk
 * when fn says so. ERR_INVALID: the key. */
enum err_code store_put(struct store *s, const char *key, struct buf *bytes, store_fn fn, void *ctx,
                        struct store_call **out, struct err *err) MUST_USE;
enum err_code store_get(struct store *s, const char *key, size_t max_bytes, store_fn fn, void *ctx,
                        struct store_call **out, struct err *err) MUST_USE;
/* Success also when there is none. */
enum err_code store_remove(struct store *s, const char *key, store_fn fn, void *ctx,
                           struct store_call **out, struct err *err) MUST_USE;
void store_cancel(struct store_call *c); /* fn is not called; it may still take effect; NULL ok */

#endif
