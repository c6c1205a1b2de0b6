/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's lines about itself: system lines, of which there are more with every version, and
 * tools that take their time. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/show/render_internal.h"
#include "common/banned.h"

enum { MINUTE_S = 60 };

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

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
