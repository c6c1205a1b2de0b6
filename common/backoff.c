/* SPDX-License-Identifier: Apache-2.0 */
#include "common/backoff.h"

#include <sodium.h>

#include "common/banned.h"

static int64_t ceiling(const struct backoff *b)
{
    int64_t ms = b->base_ms;

    for (unsigned i = 0; i < b->tries && ms < b->cap_ms; i++)
        ms = ms > INT64_MAX / 2 ? INT64_MAX : ms * 2;
    return ms < b->cap_ms ? ms : b->cap_ms;
}

int64_t backoff_delay_ms(const struct backoff *b, uint32_t random)
{
    int64_t high = ceiling(b);

    return high < 1 ? high : 1 + (int64_t)((unsigned __int128)high * random >> 32);
}

int64_t backoff_next_ms(struct backoff *b)
{
    int64_t ms = backoff_delay_ms(b, randombytes_random());

    if (b->tries < UINT32_MAX)
        b->tries++;
    return ms;
}

void backoff_reset(struct backoff *b)
{
    b->tries = 0;
}
