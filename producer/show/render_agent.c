/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent printed: Claude Code's own lines. Their kinds grow with every version; what is
 * not known is told when it has words for people, and left out else. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/show/render_internal.h"
#include "common/banned.h"

enum { THOUGHT_FOLD = 4, TOLD_FOLD = 2 };

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
