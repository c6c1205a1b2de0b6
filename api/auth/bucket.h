/* SPDX-License-Identifier: Apache-2.0 */
/* A token bucket as one number: the time at which it is full again (GCRA). Pure. */
#ifndef SANDFLEET_API_AUTH_BUCKET_H
#define SANDFLEET_API_AUTH_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t full_at_us; /* 0: it is full */
};

/* Takes one token where there is one. now_ms is monotonic; per_second and burst > 0.
 * *wait_s: false: whole seconds until there is one, at least 1. */
bool bucket_take(struct bucket *b, int64_t now_ms, int64_t per_second, int64_t burst,
                 int64_t *wait_s);

#endif
