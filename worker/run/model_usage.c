/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/model_usage.h"

#include "common/json/json.h"
#include "worker/run/json_walk.h"

#include "common/banned.h"

struct model_usage model_usage_sum(struct str models)
{
    struct json_walk w = json_walk(models);
    struct json_member model;
    struct model_usage u = {0};

    while (json_walk_member(&w, &model)) {
        u.cost_usd += json_to_amount(json_walk_get(model.value, "costUSD"));
        u.input += json_to_count(json_walk_get(model.value, "inputTokens"));
        u.output += json_to_count(json_walk_get(model.value, "outputTokens"));
        u.cache_read += json_to_count(json_walk_get(model.value, "cacheReadInputTokens"));
        u.cache_write += json_to_count(json_walk_get(model.value, "cacheCreationInputTokens"));
    }
    return u;
}

static int64_t grown(int64_t now, int64_t before)
{
    return now > before ? now - before : 0;
}

struct model_usage model_usage_since(struct model_usage now, struct model_usage before)
{
    return (struct model_usage){
        .cost_usd = now.cost_usd > before.cost_usd ? now.cost_usd - before.cost_usd : 0,
        .input = grown(now.input, before.input),
        .output = grown(now.output, before.output),
        .cache_read = grown(now.cache_read, before.cache_read),
        .cache_write = grown(now.cache_write, before.cache_write)};
}

bool model_usage_of_total(struct str line, struct model_usage *out)
{
    struct json_scan scan;

    if (json_scan(line, NULL, 0, &scan, NULL) != ERR_OK || !scan.is_object ||
        !str_is(json_walk_get(line, "type"), "\"cost-state\""))
        return false;
    *out = model_usage_sum(json_walk_get(line, "modelUsage"));
    return true;
}
