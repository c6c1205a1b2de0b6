/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/sandbox_sizes.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

enum { HOUR_MS = 3600 * 1000 };

static int find(const struct sandbox_sizes *s, const char *template)
{
    int i = 0;
    while (i < s->n && strcmp(s->known[i].template, template) != 0)
        i++;
    return i;
}

struct sandbox_size sandbox_sizes_of(const struct sandbox_sizes *s, const char *template)
{
    int i = find(s, template);
    return i < s->n ? s->known[i].size : (struct sandbox_size){0};
}

struct sandbox_size sandbox_sizes_learn(struct sandbox_sizes *s, const char *template,
                                        int64_t cpu_count, int64_t memory_mb)
{
    struct sandbox_size size = {.cpu_count = cpu_count, .memory_mb = memory_mb};
    int i;

    size.usd_per_hour = sandbox_cost_usd(&s->rates, cpu_count, memory_mb, HOUR_MS);
    if (!template || strlen(template) >= sizeof(s->known[0].template) || size.usd_per_hour <= 0)
        return size;
    i = find(s, template);
    if (i == SANDBOX_SIZES_MAX)
        return size;
    snprintf(s->known[i].template, sizeof(s->known[i].template), "%s", template);
    s->known[i].size = size;
    if (i == s->n)
        s->n++;
    return size;
}

double sandbox_size_cost(const struct sandbox_size *size, int64_t running_ms)
{
    return size->usd_per_hour * (double)running_ms / (double)HOUR_MS;
}
