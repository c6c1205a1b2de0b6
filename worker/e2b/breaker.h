/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit breaker: a service that fails time after time is left alone for a while, then one
 * caller tries, and its end decides. Pure: the time and the random number are passed in.
 *
 *   closed     all may call; BREAKER_FAILURES in a row open it
 *   open       nobody may, until a backoff with jitter has passed
 *   half open  one at a time: good closes it, bad opens it for longer */
#ifndef SANDFLEET_WORKER_E2B_BREAKER_H
#define SANDFLEET_WORKER_E2B_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/backoff.h"

enum { BREAKER_FAILURES = 5, BREAKER_BASE_MS = 2000, BREAKER_CAP_MS = 60000 };

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker { /* zero: closed */
    unsigned failures;
    int64_t open_until_ms; /* 0: closed */
    unsigned openings;     /* in a row */
};

enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms);
/* How many more may call now, with `busy` of them under way. */
int64_t breaker_room(const struct breaker *b, int64_t now_ms, int64_t busy);
/* A call ended. True when it opened (again), or closed. */
bool breaker_good(struct breaker *b);
bool breaker_bad(struct breaker *b, int64_t now_ms, uint32_t random);

#endif
