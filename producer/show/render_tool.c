/* SPDX-License-Identifier: Apache-2.0 */
/* Tool calls and their results, which come in any order: joined by the call's id. Sub-agents are
 * calls, too; their own lines name the call as their parent. */
#include <stdio.h>
#include <string.h>

#include "producer/show/render_internal.h"
#include "common/banned.h"

enum { FOLD = 4, DEPTH_MAX = 8, SUMMARY_MAX = 4096, RESULT_MAX = 4 << 20 };

/* --- who speaks ---------------------------------------------------------------- */

struct render_call *render_call_find(struct render *r, const char *id)
{
    for (size_t i = 0; id && *id && i < COUNTOF(r->calls); i++)
        if (strncmp(r->calls[i].id, id, RENDER_ID - 1) == 0)
            return &r->calls[i];
    return NULL;
}

int render_depth(struct render *r, const char *parent)
{
    int depth = 0;

    for (; parent && *parent && depth < DEPTH_MAX; depth++) {
        const struct render_call *c = render_call_find(r, parent);
        parent = c ? c->parent : NULL;
    }
    return depth;
}

void render_speaker(const struct telling *t)
{
    const char *parent = render_word(t->native, "parent_tool_use_id", "");
    const struct render_call *c = render_call_find(t->r, parent);
    struct telling above = *t;
    struct para p = {.mark = render_glyph(t->r, "▸ ", "> "), .paint = PAINT_DIM, .cut = true};
    char before[RENDER_ID];

    if (strncmp(t->r->speaker, parent, RENDER_ID - 1) == 0)
        return;
    render_copy(before, sizeof(before), t->r->last_call);
    render_copy(t->r->speaker, RENDER_ID, parent);
    if (!c || strcmp(before, c->id) == 0) /* its call was just told */
        return;
    above.depth = t->depth - 1;
    render_gap(t, RENDER_CALL);
    render_para(&above, &p, str_of(c->what));
}

/* The oldest is forgotten first, but no sub-agent while there is anything else. */
static struct render_call *call_new(struct render *r, const char *id, const char *parent)
{
    struct render_call *c = &r->calls[r->next_call % RENDER_CALLS];

    for (unsigned i = 0; i < RENDER_CALLS && c->id[0] && (c->agent || !c->answered); i++)
        c = &r->calls[++r->next_call % RENDER_CALLS];
    r->next_call++;
    *c = (struct render_call){.answered = false};
    render_copy(c->id, sizeof(c->id), id);
    render_copy(c->parent, sizeof(c->parent), parent);
    return c;
}

/* --- calls --------------------------------------------------------------------- */

/* name=value of what is no list and no object. */
static void put_pairs(const cJSON *input, struct buf *out)
{
    const cJSON *m;

    cJSON_ArrayForEach(m, input)
    {
        if (!m->string || cJSON_IsObject(m) || cJSON_IsArray(m) || cJSON_IsNull(m))
            continue;
        buf_addf(out, "%s%s=", out->len ? " " : "", m->string);
        if (cJSON_IsString(m))
            buf_adds(out, m->valuestring);
        else if (cJSON_IsNumber(m))
            buf_addf(out, "%.15g", m->valuedouble);
        else
            buf_adds(out, cJSON_IsTrue(m) ? "true" : "false");
    }
}

/* What a call is about, on one line. */
static void put_summary(const struct render *r, const cJSON *input, struct buf *out)
{
    static const char *const telling[] = {"command", "file_path", "notebook_path",
                                          "pattern", "url",       "query",
                                          "skill",   "subject",   "description"};
    const char *what = NULL, *end;
    AUTO_BUF pairs = BUF_INIT(RESULT_MAX);

    for (size_t i = 0; i < COUNTOF(telling) && !what; i++)
        what = json_get_string(input, telling[i]);
    if (!what && !json_get(input, "todos")) {
        put_pairs(input, &pairs);
        what = pairs.p;
    }
    if (!what)
        return;
    end = strchr(what, '\n');
    buf_add(out, what, end ? (size_t)(end - what) : strlen(what));
    if (end)
        buf_adds(out, render_glyph(r, "…", "~"));
}

static void put_call(const struct telling *t, const char *name, struct str summary, bool again)
{
    struct para p = {.mark = render_glyph(t->r, "● ", "* "),
                     .mark_paint = again ? PAINT_DIM : PAINT_CYAN,
                     .paint = again ? PAINT_DIM : PAINT_PLAIN,
                     .lead = again ? NULL : name,
                     .cut = true};

    render_gap(t, RENDER_CALL);
    render_para(t, &p, summary);
}

/* What an edit takes away and puts there, each folded. */
static void put_change(const struct telling *t, const char *old, const char *new)
{
    struct para p = {.indent = 2, .each = true, .cut = true, .fold = FOLD};

    if (old && *old) {
        p.mark = "- ";
        p.mark_paint = p.paint = PAINT_RED;
        render_para(t, &p, str_of(old));
    }
    if (new && *new) {
        p.mark = "+ ";
        p.mark_paint = p.paint = PAINT_GREEN;
        render_para(t, &p, str_of(new));
    }
}

