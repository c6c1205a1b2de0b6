/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/breaker.h"

#include "common/banned.h"

enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms)
{
    if (b->open_until_ms == 0)
        return BREAKER_CLOSED;
    return now_ms < b->open_until_ms ? BREAKER_OPEN : BREAKER_HALF_OPEN;
}

int64_t breaker_room(const struct breaker *b, int64_t now_ms, int64_t busy)
{
    switch (breaker_state(b, now_ms)) {
    case BREAKER_CLOSED:
        return INT64_MAX;
    case BREAKER_HALF_OPEN:
        return busy > 0 ? 0 : 1;
    case BREAKER_OPEN:
        break;
    }
    return 0;
}

bool breaker_good(struct breaker *b)
{
    bool was_open = b->open_until_ms != 0;

    *b = (struct breaker){0};
    return was_open;
}

/* What was under way when it opened tells nothing new. Half of the wait is certain. */
bool breaker_bad(struct breaker *b, int64_t now_ms, uint32_t random)
{
    const struct backoff half = {
        .base_ms = BREAKER_BASE_MS / 2, .cap_ms = BREAKER_CAP_MS / 2, .tries = b->openings};

    b->failures++;
    if (b->failures < BREAKER_FAILURES || breaker_state(b, now_ms) == BREAKER_OPEN)
        return false;
    b->openings++;
    b->open_until_ms =
        now_ms + backoff_delay_ms(&half, UINT32_MAX) + backoff_delay_ms(&half, random);
    return true;
}
