/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what an agent cost that did not say so is what came to its conversation's total, and
 * never less than it had said, nor what another agent cost. */
#include "tests/lib/table.h"
#include "worker/run/model_usage.h"
#include "worker/run/stream_json.h"
#include "common/banned.h"

#define TOTAL(models) "{\"type\":\"cost-state\",\"totalCostUSD\":9,\"modelUsage\":{" models "}}"
#define MODEL(name, usd, in, out)                                                                  \
    "\"" name "\":{\"inputTokens\":" #in ",\"outputTokens\":" #out                                 \
    ",\"cacheReadInputTokens\":7,\"cacheCreationInputTokens\":8,\"costUSD\":" #usd "}"

static struct row {
    const char *name, *before, *after;
    double said, want;
    int64_t input, output, cache_read;
} rows[] = {
    {"a new conversation", "", TOTAL(MODEL("m", 0.5, 10, 2)), 0, 0.5, 10, 2, 7},
    {"one that went on", TOTAL(MODEL("m", 0.5, 10, 2)), TOTAL(MODEL("m", 0.75, 30, 5)), 0, 0.25, 20,
     3, 0},
    {"with another model", TOTAL(MODEL("m", 0.5, 10, 2)),
     TOTAL(MODEL("m", 0.5, 10, 2) "," MODEL("n", 1.5, 1, 1)), 0, 1.5, 1, 1, 7},
    {"it left no total: the newest is of before", TOTAL(MODEL("m", 0.5, 10, 2)),
     TOTAL(MODEL("m", 0.5, 10, 2)), 0, 0, 0, 0, 0},
    {"there is none", "", "", 0, 0, 0, 0, 0},
    {"more than it had said", "", TOTAL(MODEL("m", 0.5, 10, 2)), 0.25, 0.5, 10, 2, 7},
    {"less than it had said", "", TOTAL(MODEL("m", 0.5, 10, 2)), 0.75, 0.75, 0, 0, 0},
    {"another line", "", "{\"type\":\"user\",\"modelUsage\":{" MODEL("m", 0.5, 10, 2) "}}", 0, 0, 0,
     0, 0},
    {"cut", "", "{\"type\":\"cost-state\",\"modelUsage\":{\"m\":{\"costUSD\":0.5", 0, 0, 0, 0, 0},
    {"what was before is none", "{\"type\":\"user\"}", TOTAL(MODEL("m", 0.5, 10, 2)), 0, 0, 0, 0,
     0},
    {"it shrank", TOTAL(MODEL("m", 0.5, 10, 2)), TOTAL(MODEL("m", 0.25, 20, 1)), 0, 0, 10, 0, 0},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct stream_state st = {.cost_usd = row->said};
    bool learned = stream_json_total(&st, str_of(row->before), str_of(row->after));

    assert_int_equal(learned, row->input > 0);
    assert_true(st.cost_usd == row->want);
    assert_int_equal(st.input_tokens, row->input);
    assert_int_equal(st.output_tokens, row->output);
    assert_int_equal(st.cache_read_tokens, row->cache_read);
}

int main(void)
{
    return TABLE_RUN("model usage", rows, check);
}
