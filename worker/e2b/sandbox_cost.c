/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_report.h"

#include "common/banned.h"

enum { SECOND_MS = 1000 };

double sandbox_cost_usd(const struct sandbox_rates *rates, int64_t cpu_count, int64_t memory_mb,
                        int64_t running_ms)
{
    static const double hour_s = 3600, gib_mb = 1024;
    double per_hour, seconds;

    if (cpu_count < 0 || memory_mb < 0 || running_ms <= 0)
        return 0;
    per_hour = rates->cpu_hour * (double)cpu_count + rates->gib_hour * (double)memory_mb / gib_mb;
    seconds = (double)((running_ms - 1) / SECOND_MS + 1);
    return per_hour * seconds / hour_s;
}
