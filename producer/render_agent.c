/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent printed: Claude Code's own lines. Their kinds grow with every version; what is
 * not known is told when it has words for people, and left out else. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/render_internal.h"
#include "common/banned.h"

enum { THOUGHT_FOLD = 4, TOLD_FOLD = 2, MINUTE_S = 60 };

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

void render_init(const struct telling *t)
{
    struct render *r = t->r;

    json_get_bool(t->native, "simulated", &r->simulated);
    render_doing(r, "claude is at work", r->now_ms);
    if (r->inits++ == 0) /* the others begin turns of the same process */
        render_note(t, "claude %s, model %s%s", render_word(t->native, "claude_code_version", "?"),
                    render_word(t->native, "model", "?"),
                    r->simulated ? " (SIMULATED: no model is called)" : "");
}

/* --- messages ------------------------------------------------------------------ */

static void put_text(const struct telling *t, const char *text)
{
    struct para p = {.paint = PAINT_PLAIN};
    struct str words = str_trim(str_of(text));

    if (words.n == 0)
        return;
    render_gap(t, RENDER_SAID);
    render_para(t, &p, words);
}

static void put_thought(const struct telling *t, const char *text)
{
    struct para p = {.mark = render_glyph(t->r, "∴ ", ". "),
                     .mark_paint = PAINT_DIM,
                     .paint = PAINT_DIM,
                     .fold = THOUGHT_FOLD};
    struct str words = str_trim(str_of(text));

    if (words.n == 0)
        return;
    render_gap(t, RENDER_NOTE);
    render_para(t, &p, words);
}

static void put_block(const struct telling *t, const cJSON *block, bool failed)
{
    const char *type = render_word(block, "type", "");

    if (is(type, "text") && failed)
        render_complaint(t, "%s", render_word(block, "text", "the API failed"));
    else if (is(type, "text"))
        put_text(t, json_get_string(block, "text"));
    else if (is(type, "thinking"))
        put_thought(t, json_get_string(block, "thinking"));
    else if (is(type, "redacted_thinking"))
        put_thought(t, "(thinking that is not shown)");
    else if (is(type, "tool_use") || is(type, "server_tool_use"))
        render_tool_use(t, block);
    else if (is(type, "tool_result"))
        render_tool_result(t, block);
}

/* What is said to the agent, but not by its user: by the program, or by another agent. */
static void put_told(const struct telling *t, const char *text)
{
    struct para p = {.mark = render_glyph(t->r, "» ", "> "),
                     .mark_paint = PAINT_DIM,
                     .paint = PAINT_DIM,
                     .cut = true,
                     .fold = TOLD_FOLD};

    render_gap(t, RENDER_NOTE);
    render_para(t, &p, str_trim(str_of(text)));
}

static void put_user(const struct telling *t, const cJSON *content)
{
    const cJSON *block;
    bool synthetic = false, replay = false;

    json_get_bool(t->native, "isSynthetic", &synthetic);
    json_get_bool(t->native, "isReplay", &replay);
    if (cJSON_IsString(content) && (synthetic || replay))
        put_told(t, content->valuestring);
    cJSON_ArrayForEach(block, content)
    {
        const char *text = json_get_string(block, "text");

        if (!text)
            put_block(t, block, false);
        else if (synthetic || replay ||
                 t->depth == 0) /* else a sub-agent's prompt: its call says */
            put_told(t, text);
    }
}

void render_message(const struct telling *t)
{
    const cJSON *message = json_get(t->native, "message");
    const cJSON *content = json_get(message, "content"), *block;
    bool user = is(render_word(t->native, "type", ""), "user");

    render_partial_end(t->r, render_word(message, "id", ""));
    render_speaker(t);
    if (user)
        return put_user(t, content);
    if (cJSON_IsString(content))
        put_text(t, content->valuestring);
    cJSON_ArrayForEach(block, content)
        put_block(t, block, json_get_string(t->native, "error") != NULL);
}

/* --- results, limits ----------------------------------------------------------- */

/* What the request's json_schema asked for. cJSON puts tabs where a space is better. */
static void put_structured(const struct telling *t, const cJSON *value)
{
    struct para p = {.paint = PAINT_PLAIN};
    char *text = value ? cJSON_Print(value) : NULL;

    if (text) {
        for (char *tab = text; (tab = strstr(tab, ":\t"));)
            tab[1] = ' ';
        render_gap(t, RENDER_SAID);
        render_para(t, &p, str_of(text));
    }
    cJSON_free(text);
}

