/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/bucket.h"

#include "common/banned.h"

#define SECOND_US INT64_C(1000000)

bool bucket_take(struct bucket *b, int64_t now_ms, int64_t per_second, int64_t burst,
                 int64_t *wait_s)
{
    int64_t now = now_ms * 1000, one = SECOND_US / per_second;
    int64_t full_at = b->full_at_us > now ? b->full_at_us : now;
    int64_t over = full_at + one - (now + burst * one);

    if (over > 0) {
        *wait_s = (over + SECOND_US - 1) / SECOND_US;
        return false;
    }
    b->full_at_us = full_at + one;
    return true;
}
