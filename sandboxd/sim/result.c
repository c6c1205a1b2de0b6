/* SPDX-License-Identifier: Apache-2.0 */
/* The last line. As in the real CLI "type" does not stand first in it, and on a
 * resumed session the totals include the earlier calls; only
 * model_usage_since_last_result is this call's own. */
#include "sandboxd/sim/lines.h"

#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/uuid.h"

#include "common/banned.h"

static const double usd_per_token_in = 3e-6, usd_per_token_out = 15e-6;

static double cost_of(int64_t in, int64_t out)
{
    return (double)in * usd_per_token_in + (double)out * usd_per_token_out;
}

static void put_usage(struct buf *b, int64_t in, int64_t out)
{
    json_key(b, "usage");
    buf_adds(b, "{");
    json_kv_int(b, "input_tokens", in);
    json_kv_int(b, "cache_creation_input_tokens", 0);
    json_kv_int(b, "cache_read_input_tokens", 0);
    json_kv_int(b, "output_tokens", out);
    json_kv(b, "service_tier", "standard");
    buf_adds(b, "}");
}

static void put_model_usage(struct buf *b, const char *key, int64_t in, int64_t out)
{
    json_key(b, key);
    buf_adds(b, "{");
    if (in + out > 0) {
        json_key(b, SIM_MODEL);
        buf_adds(b, "{");
        json_kv_int(b, "inputTokens", in);
        json_kv_int(b, "outputTokens", out);
        json_kv_int(b, "cacheReadInputTokens", 0);
        json_kv_int(b, "cacheCreationInputTokens", 0);
        json_kv_int(b, "webSearchRequests", 0);
        json_kv_num(b, "costUSD", cost_of(in, out));
        json_kv(b, "canonicalModel", SIM_MODEL);
        buf_adds(b, "}");
    }
    buf_adds(b, "}");
}

static void open_result(struct buf *b, const struct run *r, const char *stop, const char *terminal)
{
    int64_t in = r->tokens_in + r->session_in, out = r->tokens_out + r->session_out;

    buf_adds(b, "{");
    json_kv_int(b, "duration_api_ms", 0);
    json_kv(b, "stop_reason", stop);
    json_kv(b, "session_id", r->session_id);
    json_kv_num(b, "total_cost_usd", cost_of(in, out));
    put_usage(b, r->tokens_in, r->tokens_out);
    put_model_usage(b, "modelUsage", in, out);
    json_kv_raw(b, "permission_denials", STR("[]"));
    json_kv(b, "terminal_reason", terminal);
}

static void close_result(struct buf *b, const struct run *r)
{
    char id[UUID_TEXT];

    uuid_v7(clock_wall_ms(), id);
    json_kv(b, "type", "result");
    json_kv_int(b, "duration_ms", clock_wall_ms() - r->started_ms);
    json_kv(b, "uuid", id);
    json_kv_int(b, "queued_turn_count", 0);
    json_kv_int(b, "result_index", 0);
    put_model_usage(b, "model_usage_since_last_result", r->tokens_in, r->tokens_out);
    json_kv_bool(b, "simulated", true);
    buf_adds(b, "}\n");
    if (b->rc == ERR_OK)
        line_raw(buf_str(b));
}

void line_result(const struct run *r, struct str text)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    open_result(&b, r, "end_turn", "completed");
    json_kv_bool(&b, "is_error", false);
    json_kv_int(&b, "num_turns", r->num_turns);
    json_kv(&b, "subtype", "success");
    json_kv_raw(&b, "api_error_status", STR("null"));
    json_kv_str(&b, "result", text);
    close_result(&b, r);
}

void line_result_failed(const struct run *r, const struct fail *f)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    open_result(&b, r, "stop_sequence", f->terminal);
    json_kv_bool(&b, "is_error", true);
    json_kv_int(&b, "num_turns", r->num_turns);
    json_kv(&b, "subtype", f->subtype);
    if (f->status != 0)
        json_kv_int(&b, "api_error_status", f->status);
    json_kv(&b, "api_error_type", f->api_type);
    if (f->limit)
        json_kv(&b, "api_error", "usage_limit_reached");
    if (str_is(STR("success"), f->subtype)) {
        json_kv(&b, "result", f->text);
    } else {
        json_key(&b, "errors");
        buf_adds(&b, "[");
        json_put_string(&b, str_of(f->text));
        buf_adds(&b, "]");
    }
    close_result(&b, r);
}

void line_no_conversation(const struct run *r)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);
    char text[128], id[UUID_TEXT];

    (void)snprintf(text, sizeof(text), "No conversation found with session ID: %s", r->session_id);
    uuid_v7(clock_wall_ms(), id);
    buf_adds(&b, "{");
    json_kv(&b, "type", "result");
    json_kv(&b, "subtype", "error_during_execution");
    json_kv_int(&b, "duration_ms", 0);
    json_kv_int(&b, "duration_api_ms", 0);
    json_kv_bool(&b, "is_error", true);
    json_kv_int(&b, "num_turns", 0);
    json_kv_raw(&b, "stop_reason", STR("null"));
    json_kv(&b, "session_id", r->session_id);
    json_kv_int(&b, "total_cost_usd", 0);
    put_usage(&b, 0, 0);
    json_kv_raw(&b, "modelUsage", STR("{}"));
    json_kv_raw(&b, "permission_denials", STR("[]"));
    json_kv(&b, "uuid", id);
    json_key(&b, "errors");
    buf_adds(&b, "[");
    json_put_string(&b, str_of(text));
    buf_adds(&b, "]");
    json_kv_int(&b, "result_index", 0);
    buf_adds(&b, "}\n");
    if (b.rc == ERR_OK)
        line_raw(buf_str(&b));
}