static void put_todos(const struct telling *t, const cJSON *todos)
{
    const cJSON *todo;

    cJSON_ArrayForEach(todo, todos)
    {
        const char *status = render_word(todo, "status", "");
        bool done = strcmp(status, "completed") == 0, doing = strcmp(status, "in_progress") == 0;
        struct para p = {.indent = 2, .paint = done ? PAINT_DIM : doing ? PAINT_BOLD : PAINT_PLAIN};

        p.mark = done    ? render_glyph(t->r, "☒ ", "[x] ")
                 : doing ? render_glyph(t->r, "◐ ", "[-] ")
                         : render_glyph(t->r, "☐ ", "[ ] ");
        render_para(t, &p, str_of(render_word(todo, "content", "?")));
    }
}

void render_tool_use(const struct telling *t, const cJSON *block)
{
    const cJSON *input = json_get(block, "input");
    const char *name = render_word(block, "name", "tool"), *id = render_word(block, "id", "");
    struct render_call *c = call_new(t->r, id, render_word(t->native, "parent_tool_use_id", ""));
    AUTO_BUF summary = BUF_INIT(RESULT_MAX), what = BUF_INIT(RESULT_MAX);

    buf_addc(&summary, ' ');
    put_summary(t->r, input, &summary);
    buf_addf(&what, "%s%s", name, summary.p ? summary.p : "");
    render_copy(c->what, sizeof(c->what), what.p ? what.p : name);
    c->agent = strcmp(name, "Agent") == 0 || strcmp(name, "Task") == 0;
    put_call(t, name, summary.len > 1 ? buf_str(&summary) : (struct str){0}, false);
    put_change(t, json_get_string(input, "old_string"),
               json_get_string(input, json_get(input, "content") ? "content" : "new_string"));
    put_todos(t, json_get(input, "todos"));
    render_copy(t->r->last_call, RENDER_ID, id);
    render_doing(t->r, c->what, t->r->now_ms);
}

/* --- results ------------------------------------------------------------------- */

/* The text between two marks, where both are there; all of it otherwise. */
static struct str between(struct str text, const char *open, const char *close)
{
    const char *from = memmem(text.p, text.n, open, strlen(open)), *to;
    struct str inner = text;

    if (!from)
        return text;
    from += strlen(open);
    inner = (struct str){from, (size_t)(text.p + text.n - from)};
    to = memmem(inner.p, inner.n, close, strlen(close));
    if (to)
        inner.n = (size_t)(to - inner.p);
    return inner;
}

/* What the program says to the model around a result is not for people. */
static struct str unwrapped(struct str text)
{
    if (text.n == 0)
        return text;
    if (str_starts(text, "Async agent launched"))
        return STR("runs in the background");
    if (str_starts(text, "agentId: "))
        return (struct str){0};
    if (memmem(text.p, text.n, "[Subagent hand-back]", 20))
        return between(text, "The report follows:\n", "\nagentId: ");
    return between(text, "<tool_use_error>", "</tool_use_error>");
}

static void add_part(struct buf *out, struct str text)
{
    struct str inner = str_trim(unwrapped(text));

    if (inner.n && out->len)
        buf_addc(out, '\n');
    buf_addstr(out, inner);
}

static void add_content(const cJSON *content, struct buf *out)
{
    const cJSON *part;

    if (cJSON_IsString(content))
        add_part(out, str_of(content->valuestring));
    else
        cJSON_ArrayForEach(part, content)
        {
            const char *type = render_word(part, "type", "?");

            if (strcmp(type, "text") == 0)
                add_part(out, str_of(json_get_string(part, "text")));
            else
                buf_addf(out, "%s[%s]", out->len ? "\n" : "", type);
        }
}

void render_tool_result(const struct telling *t, const cJSON *block)
{
    const char *id = render_word(block, "tool_use_id", "");
    struct render_call *c = render_call_find(t->r, id);
    struct para p = {
        .indent = 2, .mark = render_glyph(t->r, "⎿ ", "| "), .cut = true, .fold = FOLD};
    AUTO_BUF text = BUF_INIT(RESULT_MAX);
    bool bad = false;

    json_get_bool(block, "is_error", &bad);
    add_content(json_get(block, "content"), &text);
    if (!*id || strncmp(t->r->last_call, id, RENDER_ID - 1) != 0)
        put_call(t, "", str_of(c ? c->what : "an earlier call"), true);
    p.mark_paint = p.paint = bad ? PAINT_RED : PAINT_DIM;
    render_para(t, &p, text.len ? buf_str(&text) : STR("(nothing)"));
    t->r->last_call[0] = '\0';
    if (c)
        c->answered = true;
    render_doing(t->r, "claude is at work", t->r->now_ms);
}
