/* SPDX-License-Identifier: Apache-2.0 */
/* Remembers which answer a create request with an Idempotency-Key got, so that
 * the same request gets it again, and that one is under way. Bounded: the oldest
 * is forgotten. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_IDEMPOTENCY_H
#define SANDFLEET_SANDBOXD_CONTROL_IDEMPOTENCY_H

#include <stdbool.h>

#include "common/buf.h"

enum { IDEMPOTENCY_KEPT = 4096, IDEMPOTENCY_KEY_MAX = 255 };

struct idempotency;

enum idempotent { IDEM_NEW, IDEM_SAME, IDEM_OTHER_BODY, IDEM_IN_PROGRESS };

struct idempotency *idempotency_new(void); /* NULL: no memory */
void idempotency_free(struct idempotency *t);

bool idempotency_key_valid(struct str key); /* 1-255 of [a-z0-9-] */

/* IDEM_SAME: *answer is borrowed until the next call. IDEM_NEW: it is under way from now on, until
 * idempotency_keep() or idempotency_drop(). */
enum idempotent idempotency_begin(struct idempotency *t, struct str key, struct str body,
                                  struct str *answer);
void idempotency_keep(struct idempotency *t, struct str key, struct str answer);
void idempotency_drop(struct idempotency *t, struct str key); /* it came to nothing */

#endif
