/* SPDX-License-Identifier: Apache-2.0 */
/* How large, and so how dear, the sandboxes of a template are: learnt from one of them, it
 * holds for all. Pure. */
#ifndef SANDFLEET_WORKER_SANDBOX_SIZES_H
#define SANDFLEET_WORKER_SANDBOX_SIZES_H

#include <stdint.h>

#include "worker/e2b/sandbox_report.h"

enum { SANDBOX_SIZES_MAX = 64 };

struct sandbox_size { /* as far as it is known: zeroes */
    int64_t cpu_count, memory_mb;
    double usd_per_hour;
};

struct sandbox_sizes {
    struct sandbox_rates rates;
    struct {
        char template[SANDBOX_TEMPLATE_MAX_BYTES];
        struct sandbox_size size;
    } known[SANDBOX_SIZES_MAX];
    int n;
};

/* Zeroes while no sandbox of this template was looked at. */
struct sandbox_size sandbox_sizes_of(const struct sandbox_sizes *s, const char *template);
/* The size with its price; kept for the template, unless that is NULL or there are too many. */
struct sandbox_size sandbox_sizes_learn(struct sandbox_sizes *s, const char *template,
                                        int64_t cpu_count, int64_t memory_mb);
double sandbox_size_cost(const struct sandbox_size *size, int64_t running_ms);

#endif
