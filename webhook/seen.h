/* SPDX-License-Identifier: Apache-2.0 */
/* The process seen from outside: /metrics, /healthz, /readyz. */
#ifndef SANDFLEET_WEBHOOK_SEEN_H
#define SANDFLEET_WEBHOOK_SEEN_H

#include <stdbool.h>

#include "common/http/http_pages.h"
#include "common/metrics.h"
#include "webhook/delivery.h"

struct seen_now { /* what only its owner knows */
    bool database_up, kafka_started, stopping;
    size_t waiting, sending;
};

struct seen_opts { /* borrowed for the pages' life */
    struct metrics *metrics;
    void (*look)(void *ctx, struct seen_now *out);
    void *ctx;
};

struct metrics *seen_new(void); /* metrics_free; NULL: no memory */
void seen_made(struct metrics *m, int64_t rows);
void seen_end(struct metrics *m, const struct delivery *d,
              bool over); /* over: it is not sent again */

/* listen: "127.0.0.1:9465". ERR_CONFIG, ERR_NOMEM. */
enum err_code seen_open(struct loop *l, const char *listen, const struct seen_opts *opts,
                        struct http_pages **out, struct err *err) MUST_USE;

#endif
