/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"

#include "common/banned.h"

enum { SECOND_MS = 1000, QUERY_MAX_BYTES = 256 };

static enum err_code bad(struct err *err, const char *what)
{
    return err_set(err, ERR_PROTOCOL, "sandbox service: its %s make no sense", what);
}

static void freed(void *p)
{
    free(*(void **)p);
}

/* --- metrics --------------------------------------------------------------------------- */

static bool read_metric(const cJSON *item, struct sandbox_metric *m)
{
    int64_t at_s;

    if (!json_get_int(item, "timestampUnix", &at_s) || at_s < 0 ||
        !json_get_int(item, "cpuCount", &m->cpu_count) ||
        !json_get_number(item, "cpuUsedPct", &m->cpu_used_pct) ||
        !json_get_int(item, "memUsed", &m->mem_used) ||
        !json_get_int(item, "memTotal", &m->mem_total) ||
        !json_get_int(item, "diskUsed", &m->disk_used) ||
        !json_get_int(item, "diskTotal", &m->disk_total))
        return false;
    m->at_ms = at_s * SECOND_MS;
    return true;
}

enum err_code sandbox_metrics_parse(struct str body, struct sandbox_metric **out, size_t *n,
                                    struct err *err)
{
    AUTO_JSON *tree = NULL;
    const cJSON *item;

    if (sandbox_array_parse(body, SANDBOX_METRICS_MAX, &tree, err) != ERR_OK)
        return err->code;
    *out = calloc((size_t)cJSON_GetArraySize(tree) + 1, sizeof(**out));
    if (!*out)
        return err_set(err, ERR_NOMEM, "metrics of a sandbox");
    cJSON_ArrayForEach(item, tree)
    {
        if (!read_metric(item, &(*out)[(*n)++]))
            return bad(err, "metrics");
    }
    return ERR_OK;
}

static enum err_code tell_metrics(struct sandbox_call *c, const struct http_answer *a,
                                  const struct err *e, struct err *err)
{
    AUTO(freed) struct sandbox_metric *all = NULL;
    size_t n = 0;
    struct sandbox_answered to;

    if (e->code == ERR_OK && sandbox_metrics_parse(a->body, &all, &n, err) != ERR_OK)
        return err->code;
    to = sandbox_call_take(c);
    if (!to.forgotten)
        to.fn.metrics(to.ctx, n > 0 ? all : NULL, n, e);
    return ERR_OK;
}

enum err_code sandbox_metrics(struct sandbox_service *s, const char *id, int64_t start_ms,
                              int64_t end_ms, sandbox_metrics_fn fn, void *ctx, struct err *err)
{
    AUTO_BUF query = BUF_INIT(QUERY_MAX_BYTES);

    if (!sandbox_id_ok(str_of(id)) || start_ms < 0 || end_ms < start_ms)
        return err_set(err, ERR_INVALID, "metrics of a sandbox: its id, or the time asked for");
    if (end_ms > 0)
        buf_addf(&query, "?start=%" PRId64 "&end=%" PRId64, start_ms / SECOND_MS,
                 end_ms / SECOND_MS);
    if (query.rc != ERR_OK)
        return err_set(err, query.rc, "metrics of a sandbox");
    return sandbox_call_start(s,
                              &(struct sandbox_ask){.verb = SANDBOX_CALL_METRICS,
                                                    .id = id,
                                                    .query = query.p,
                                                    .told = tell_metrics,
                                                    .fn.metrics = fn,
                                                    .ctx = ctx},
                              err);
}

/* --- logs ------------------------------------------------------------------------------------ */

static bool read_log(const cJSON *item, struct sandbox_log *line)
{
    line->level = json_get_string(item, "level");
    line->message = json_get_string(item, "message");
    return line->level && line->message &&
           clock_parse_rfc3339(str_of(json_get_string(item, "timestamp")), &line->at_ms);
}

enum err_code sandbox_logs_parse(const cJSON *tree, struct sandbox_log **out, size_t *n,
                                 struct err *err)
{
    const cJSON *list = json_get(tree, "logs"), *item;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > SANDBOX_LOGS_MAX)
        return bad(err, "logs");
    *out = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(**out));
    if (!*out)
        return err_set(err, ERR_NOMEM, "logs of a sandbox");
    cJSON_ArrayForEach(item, list)
    {
        if (!read_log(item, &(*out)[(*n)++]))
            return bad(err, "logs");
    }
    return ERR_OK;
}

static enum err_code tell_logs(struct sandbox_call *c, const struct http_answer *a,
                               const struct err *e, struct err *err)
{
    AUTO(freed) struct sandbox_log *lines = NULL;
    AUTO_JSON *tree = NULL;
    size_t n = 0;
    struct sandbox_answered to;

    if (e->code == ERR_OK && json_parse(a->body, 0, &tree, err) != ERR_OK)
        return bad(err, "logs");
    if (e->code == ERR_OK && sandbox_logs_parse(tree, &lines, &n, err) != ERR_OK)
        return err->code;
    to = sandbox_call_take(c);
    if (!to.forgotten)
        to.fn.logs(to.ctx, n > 0 ? lines : NULL, n, e);
    return ERR_OK;
}

enum err_code sandbox_logs(struct sandbox_service *s, const char *id, int64_t cursor_ms,
                           int64_t limit, sandbox_logs_fn fn, void *ctx, struct err *err)
{
    AUTO_BUF query = BUF_INIT(QUERY_MAX_BYTES);

    if (!sandbox_id_ok(str_of(id)) || cursor_ms < 0 || limit < 1 || limit > SANDBOX_LOGS_MAX)
        return err_set(err, ERR_INVALID, "logs of a sandbox: its id, or the range asked for");
    buf_addf(&query, "?direction=forward&limit=%" PRId64, limit);
    if (cursor_ms > 0)
        buf_addf(&query, "&cursor=%" PRId64, cursor_ms);
    if (query.rc != ERR_OK)
        return err_set(err, query.rc, "logs of a sandbox");
    return sandbox_call_start(s,
                              &(struct sandbox_ask){.verb = SANDBOX_CALL_LOGS,
                                                    .id = id,
                                                    .query = query.p,
                                                    .told = tell_logs,
                                                    .fn.logs = fn,
                                                    .ctx = ctx},
                              err);
}
