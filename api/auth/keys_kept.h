/* SPDX-License-Identifier: Apache-2.0 */
/* Private to keys.c: the keys that came in lately, by id; at most KEYS_KEPT of them. Pure. */
#ifndef SANDFLEET_API_AUTH_KEYS_KEPT_H
#define SANDFLEET_API_AUTH_KEYS_KEPT_H

#include "api/auth/keys.h"
#include "common/buf.h"

enum { KEPT_CHAINS = 1024 };

struct kept_key; /* opaque */

struct kept { /* zeroed is empty */
    struct kept_key *chain[KEPT_CHAINS];
    struct kept_key *newest, *oldest; /* by their use */
    size_t n;
};

/* NULL: it is not there. *age_ms since it was read; INT64_MAX where that is in doubt. */
struct key *kept_find(struct kept *t, const char *id, int64_t now_ms, int64_t *age_ms);
/* The one there is, or a new one, for which the least recently used makes room; NULL: no memory. */
struct key *kept_add(struct kept *t, const char *id);
void kept_read(struct kept *t, struct key *key, int64_t now_ms); /* it is as the database has it */
void kept_doubt(struct kept *t, const char *id); /* it may have changed; NULL: all of them */
void kept_drop(struct kept *t, const char *id);
/* True when it is the first use within KEYS_USED_EVERY_MS: kept_take_used() has it. */
bool kept_use(struct kept *t, struct key *key, int64_t now_ms);
void kept_take_used(struct kept *t, struct buf *ids); /* "{id,id}", as Postgres reads it */
void kept_release(struct kept *t);

#endif
