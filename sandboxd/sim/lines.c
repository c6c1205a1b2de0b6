/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sim/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/uuid.h"

#include "common/banned.h"

int64_t tokens_of(struct str text)
{
    return (int64_t)(text.n + 3) / 4;
}

void line_raw(struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes.p, bytes.n);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            exit(1); /* nobody reads us any more */
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
}

static void emit(struct buf *b)
{
    buf_adds(b, "}\n");
    if (b->rc != ERR_OK)
        exit(err_exit_status(b->rc));
    line_raw(buf_str(b));
}

static void put_new_id(struct buf *b, const char *key)
{
    char id[UUID_TEXT];

    uuid_v7(clock_wall_ms(), id);
    json_kv(b, key, id);
}

static void put_ids(struct buf *b, const struct run *r)
{
    json_kv(b, "session_id", r->session_id);
    put_new_id(b, "uuid");
}

static void put_stamp(struct buf *b, const struct run *r)
{
    char now[CLOCK_TEXT];

    json_kv_raw(b, "parent_tool_use_id", STR("null"));
    put_ids(b, r);
    json_kv(b, "timestamp", clock_rfc3339(clock_wall_ms(), now));
}

void line_init(const struct run *r, const char *permission_mode)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);
    char cwd[4096];

    buf_adds(&b, "{");
    json_kv(&b, "type", "system");
    json_kv(&b, "subtype", "init");
    json_kv(&b, "cwd", getcwd(cwd, sizeof(cwd)) != NULL ? cwd : "?");
    json_kv(&b, "session_id", r->session_id);
    json_kv_raw(&b, "tools", STR("[\"Bash\",\"Edit\",\"Read\",\"Write\"]"));
    json_kv_raw(&b, "mcp_servers", STR("[]"));
    json_kv(&b, "model", SIM_MODEL);
    json_kv(&b, "permissionMode", permission_mode);
    json_kv_raw(&b, "slash_commands", STR("[]"));
    json_kv(&b, "apiKeySource", "none");
    json_kv(&b, "claude_code_version", SIM_VERSION);
    json_kv(&b, "output_style", "default");
    json_kv_bool(&b, "simulated", true);
    put_new_id(&b, "uuid");
    emit(&b);
}

/* {"type":"assistant","message":{… "content":[ — the content comes next. */
static void open_assistant(struct buf *b, const char *model, int64_t tokens_in)
{
    buf_adds(b, "{");
    json_kv(b, "type", "assistant");
    json_key(b, "message");
    buf_adds(b, "{");
    put_new_id(b, "id");
    json_kv(b, "type", "message");
    json_kv(b, "role", "assistant");
    json_kv(b, "model", model);
    json_kv_raw(b, "stop_reason", STR("null"));
    json_key(b, "usage");
    buf_adds(b, "{");
    json_kv_int(b, "input_tokens", tokens_in);
    json_kv_int(b, "cache_creation_input_tokens", 0);
    json_kv_int(b, "cache_read_input_tokens", 0);
    json_kv_int(b, "output_tokens", 1); /* as the CLI: the true count is in the result */
    buf_adds(b, "}");
    json_key(b, "content");
    buf_adds(b, "[{");
}

static void close_message(struct buf *b, const struct run *r)
{
    buf_adds(b, "}]}");
    put_stamp(b, r);
}

void line_text(struct run *r, struct str text)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    open_assistant(&b, SIM_MODEL, r->tokens_in);
    json_kv(&b, "type", "text");
    json_kv_str(&b, "text", text);
    close_message(&b, r);
    emit(&b);
    r->tokens_out += tokens_of(text);
    r->num_turns++;
}

static void line_tool_use(struct run *r, const char *id, struct str tool, struct str input)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    open_assistant(&b, SIM_MODEL, r->tokens_in);
    json_kv(&b, "type", "tool_use");
    json_kv(&b, "id", id);
    json_kv_str(&b, "name", tool);
    json_kv_raw(&b, "input", input);
    close_message(&b, r);
    emit(&b);
    r->tokens_out += tokens_of(input);
}

static void line_tool_result(struct run *r, const char *id, struct str output)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    buf_adds(&b, "{");
    json_kv(&b, "type", "user");
    json_key(&b, "message");
    buf_adds(&b, "{");
    json_kv(&b, "role", "user");
    json_key(&b, "content");
    buf_adds(&b, "[{");
    json_kv(&b, "tool_use_id", id);
    json_kv(&b, "type", "tool_result");
    json_kv_str(&b, "content", output);
    json_kv_bool(&b, "is_error", false);
    close_message(&b, r);
    json_key(&b, "tool_use_result");
    buf_adds(&b, "{");
    json_kv_str(&b, "stdout", output);
    json_kv(&b, "stderr", "");
    json_kv_bool(&b, "interrupted", false);
    buf_adds(&b, "}");
    emit(&b);
    r->tokens_in += tokens_of(output);
}

void line_tool(struct run *r, struct str tool, struct str input, struct str output)
{
    char id[UUID_TEXT];

    uuid_v7(clock_wall_ms(), id);
    line_tool_use(r, id, tool, input);
    line_tool_result(r, id, output);
}

void line_retry(const struct run *r, const struct fail *f, int attempt)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    buf_adds(&b, "{");
    json_kv(&b, "type", "system");
    json_kv(&b, "subtype", "api_retry");
    json_kv_int(&b, "attempt", attempt);
    json_kv_int(&b, "max_retries", 10);
    json_kv_int(&b, "retry_delay_ms", 1);
    json_kv_int(&b, "error_status", f->status);
    json_kv(&b, "error", f->error);
    put_ids(&b, r);
    emit(&b);
}

void line_limit(const struct run *r, int64_t resets_at_s)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    buf_adds(&b, "{");
    json_kv(&b, "type", "rate_limit_event");
    json_key(&b, "rate_limit_info");
    buf_adds(&b, "{");
    json_kv(&b, "status", "rejected");
    json_kv_int(&b, "resetsAt", resets_at_s);
    json_kv(&b, "rateLimitType", "five_hour");
    json_kv(&b, "overageStatus", "rejected");
    json_kv_bool(&b, "isUsingOverage", false);
    buf_adds(&b, "}");
    put_ids(&b, r);
    emit(&b);
}

void line_api_error(const struct run *r, const struct fail *f)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    open_assistant(&b, "<synthetic>", 0);
    json_kv(&b, "type", "text");
    json_kv(&b, "text", f->text);
    close_message(&b, r);
    json_kv(&b, "error", f->error);
    json_kv_bool(&b, "is_api_error_message", true);
    if (f->status != 0)
        json_kv_int(&b, "api_error_status", f->status);
    json_kv(&b, "api_error_type", f->api_type);
    emit(&b);
}

void line_interrupted(const struct run *r)
{
    AUTO_BUF b = BUF_INIT(SIM_LINE_MAX);

    buf_adds(&b, "{");
    json_kv(&b, "type", "user");
    json_key(&b, "message");
    buf_adds(&b, "{");
    json_kv(&b, "role", "user");
    json_key(&b, "content");
    buf_adds(&b, "[{");
    json_kv(&b, "type", "text");
    json_kv(&b, "text", "[Request interrupted by user]");
    close_message(&b, r);
    emit(&b);
}
