/* SPDX-License-Identifier: Apache-2.0 */
/* The API keys as this process knows them: those that came in lately are kept, so that a request
 * does not wait for the database; what is revoked is told by it (API_KEY_CHANNEL). A connection of
 * its own: nobody's query stands before a look-up. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_API_AUTH_KEYS_H
#define SANDFLEET_API_AUTH_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/auth/bucket.h"
#include "common/loop.h"
#include "schema/api_key.h"
#include "schema/run_request.h"

enum {
    KEYS_KEPT = 4096,               /* the least recently used goes first */
    KEYS_LOOKS_MAX = 256,           /* look-ups under way: unknown keys come from strangers */
    KEYS_FRESH_MS = 60 * 1000,      /* older: read again, while it is used on */
    KEYS_STALE_MS = 5 * 60 * 1000,  /* older: not used before it was read again */
    KEYS_USED_EVERY_MS = 60 * 1000, /* so often at most last_used_at is written */
    KEYS_USED_WITHIN_MS = 1000
};

struct key { /* borrowed until the next turn of the loop */
    char id[API_KEY_ID];
    char tenant[RUN_NAME_MAX_BYTES + 1];
    uint8_t hash[API_KEY_BYTES];
    unsigned scopes; /* enum api_scope */
    bool counts;     /* it was not revoked and has not expired, when it was read */
    int64_t ends_ms; /* loop_now_ms(); INT64_MAX: it does not expire */
    struct bucket bucket;
};

struct keys; /* opaque */

struct keys_opts { /* borrowed */
    const char *conninfo;
    int64_t statement_ms;
    void (*changed)(void *ctx, const char *id); /* told of a key that it is not what it was */
    void *ctx;
};

enum err_code keys_new(struct loop *l, const struct keys_opts *opts, struct keys **out,
                       struct err *err) MUST_USE;
void keys_free(struct keys *k); /* callbacks of what is under way are not called */

bool keys_up(const struct keys *k); /* the database answers */

/* The key if it is known well enough; NULL: keys_ask(). */
struct key *keys_find(struct keys *k, const char *id);

enum keys_answer { KEYS_FOUND, KEYS_NONE, KEYS_AWAY, KEYS_BUSY };
typedef void (*keys_fn)(void *ctx, enum keys_answer answer, struct key *key);
/* Reads it; fn follows, never from inside this call. KEYS_AWAY, KEYS_BUSY: returned, fn is not
 * called; KEYS_FOUND: it will be. */
enum keys_answer keys_ask(struct keys *k, const char *id, keys_fn fn, void *ctx);

bool key_counts(const struct key *key, int64_t now_ms);
/* It came in. */
void keys_used(struct keys *k, struct key *key);

#endif
