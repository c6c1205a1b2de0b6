/* SPDX-License-Identifier: Apache-2.0 */
/* Classification: the top level is validated once, what lies deeper is walked only
 * where something is needed from it. */
#include "worker/run/stream_json.h"

#include <string.h>

#include "common/json/json.h"
#include "worker/run/json_walk.h"
#include "worker/run/model_usage.h"

#include "common/banned.h"

enum { MEMBERS_ROOM = 64, WORD_MAX_BYTES = 128 };

struct top { /* one line's members */
    struct json_member m[MEMBERS_ROOM];
    size_t n;
};

static struct str field(const struct top *t, const char *key)
{
    return json_member(t->m, t->n, key);
}

static void keep_text(const struct top *t, const char *key, char *out, size_t size)
{
    struct str value = field(t, key);

    if (value.n > 0 && *value.p == '"')
        json_to_text(value, out, size);
}

static void on_init(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    st->inits++;
    keep_text(t, "session_id", st->session_id, sizeof(st->session_id));
    keep_text(t, "model", st->model, sizeof(st->model));
    keep_text(t, "claude_code_version", st->version, sizeof(st->version));
    out->model = json_to_word(field(t, "model"), WORD_MAX_BYTES);
}

/* API failures come as an assistant line of a synthetic model that carries an error word. */
static void keep_error(struct stream_state *st, const struct top *t)
{
    if (json_to_word(field(t, "error"), WORD_MAX_BYTES).n == 0)
        return;
    keep_text(t, "error", st->error, sizeof(st->error));
    st->error_status = json_to_count(field(t, "api_error_status"));
}

static void on_assistant(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    struct str message = field(t, "message"), block;
    struct json_walk blocks = json_walk(json_walk_get(message, "content"));

    out->model = json_to_word(json_walk_get(message, "model"), WORD_MAX_BYTES);
    while (json_walk_element(&blocks, &block)) {
        if (!str_is(json_walk_get(block, "type"), "\"tool_use\""))
            continue;
        st->tool_uses++;
        if (out->type != EVENT_AGENT_TOOL_USE)
            out->tool = json_to_word(json_walk_get(block, "name"), WORD_MAX_BYTES);
        out->type = EVENT_AGENT_TOOL_USE;
    }
    keep_error(st, t);
}

static void on_user(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    struct json_walk blocks = json_walk(json_walk_get(field(t, "message"), "content"));
    struct str block;

    while (json_walk_element(&blocks, &block)) {
        if (!str_is(json_walk_get(block, "type"), "\"tool_result\""))
            continue;
        st->tool_results++;
        st->tool_errors += json_is_true(json_walk_get(block, "is_error"));
        out->type = EVENT_AGENT_TOOL_RESULT;
    }
}

static struct model_usage usage_so_far(const struct stream_state *st)
{
    return (struct model_usage){st->cost_usd, st->input_tokens, st->output_tokens,
                                st->cache_read_tokens, st->cache_write_tokens};
}

/* What this result line added. Older programs only tell totals of their process. */
static struct model_usage added_usage(const struct stream_state *st, const struct top *t,
                                      bool exact)
{
    if (exact)
        return model_usage_sum(field(t, "model_usage_since_last_result"));
    return model_usage_since(model_usage_sum(field(t, "modelUsage")), usage_so_far(st));
}

static void add_usage(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    struct str since = field(t, "model_usage_since_last_result");
    bool exact = since.n > 0 && *since.p == '{';
    struct model_usage u = added_usage(st, t, exact);

    st->usage_exact = exact && (st->results == 0 || st->usage_exact);
    st->cost_usd += u.cost_usd;
    st->input_tokens += u.input;
    st->output_tokens += u.output;
    st->cache_read_tokens += u.cache_read;
    st->cache_write_tokens += u.cache_write;
    out->cost_usd = u.cost_usd;
    out->input_tokens = u.input;
    out->output_tokens = u.output;
}

static bool says_no_conversation(struct str errors)
{
    static const char text[] = "\"No conversation found";
    struct json_walk w = json_walk(errors);
    struct str e;

    while (json_walk_element(&w, &e))
        if (str_starts(e, text))
            return true;
    return false;
}

static void on_result(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    struct stream_result *r = &st->last;

    *r = (struct stream_result){.seen = true, .is_error = json_is_true(field(t, "is_error"))};
    keep_text(t, "subtype", r->subtype, sizeof(r->subtype));
    keep_text(t, "terminal_reason", r->terminal_reason, sizeof(r->terminal_reason));
    keep_text(t, "api_error", r->api_error, sizeof(r->api_error));
    keep_text(t, "stop_reason", r->stop_reason, sizeof(r->stop_reason));
    keep_text(t, "session_id", st->session_id, sizeof(st->session_id));
    r->api_error_status = json_to_count(field(t, "api_error_status"));
    r->num_turns = json_to_count(field(t, "num_turns"));
    r->duration_ms = json_to_count(field(t, "duration_ms"));
    st->structured = st->structured || field(t, "structured_output").n > 0;
    st->no_conversation = says_no_conversation(field(t, "errors"));
    add_usage(st, t, out);
    st->results++;
}

