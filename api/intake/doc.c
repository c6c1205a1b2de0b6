/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/doc.h"

#include "common/clock.h"
#include "common/json/json.h"
#include "common/banned.h"

static const char tokens[] = "{\"input_tokens\":0,\"output_tokens\":0,\"cache_read_tokens\":0,"
                             "\"cache_write_tokens\":0}";

static void put(struct buf *out, const char *key, const char *text)
{
    if (text)
        json_kv(out, key, text);
    else
        json_kv_raw(out, key, STR("null"));
}

static void put_time(struct buf *out, const char *key, int64_t ms)
{
    char text[CLOCK_TEXT];

    put(out, key, ms ? clock_rfc3339(ms, text) : NULL);
}

/* Members that are null until something happens. */
static void put_nulls(struct buf *out, const char *const *keys)
{
    for (; *keys; keys++)
        put(out, *keys, NULL);
}

/* Names have nothing in them that JSON would escape. */
static void put_names(struct buf *out, const char *key, const cJSON *names)
{
    const cJSON *name;
    char sep = '[';

    if (!cJSON_GetArraySize(names)) {
        json_kv_raw(out, key, names ? STR("[]") : STR("null"));
        return;
    }
    json_key(out, key);
    cJSON_ArrayForEach(name, names)
    {
        buf_addf(out, "%c\"%s\"", sep, name->valuestring);
        sep = ',';
    }
    buf_addc(out, ']');
}

void doc_run(const struct run_request *r, enum run_lane lane, struct buf *out)
{
    static const char *const not_yet[] = {"outcome", "reason", "hold_reason", "hold_until", NULL};
    static const char *const nobody[] = {"worker_id", "sandbox_id", "claude_session", NULL};
    static const char *const never[] = {"started_at", "ended_at", "last_event_at", NULL};

    buf_addc(out, '{');
    put(out, "run_id", r->run_id);
    put(out, "tenant", r->tenant);
    put(out, "batch_id", r->batch_id);
    put(out, "custom_id", r->custom_id);
    put(out, "session_id", r->session_id);
    put(out, "project_id", r->project_id);
    put(out, "user_id", r->user_id);
    put(out, "lane", run_lane_name(lane));
    put(out, "template", r->template);
    put(out, "model", r->model);
    put_names(out, "tags", r->tags);
    put(out, "credential", r->credential);
    put(out, "state", "queued");
    put_nulls(out, not_yet);
    json_kv_int(out, "attempt", 0);
    put_nulls(out, nobody);
    json_kv_raw(out, "usage", str_of(tokens));
    json_kv_int(out, "cost_usd", 0);
    json_kv_int(out, "sandbox_ms", 0);
    json_kv_int(out, "sandbox_cost_usd", 0);
    put_time(out, "created_at", r->created_ms);
    put_nulls(out, never);
    json_kv_int(out, "last_sequence", 0);
    json_kv_int(out, "missing_lines", 0);
    buf_adds(out, "}\n");
}

static void put_counts(struct buf *out, int64_t queued)
{
    static const char *const others[] = {"held",       "starting",  "running", "retrying",
                                         "cancelling", "completed", "failed",  "timed_out",
                                         "cancelled",  "expired"};

    json_key(out, "counts");
    buf_addc(out, '{');
    json_kv_int(out, "queued", queued);
    for (size_t i = 0; i < COUNTOF(others); i++)
        json_kv_int(out, others[i], 0);
    buf_addc(out, '}');
}

void doc_batch(const struct doc_batch *b, struct buf *out)
{
    static const char *const never[] = {"started_at", "ended_at", NULL};

    buf_addc(out, '{');
    put(out, "batch_id", b->batch_id);
    put(out, "tenant", b->tenant);
    put(out, "state", b->sealed_ms ? "in_progress" : "open");
    put(out, "retry_of", b->retry_of);
    json_kv_raw(out, "metadata", b->metadata ? str_of(b->metadata) : STR("null"));
    json_kv_int(out, "runs", b->runs);
    put_counts(out, b->runs);
    json_kv_raw(out, "usage", str_of(tokens));
    json_kv_int(out, "cost_usd", 0);
    json_kv_int(out, "sandbox_cost_usd", 0);
    put_time(out, "created_at", b->created_ms);
    put_time(out, "sealed_at", b->sealed_ms);
    put_nulls(out, never);
    buf_adds(out, "}\n");
}
