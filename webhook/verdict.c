/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verdict.h"

#include "common/backoff.h"

#include "common/banned.h"

const char *verdict_name(enum verdict v)
{
#define NAME(name, text) [VERDICT_##name] = (text),
    static const char *const names[VERDICTS] = {VERDICT_MAP(NAME)};
#undef NAME
    return names[v];
}

enum verdict verdict_of(int status)
{
    if (status / 100 == 2)
        return VERDICT_DELIVERED;
    return status == 410 ? VERDICT_GONE : VERDICT_AGAIN;
}

/* Half of the exponential wait is certain, half of it is luck: many that failed together do not
 * come back together, and none comes back at once. */
int64_t verdict_wait_ms(const struct verdict_waits *w, int64_t tries, int64_t retry_after_ms,
                        uint32_t random)
{
    const struct backoff b = {.base_ms = w->base, .cap_ms = w->cap, .tries = (unsigned)tries - 1};
    int64_t all = backoff_delay_ms(&b, UINT32_MAX);
    const struct backoff half = {.base_ms = all / 2, .cap_ms = all / 2};
    int64_t ms = all - all / 2 + backoff_delay_ms(&half, random);

    return ms > retry_after_ms ? ms : retry_after_ms;
}