static void on_rate_limit(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    struct str info = field(t, "rate_limit_info");

    (void)out;
    st->limit_rejected = str_is(json_walk_get(info, "status"), "\"rejected\"");
    st->limit_resets_at_s = json_to_count(json_walk_get(info, "resetsAt"));
    json_to_text(json_walk_get(info, "rateLimitType"), st->limit_type, sizeof(st->limit_type));
}

static void on_tasks_changed(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    struct json_walk tasks = json_walk(field(t, "tasks"));
    struct str task;

    (void)out;
    st->tasks_listed = true;
    for (st->tasks = 0; json_walk_element(&tasks, &task);)
        st->tasks++;
}

static void on_task_started(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    (void)t, (void)out;
    st->tasks += !st->tasks_listed;
}

static void on_task_over(struct stream_state *st, const struct top *t, struct stream_line *out)
{
    (void)t, (void)out;
    st->tasks -= !st->tasks_listed && st->tasks > 0;
}

/* First match counts; subtype NULL: any. Values as they stand in the text, with quotes. */
static const struct kind {
    const char *type, *subtype;
    enum event_type event;
    void (*add)(struct stream_state *st, const struct top *t, struct stream_line *out);
} kinds[] = {
    {"\"assistant\"", NULL, EVENT_AGENT_MESSAGE, on_assistant},
    {"\"user\"", NULL, EVENT_AGENT_MESSAGE, on_user},
    {"\"stream_event\"", NULL, EVENT_AGENT_DELTA, NULL},
    {"\"result\"", NULL, EVENT_AGENT_RESULT, on_result},
    {"\"system\"", "\"init\"", EVENT_AGENT_INIT, on_init},
    {"\"system\"", "\"background_tasks_changed\"", EVENT_AGENT_SYSTEM, on_tasks_changed},
    {"\"system\"", "\"task_started\"", EVENT_AGENT_SYSTEM, on_task_started},
    {"\"system\"", "\"task_notification\"", EVENT_AGENT_SYSTEM, on_task_over},
    {"\"system\"", NULL, EVENT_AGENT_SYSTEM, NULL},
    {"\"tool_progress\"", NULL, EVENT_AGENT_PROGRESS, NULL},
    {"\"rate_limit_event\"", NULL, EVENT_AGENT_RATE_LIMIT, on_rate_limit},
};

static const struct kind *find_kind(const struct top *t)
{
    struct str type = field(t, "type"), subtype = field(t, "subtype");

    for (size_t i = 0; i < COUNTOF(kinds); i++)
        if (str_is(type, kinds[i].type) && (!kinds[i].subtype || str_is(subtype, kinds[i].subtype)))
            return &kinds[i];
    return NULL;
}

void stream_json_line(struct stream_state *st, struct str line, struct stream_line *out)
{
    struct json_scan scan;
    const struct kind *kind;
    struct top top;

    *out = (struct stream_line){.type = EVENT_AGENT_TEXT};
    st->lines++;
    if (json_scan(line, top.m, MEMBERS_ROOM, &scan, NULL) != ERR_OK || !scan.is_object) {
        st->text_lines++;
        return;
    }
    top.n = scan.n_members < MEMBERS_ROOM ? scan.n_members : MEMBERS_ROOM;
    out->is_json = true;
    out->unsafe = scan.unsafe;
    out->nested = field(&top, "parent_tool_use_id").n > 0 &&
                  !str_is(field(&top, "parent_tool_use_id"), "null");
    kind = find_kind(&top);
    out->type = kind ? kind->event : EVENT_AGENT_OTHER;
    if (kind && kind->add)
        kind->add(st, &top, out);
}

bool stream_json_total(struct stream_state *st, struct str before, struct str after)
{
    struct model_usage then = {0}, now;

    if (str_eq(before, after) || !model_usage_of_total(after, &now) ||
        (before.n > 0 && !model_usage_of_total(before, &then)))
        return false;
    now = model_usage_since(now, then);
    if (now.cost_usd < st->cost_usd)
        return false;
    st->cost_usd = now.cost_usd;
    st->input_tokens = now.input;
    st->output_tokens = now.output;
    st->cache_read_tokens = now.cache_read;
    st->cache_write_tokens = now.cache_write;
    return true;
}
