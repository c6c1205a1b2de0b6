/* SPDX-License-Identifier: Apache-2.0 */
/* Files that outlive a sandbox, by key: a session's transcript, a run's artifacts. What is
 * stored under a key is whole or not there at all. Nobody but its user encrypts or masks it.
 * Single-threaded: call only from the loop's thread. Nothing here blocks. */
#ifndef SANDFLEET_WORKER_STORE_H
#define SANDFLEET_WORKER_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/http/http.h"
#include "common/loop.h"
#include "common/secret/secret.h"

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

/* An S3, or what speaks as one. */
struct store_s3_opts {    /* borrowed until return */
    const char *where;    /* "s3://bucket" or "s3://bucket/prefix" */
    const char *endpoint; /* NULL: Amazon's of the region; the bucket comes in the path */
    const char *region;
    const struct secret *key_id, *key, *token; /* token NULL: none */
    const struct http_opts *http;              /* NULL: defaults */
};
bool store_is_s3(const char *where);
/* ERR_CONFIG: a name or a key is missing, or is none. Nothing is asked for yet. */
enum err_code store_s3_new(struct loop *l, const struct store_s3_opts *opts, struct store **out,
                           struct err *err) MUST_USE;

void store_free(struct store *s); /* before the loop; calls under way still end; NULL is fine */

/* Takes *bytes (left empty) on success. It replaces what the key had, and is on the disk
 * when fn says so. ERR_INVALID: the key. */
enum err_code store_put(struct store *s, const char *key, struct buf *bytes, store_fn fn, void *ctx,
                        struct store_call **out, struct err *err) MUST_USE;
/* The same of `bytes` bytes, piece by piece: more() as in http_events, called from the loop, never
 * from inside this call. HTTP_STOP there, or another sum at the end (ERR_CONFLICT), and nothing is
 * stored. */
enum err_code store_put_from(struct store *s, const char *key, int64_t bytes,
                             ssize_t (*more)(void *ctx, char *p, size_t room), store_fn fn,
                             void *ctx, struct store_call **out, struct err *err) MUST_USE;
void store_go_on(struct store_call *c); /* more() has something now */
enum err_code store_get(struct store *s, const char *key, size_t max_bytes, store_fn fn, void *ctx,
                        struct store_call **out, struct err *err) MUST_USE;
/* Success also when there is none. */
enum err_code store_remove(struct store *s, const char *key, store_fn fn, void *ctx,
                           struct store_call **out, struct err *err) MUST_USE;
/* Where a key is, for people: "file:///…" or "s3://…". Appends to out. */
void store_location(const struct store *s, const char *key, struct buf *out);
void store_cancel(struct store_call *c); /* fn is not called; it may still take effect; NULL ok */

#endif
