/* SPDX-License-Identifier: Apache-2.0 */
/* Money and tokens as the agent's program counts them, by model. Pure. */
#ifndef SANDFLEET_WORKER_MODEL_USAGE_H
#define SANDFLEET_WORKER_MODEL_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct model_usage {
    double cost_usd;
    int64_t input, output, cache_read, cache_write; /* tokens */
};

/* {"<model>":{"inputTokens":…},…} summed over its models; zero where it is none. */
struct model_usage model_usage_sum(struct str models);
/* What came to it; nothing of it below zero. */
struct model_usage model_usage_since(struct model_usage now, struct model_usage before);
/* A transcript's line {"type":"cost-state",…}: of all the conversation so far, over all its
 * processes (measured on 2.1.329). False: it is none. */
bool model_usage_of_total(struct str line, struct model_usage *out);

#endif
