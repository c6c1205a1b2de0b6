/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential backoff with full jitter. Pure: the random number comes from outside. */
#ifndef SANDFLEET_COMMON_BACKOFF_H
#define SANDFLEET_COMMON_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t base_ms, cap_ms;
    unsigned tries; /* failures in a row so far */
};

#define BACKOFF_INIT(base, cap) ((struct backoff){.base_ms = (base), .cap_ms = (cap)})

/* Milliseconds to wait before try number `tries` + 1: uniform in
 * [1, ceil], ceil = min(cap, base * 2^tries). `random` is any 32-bit number. */
int64_t backoff_delay_ms(const struct backoff *b, uint32_t random);

/* The same with libsodium's random number, and counts the failure. */
int64_t backoff_next_ms(struct backoff *b);
void backoff_reset(struct backoff *b);

#endif
