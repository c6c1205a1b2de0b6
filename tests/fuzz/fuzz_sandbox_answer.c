/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever the sandbox service answers, it is refused, or what was taken may stand in
 * an address and in a header; and any answer has one error, whose wait is bounded. The first
 * bytes of the input are the status and what else its head says. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/e2b/e2b_error.h"
#include "worker/e2b/sandbox_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4 };

static void try_error(const uint8_t *head, struct str body)
{
    struct http_answer a = {.status = 100 + head[0] * 2,
                            .body = body,
                            .should_retry = head[1] % 3 - 1,
                            .retry_after_ms = (int64_t)head[2] * 5000,
                            .content_range_size = -1};
    enum e2b_surface surface = head[3] % 2 ? E2B_EDGE : E2B_API;
    struct err e = ERR_INIT;

    assert(e2b_error_of_http(surface, &a, &e) != ERR_OK && e.code != ERR_OK);
    assert(e.retry_ms >= 0 && e.retry_ms <= E2B_RETRY_AFTER_MAX_MS);
    if (a.should_retry == 1)
        assert(err_action(e.code) == ERR_DO_RETRY);
    assert(str_utf8(str_of(e.msg), NULL));
}

static void try_made(struct str body)
{
    struct sandbox_made m;
    struct err e;

    if (sandbox_made_parse(body, &m, &e) != ERR_OK)
        return;
    assert(sandbox_id_ok(str_of(m.id)));
    assert(!m.token[0] || sandbox_token_ok(str_of(m.token)));
    assert(!m.traffic_token[0] || sandbox_token_ok(str_of(m.traffic_token)));
    assert(!m.domain[0] || sandbox_host_ok(str_of(m.domain)));
    assert(!strpbrk(m.token, " \r\n") && !strpbrk(m.domain, "/?#@ \r\n"));
}

static void try_items(struct str body)
{
    AUTO_JSON *list = NULL;
    const cJSON *item;
    struct err e;

    if (sandbox_array_parse(body, SANDBOX_PAGE_ITEMS, &list, &e) != ERR_OK)
        return;
    cJSON_ArrayForEach(item, list)
    {
        struct sandbox_info info;
        char snapshot[SANDBOX_TEMPLATE_MAX_BYTES];

        if (sandbox_info_parse(item, &info, &e) == ERR_OK)
            assert(sandbox_id_ok(str_of(info.id)) &&
                   sandbox_template_ok(str_of(info.template_id)) && info.cpu_count >= 0 &&
                   info.memory_mb >= 0);
        if (sandbox_snapshot_parse(item, snapshot, &e) == ERR_OK)
            assert(sandbox_template_ok(str_of(snapshot)));
    }
}

static void try_reports(struct str body)
{
    AUTO_JSON *tree = NULL;
    struct sandbox_metric *metrics = NULL;
    struct sandbox_log *lines = NULL;
    size_t n = 0;
    struct err e;

    if (sandbox_metrics_parse(body, &metrics, &n, &e) == ERR_OK)
        assert(n <= SANDBOX_METRICS_MAX);
    free(metrics);
    n = 0;
    if (json_parse(body, 0, &tree, &e) == ERR_OK &&
        sandbox_logs_parse(tree, &lines, &n, &e) == ERR_OK)
        for (size_t i = 0; i < n; i++)
            assert(lines[i].level && lines[i].message);
    free(lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body;

    if (size < HEAD)
        return 0;
    body = (struct str){(const char *)data + HEAD, size - HEAD};
    try_error(data, body);
    try_made(body);
    try_items(body);
    try_reports(body);
    return 0;
}