/* Its text was told as a message; a run may have several results. */
void render_result(const struct telling *t)
{
    const cJSON *e;

    render_partial_end(t->r, NULL);
    render_doing(t->r, "finishing", t->r->now_ms);
    cJSON_ArrayForEach(e, json_get(t->native, "errors")) if (cJSON_IsString(e) &&
                                                             !str_starts(str_of(e->valuestring),
                                                                         "[ede_diagnostic]"))
        render_complaint(t, "%s", e->valuestring);
    put_structured(t, json_get(t->native, "structured_output"));
}

void render_limit(const struct telling *t)
{
    const cJSON *info = json_get(t->native, "rate_limit_info");
    const char *status = render_word(info, "status", "?");
    int64_t resets_s = render_int(info, "resetsAt");
    double used = 0;
    char at[CLOCK_TEXT] = "?", percent[32] = "";

    if (is(status, "allowed"))
        return;
    if (resets_s > 0)
        clock_rfc3339(1000 * resets_s, at);
    if (json_get_number(info, "utilization", &used))
        snprintf(percent, sizeof(percent), ", %.0f %% used", 100 * used);
    (is(status, "rejected") ? render_complaint : render_note)(
        t, "usage limit %s: %s%s, resets at %s", render_word(info, "rateLimitType", "?"), status,
        percent, at);
}

/* --- system lines -------------------------------------------------------------- */

static void on_api_retry(const struct telling *t)
{
    double delay = 0;
    int64_t status = render_int(t->native, "error_status");
    char wait[CLOCK_TEXT], code[32] = "no answer";

    json_get_number(t->native, "retry_delay_ms", &delay);
    if (status > 0)
        snprintf(code, sizeof(code), "%" PRId64, status);
    render_note(t, "the API failed: %s, %s; claude tries again in %s (%" PRId64 " of %" PRId64 ")",
                code, render_word(t->native, "error", "?"), clock_duration((int64_t)delay, wait),
                render_int(t->native, "attempt"), render_int(t->native, "max_retries"));
}

static void on_status(const struct telling *t)
{
    const char *status = render_word(t->native, "status", "");
    const char *result = json_get_string(t->native, "compact_result");

    if (is(status, "compacting"))
        render_note(t, "the conversation is full: claude makes it shorter");
    else if (is(status, "requesting"))
        render_doing(t->r, "claude is at work", t->r->now_ms);
    if (result && !is(result, "success"))
        render_complaint(t, "making the conversation shorter: %s", result);
}

static void on_compact(const struct telling *t)
{
    const cJSON *m = json_get(t->native, "compact_metadata");
    char before[RENDER_NUMBER], after[RENDER_NUMBER];

    render_note(t, "the conversation was made shorter: %s tokens instead of %s",
                render_count(render_int(m, "post_tokens"), after),
                render_count(render_int(m, "pre_tokens"), before));
}

static void on_thinking(const struct telling *t)
{
    char what[RENDER_DOING], n[RENDER_NUMBER];

    snprintf(what, sizeof(what), "claude thinks, about %s tokens so far",
             render_count(render_int(t->native, "estimated_tokens"), n));
    if (strncmp(t->r->doing, what, 13) == 0) /* the same thought: its time runs on */
        render_doing(t->r, what, t->r->since_ms);
    else
        render_doing(t->r, what, t->r->now_ms);
}

static void on_task_progress(const struct telling *t)
{
    const char *what = json_get_string(t->native, "description");

    if (what)
        render_doing(t->r, what, t->r->now_ms);
}

static void on_task_updated(const struct telling *t)
{
    bool background = false;

    json_get_bool(json_get(t->native, "patch"), "is_backgrounded", &background);
    if (background)
        render_note(t, "task %s goes on in the background", render_word(t->native, "task_id", "?"));
}

/* Of a task in the foreground the call's result follows and says it all. */
static void on_task_notification(const struct telling *t)
{
    const struct render_call *c = render_call_find(t->r, json_get_string(t->native, "tool_use_id"));
    const char *status = render_word(t->native, "status", "?");

    if (c && !c->answered && is(status, "completed"))
        return;
    (is(status, "completed") ? render_note : render_complaint)(
        t, "background task %s: %s", status, render_word(t->native, "summary", "?"));
}

static void on_hook_response(const struct telling *t)
{
    const char *outcome = render_word(t->native, "outcome", "success");
    struct str said = str_trim(str_of(render_word(t->native, "stderr", "")));

    if (!is(outcome, "success"))
        render_complaint(t, "hook %s: %s%s" STR_FMT, render_word(t->native, "hook_name", "?"),
                         outcome, said.n ? ", " : "", STR_ARG(said));
}

static void on_denied(const struct telling *t)
{
    const char *id = json_get_string(t->native, "tool_use_id");

    if (!render_call_find(t->r, id)) /* else its result says so */
        render_complaint(t, "%s was not allowed: %s", render_word(t->native, "tool_name", "?"),
                         render_word(t->native, "message", "?"));
}

