/* SPDX-License-Identifier: Apache-2.0 */
/* What the service reports of a sandbox: how busy it is, what it logged, and what that costs.
 * Single-threaded, as worker/e2b/sandbox.h. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_REPORT_H
#define SANDFLEET_WORKER_E2B_SANDBOX_REPORT_H

#include <stddef.h>

#include "worker/e2b/sandbox.h"

enum { SANDBOX_METRICS_MAX = 4096, SANDBOX_LOGS_MAX = 1000 };

struct sandbox_metric {
    int64_t at_ms; /* wall time, by the service's clock */
    int64_t cpu_count;
    double cpu_used_pct;                                /* of all of them together: 0..100 */
    int64_t mem_used, mem_total, disk_used, disk_total; /* bytes */
};
/* Oldest first; NULL, 0 unless e->code is ERR_OK. Borrowed for the call. */
typedef void (*sandbox_metrics_fn)(void *ctx, const struct sandbox_metric *m, size_t n,
                                   const struct err *e);
/* Between two moments of the service's clock; 0, 0: the latest that it has. */
enum err_code sandbox_metrics(struct sandbox_service *s, const char *sandbox_id, int64_t start_ms,
                              int64_t end_ms, sandbox_metrics_fn fn, void *ctx,
                              struct err *err) MUST_USE;

struct sandbox_log { /* user data: it may hold anything a command said */
    int64_t at_ms;
    const char *level, *message;
};
typedef void (*sandbox_logs_fn)(void *ctx, const struct sandbox_log *lines, size_t n,
                                const struct err *e);
/* From cursor_ms on (0: the beginning), oldest first, at most limit (1..1000) of them. */
enum err_code sandbox_logs(struct sandbox_service *s, const char *sandbox_id, int64_t cursor_ms,
                           int64_t limit, sandbox_logs_fn fn, void *ctx, struct err *err) MUST_USE;

/* --- cost: no call tells it, so it is reckoned ------------------------------------------ */
struct sandbox_rates { /* US dollars */
    double cpu_hour, gib_hour;
};
#define SANDBOX_RATES_INIT ((struct sandbox_rates){.cpu_hour = 0.0504, .gib_hour = 0.0162})

/* By begun seconds of running; what is paused costs nothing. 0 for what makes no sense. Pure. */
double sandbox_cost_usd(const struct sandbox_rates *rates, int64_t cpu_count, int64_t memory_mb,
                        int64_t running_ms);

#endif
