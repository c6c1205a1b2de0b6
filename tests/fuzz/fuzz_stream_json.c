/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a line holds, its event data is valid JSON that jsonb takes, under
 * the ceiling; counts never go down, and nothing is stuck when it has just spoken. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "worker/run/limit_windows.h"
#include "worker/run/outcome.h"
#include "worker/run/stream_json.h"
#include "worker/run/watchdog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_data(char *line, size_t n, const struct stream_line *kind)
{
    AUTO_BUF out = BUF_INIT(EVENT_DATA_MAX_BYTES);
    struct json_scan scan;
    struct err err;

    assert(stream_json_data(line, n, kind, 1, 2, (int64_t)n, 0, &out, &err) == ERR_OK);
    assert(json_scan(buf_str(&out), NULL, 0, &scan, &err) == ERR_OK);
    assert(scan.is_object && scan.unsafe == 0);
}

/* As Postgres gets it. */
static void check_windows(struct str line)
{
    AUTO_BUF out = BUF_INIT(LIMIT_WINDOWS_BYTES);
    struct json_scan scan;
    struct err err;

    if (!limit_windows(line, &out))
        return;
    assert(json_scan(buf_str(&out), NULL, 0, &scan, &err) == ERR_OK);
    assert(scan.is_object && scan.n_members <= LIMIT_WINDOWS_MAX && scan.unsafe == 0);
}

static void check_watchdog(const struct stream_state *st, const struct stream_line *kind)
{
    static const struct watchdog_limits limits = {3, 2, 1};
    struct watchdog w = {0};

    watchdog_start(&w, 0);
    watchdog_line(&w, st, kind, 10);
    assert(st->tasks >= 0 && watchdog_due_ms(&w, &limits) > 10);
    assert(watchdog_verdict(&w, &limits, 10) == WATCHDOG_NONE);
}

/* As the total before and behind, in either half. */
static void check_total(struct str line)
{
    struct stream_state st = {0};
    struct str head = {line.p, line.n / 2}, tail = {line.p + line.n / 2, line.n - line.n / 2};

    (void)stream_json_total(&st, head, tail);
    (void)stream_json_total(&st, (struct str){0}, line);
    assert(st.cost_usd >= 0 && st.input_tokens >= 0 && st.cache_read_tokens >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream_state st = {0};
    struct stream_line kind;
    AUTO_BUF seen = BUF_INIT(16 << 20);
    char *line;

    if (size == 0) /* blank lines do not get here */
        return 0;
    line = malloc(size);
    assert(line);
    memcpy(line, data, size);
    stream_json_line(&st, (struct str){line, size}, &kind);
    assert(st.lines == 1 && st.cost_usd >= 0 && st.input_tokens >= 0 && st.output_tokens >= 0);
    assert(outcome_of_exit(&st, 1, (struct str){line, size}) < OUTCOMES);
    check_watchdog(&st, &kind);
    check_total((struct str){line, size});
    if (kind.type == EVENT_AGENT_RATE_LIMIT)
        check_windows((struct str){line, size});
    stream_json_render((struct str){line, size}, &kind, &seen);
    check_data(line, size, &kind);
    free(line);
    return 0;
}