static void on_nothing(const struct telling *t)
{
    (void)t;
}

void render_system(const struct telling *t)
{
    static const struct {
        const char *subtype;
        render_fn *tell;
    } rows[] = {
        {"api_retry", on_api_retry},
        {"status", on_status},
        {"compact_boundary", on_compact},
        {"thinking_tokens", on_thinking},
        {"task_started", on_nothing},
        {"task_progress", on_task_progress},
        {"task_updated", on_task_updated},
        {"task_notification", on_task_notification},
        {"background_tasks_changed", on_nothing},
        {"hook_started", on_nothing},
        {"hook_response", on_hook_response},
        {"permission_denied", on_denied},
        {"ui_invalidate", on_nothing},
    };
    const char *subtype = render_word(t->native, "subtype", "?"), *words;

    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (is(rows[i].subtype, subtype))
            return rows[i].tell(t);
    words = json_get_string(t->native, "content");
    if (!words)
        words = json_get_string(t->native, "message");
    if (words)
        render_note(t, "%s: %s", subtype, words);
}

/* A tool that takes its time. Without a live end it is told after one minute, two, four… */
void render_progress(const struct telling *t)
{
    const struct render_call *c =
        render_call_find(t->r, json_get_string(t->native, "parent_tool_use_id"));
    int64_t s = render_int(t->native, "elapsed_time_seconds"), minutes = s / MINUTE_S;
    struct telling main = *t;
    char took[CLOCK_TEXT];

    main.depth = c ? render_depth(t->r, c->parent) : 0;
    if (t->r->live)
        render_doing(t->r, c ? c->what : render_word(t->native, "tool_name", "a tool"),
                     t->r->now_ms - 1000 * s);
    else if (s % MINUTE_S == 0 && minutes > 0 && (minutes & (minutes - 1)) == 0)
        render_note(&main, "%s has been at work for %s",
                    render_word(t->native, "tool_name", "a tool"), clock_duration(1000 * s, took));
}

/* --- what is no message -------------------------------------------------------- */

void render_other(const struct telling *t)
{
    if (is(render_word(t->native, "type", ""), "conversation_reset"))
        render_note(t, "the conversation begins anew");
}

void render_line(const struct telling *t)
{
    struct para p = {.cut = true};

    render_gap(t, RENDER_NOTE);
    render_para(t, &p, str_of(json_get_string(t->data, "text")));
}

void render_stderr(const struct telling *t)
{
    struct para p = {.mark = "stderr ", .mark_paint = PAINT_RED, .each = true};

    render_gap(t, RENDER_NOTE);
    render_para(t, &p, str_trim(str_of(json_get_string(t->data, "text"))));
}

/* --- lines without their events ------------------------------------------------ */

/* As the worker does it (worker/run/stream_json.c), as far as it matters here. */
enum event_type render_line_type(const cJSON *native)
{
    static const struct {
        const char *type, *subtype;
        enum event_type is;
    } rows[] = {
        {"system", "init", EVENT_AGENT_INIT},
        {"system", NULL, EVENT_AGENT_SYSTEM},
        {"assistant", NULL, EVENT_AGENT_MESSAGE},
        {"user", NULL, EVENT_AGENT_TOOL_RESULT},
        {"result", NULL, EVENT_AGENT_RESULT},
        {"stream_event", NULL, EVENT_AGENT_DELTA},
        {"rate_limit_event", NULL, EVENT_AGENT_RATE_LIMIT},
        {"tool_progress", NULL, EVENT_AGENT_PROGRESS},
    };
    const char *type = render_word(native, "type", ""), *sub = render_word(native, "subtype", "");

    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (is(rows[i].type, type) && (!rows[i].subtype || is(rows[i].subtype, sub)))
            return rows[i].is;
    return cJSON_IsObject(native) ? EVENT_AGENT_OTHER : EVENT_AGENT_TEXT;
}

/* A line that is no JSON is stored as a JSON string. */
void render_native(struct render *r, struct str line, struct buf *out)
{
    AUTO_JSON *native = NULL;
    AUTO_BUF data = BUF_INIT(out->max);
    struct err unused = ERR_INIT;
    struct event_view v = {.known_type = true};

    if (json_parse(line, 0, &native, &unused) != ERR_OK)
        native = NULL;
    v.event.type = render_line_type(native);
    buf_addc(&data, '{');
    if (cJSON_IsObject(native))
        json_kv_raw(&data, "native", line);
    else if (cJSON_IsString(native))
        json_kv(&data, "text", native->valuestring);
    else
        json_kv_str(&data, "text", line);
    buf_addc(&data, '}');
    v.event.data = buf_str(&data);
    render_event(r, &v, out);
}
