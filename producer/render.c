/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/render.h"

#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/banned.h"

enum { RESULT_LINES = 4, LINE_BYTES_MIN = 40 };

#define DIM   "\033[2m"
#define BOLD  "\033[1m"
#define RED   "\033[31m"
#define GREEN "\033[32m"
#define CYAN  "\033[36m"
#define RESET "\033[0m"

typedef void render_fn(struct render *r, const struct event_view *v, const cJSON *data,
                       struct buf *out);

static void paint(const struct render *r, struct buf *out, const char *code)
{
    if (r->colour)
        buf_adds(out, code);
}

static const char *glyph(const struct render *r, const char *unicode, const char *ascii)
{
    return r->unicode ? unicode : ascii;
}

void render_text(struct buf *out, struct str text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        /* C0 but newline and tab, DEL, and C1 (U+0080..9F is 0xC2 0x80..9F) */
        bool c1 = c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0;
        if (!((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || c1))
            continue;
        buf_add(out, text.p + from, i - from);
        buf_addc(out, '?');
        i += c1;
        from = i + 1;
    }
    buf_add(out, text.p + from, text.n - from);
}

/* The first line of a text, cut to the terminal's width at a character's end. */
static void put_cut(const struct render *r, struct buf *out, struct str line, int indent)
{
    size_t room =
        (size_t)(r->columns > LINE_BYTES_MIN + indent ? r->columns - indent : LINE_BYTES_MIN);
    size_t n = line.n, columns = 0;

    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == '\n' ||
            (((unsigned char)line.p[i] & 0xc0) != 0x80 && columns++ == room - 1)) {
            n = i;
            break;
        }
    render_text(out, (struct str){line.p, n});
    if (n < line.n)
        buf_adds(out, glyph(r, "…", "~"));
    buf_addc(out, '\n');
}

/* "· what the fleet did" */
static void note(const struct render *r, struct buf *out, const char *fmt, ...) PRINTF(3, 4);
static void note(const struct render *r, struct buf *out, const char *fmt, ...)
{
    va_list ap;
    AUTO_BUF line = BUF_INIT(1024);

    va_start(ap, fmt);
    buf_vaddf(&line, fmt, ap);
    va_end(ap);
    paint(r, out, DIM);
    buf_addf(out, "%s ", glyph(r, "·", "-"));
    render_text(out, buf_str(&line));
    paint(r, out, RESET);
    buf_addc(out, '\n');
}

static const char *text_or(const cJSON *data, const char *key, const char *otherwise)
{
    const char *s = json_get_string(data, key);

    return s ? s : otherwise;
}

/* --- what the fleet did -------------------------------------------------- */

static void on_starting(struct render *r, const struct event_view *v, const cJSON *data,
                        struct buf *out)
{
    note(r, out, "attempt %lld on worker %s", (long long)v->event.attempt,
         text_or(data, "worker", "?"));
}

static void on_sandbox(struct render *r, const struct event_view *v, const cJSON *data,
                       struct buf *out)
{
    const char *what = v->event.type == EVENT_SANDBOX_CREATED ? "created" : "lost";

    note(r, out, "sandbox %s %s (template %s)", text_or(data, "sandbox_id", "?"), what,
         text_or(data, "template", "?"));
}

static void on_resumed(struct render *r, const struct event_view *v, const cJSON *data,
                       struct buf *out)
{
    int64_t line = 0;

    (void)v;
    json_get_int(data, "line", &line);
    note(r, out, "worker %s took over at line %lld; nothing was run twice",
         text_or(data, "worker", "?"), (long long)line);
}

static void on_held(struct render *r, const struct event_view *v, const cJSON *data,
                    struct buf *out)
{
    (void)v;
    note(r, out, "held: %s until %s", text_or(data, "reason", "?"), text_or(data, "until", "?"));
}

static void on_retrying(struct render *r, const struct event_view *v, const cJSON *data,
                        struct buf *out)
{
    int64_t ms = 0;
    char wait[CLOCK_TEXT];

    (void)v;
    json_get_int(data, "delay_ms", &ms);
    note(r, out, "%s: trying again in %s", text_or(data, "outcome", "?"), clock_duration(ms, wait));
}

static void on_warning(struct render *r, const struct event_view *v, const cJSON *data,
                       struct buf *out)
{
    int64_t s = 0;
    double cost = 0;
    char run[CLOCK_TEXT];

    (void)v;
    json_get_int(data, "elapsed_s", &s);
    json_get_number(data, "cost_usd", &cost);
    note(r, out, "still running after %s, $%.4f so far", clock_duration(1000 * s, run), cost);
}

static void on_stderr(struct render *r, const struct event_view *v, const cJSON *data,
                      struct buf *out)
{
    struct str rest = str_trim(str_of(json_get_string(data, "text"))), line;

    (void)v;
    while (rest.n && str_next(&rest, '\n', &line)) {
        paint(r, out, RED);
        buf_adds(out, "stderr ");
        paint(r, out, RESET);
        put_cut(r, out, line, 7);
    }
}

static void on_end(struct render *r, const struct event_view *v, const cJSON *data, struct buf *out)
{
    bool good = v->event.type == EVENT_RUN_COMPLETED;
    int64_t ms = 0, in = 0, tokens = 0;
    double cost = 0;
    char took[CLOCK_TEXT];

    json_get_int(data, "duration_ms", &ms);
    json_get_number(data, "cost_usd", &cost);
    json_get_int(data, "input_tokens", &in);
    json_get_int(data, "output_tokens", &tokens);
    r->ended = true;
    r->end = v->event.type;
    paint(r, out, good ? GREEN BOLD : RED BOLD);
    buf_addf(out, "%s %s", good ? glyph(r, "✔", "ok:") : glyph(r, "✘", "not ok:"),
             text_or(data, "state", "ended"));
    paint(r, out, RESET);
    if (!good) {
        buf_addf(out, " (%s)", text_or(data, "outcome", "?"));
        if (json_get_string(data, "reason")) {
            buf_adds(out, ": ");
            render_text(out, str_of(json_get_string(data, "reason")));
        }
    }
    buf_addf(out, " in %s, $%.4f%s, %lld tokens in, %lld out, %lld lines\n",
             clock_duration(ms, took), cost, r->simulated ? " (simulated)" : "", (long long)in,
             (long long)tokens, (long long)r->lines);
}

/* --- what the agent said ------------------------------------------------- */

static void on_init(struct render *r, const struct event_view *v, const cJSON *data,
                    struct buf *out)
{
    const cJSON *native = json_get(data, "native");

    (void)v;
    json_get_bool(native, "simulated", &r->simulated);
    note(r, out, "claude %s, model %s%s", text_or(native, "claude_code_version", "?"),
         text_or(native, "model", "?"), r->simulated ? " (SIMULATED: no model is called)" : "");
}

static void put_tool_use(const struct render *r, const cJSON *block, struct buf *out)
{
    const cJSON *input = json_get(block, "input");
    const cJSON *first = input ? input->child : NULL;
    const char *what = json_get_string(input, "command");

    if (!what)
        what = json_get_string(input, "file_path");
    if (!what && cJSON_IsString(first))
        what = first->valuestring;
    paint(r, out, CYAN);
    buf_addf(out, "%s ", glyph(r, "●", "*"));
    render_text(out, str_of(text_or(block, "name", "tool")));
    paint(r, out, RESET);
    buf_addc(out, ' ');
    put_cut(r, out, str_of(what), 10);
}

/* The first lines of a tool's answer; how many more there are. */
static void put_folded(const struct render *r, struct str text, struct buf *out)
{
    struct str rest = str_trim(text), line;
    int64_t n = 0;

    paint(r, out, DIM);
    while (rest.n && str_next(&rest, '\n', &line))
        if (n++ < RESULT_LINES) {
            buf_addf(out, "  %s ", n == 1 ? glyph(r, "⎿", "|") : " ");
            put_cut(r, out, line, 4);
        }
    if (n > RESULT_LINES)
        buf_addf(out, "    %s %lld more lines\n", glyph(r, "…", "..."),
                 (long long)(n - RESULT_LINES));
    paint(r, out, RESET);
}

static void put_tool_result(const struct render *r, const cJSON *block, struct buf *out)
{
    const cJSON *content = json_get(block, "content"), *part;

    if (cJSON_IsString(content))
        put_folded(r, str_of(content->valuestring), out);
    else
        cJSON_ArrayForEach(part, content) if (json_get_string(part, "text"))
            put_folded(r, str_of(json_get_string(part, "text")), out);
}

static void put_block(const struct render *r, const cJSON *block, struct buf *out)
{
    const char *type = text_or(block, "type", "");

    if (strcmp(type, "text") == 0) {
        render_text(out, str_of(json_get_string(block, "text")));
        buf_addc(out, '\n');
    } else if (strcmp(type, "thinking") == 0) {
        put_folded(r, str_of(json_get_string(block, "thinking")), out);
    } else if (strcmp(type, "tool_use") == 0) {
        put_tool_use(r, block, out);
    } else if (strcmp(type, "tool_result") == 0) {
        put_tool_result(r, block, out);
    }
}

static void on_message(struct render *r, const struct event_view *v, const cJSON *data,
                       struct buf *out)
{
    const cJSON *content = json_get(json_get(json_get(data, "native"), "message"), "content");
    const cJSON *block;

    (void)v;
    cJSON_ArrayForEach(block, content) put_block(r, block, out);
}

static void on_system(struct render *r, const struct event_view *v, const cJSON *data,
                      struct buf *out)
{
    const cJSON *native = json_get(data, "native");
    int64_t attempt = 0;

    (void)v;
    if (strcmp(text_or(native, "subtype", ""), "api_retry") != 0)
        return;
    json_get_int(native, "attempt", &attempt);
    note(r, out, "the API failed (%s); claude tries again (%lld)", text_or(native, "error", "?"),
         (long long)attempt);
}

static void on_limit(struct render *r, const struct event_view *v, const cJSON *data,
                     struct buf *out)
{
    const cJSON *info = json_get(json_get(data, "native"), "rate_limit_info");

    (void)v;
    note(r, out, "usage limit %s: %s", text_or(info, "rateLimitType", "?"),
         text_or(info, "status", "?"));
}

static void on_text(struct render *r, const struct event_view *v, const cJSON *data,
                    struct buf *out)
{
    (void)v;
    put_cut(r, out, str_of(json_get_string(data, "text")), 0);
}

/* Events without a row are not shown. */
static render_fn *const shown[EVENT_TYPES] = {
    [EVENT_RUN_HELD] = on_held,           [EVENT_RUN_RETRYING] = on_retrying,
    [EVENT_RUN_RESUMED] = on_resumed,     [EVENT_RUN_WARNING] = on_warning,
    [EVENT_RUN_COMPLETED] = on_end,       [EVENT_RUN_FAILED] = on_end,
    [EVENT_RUN_TIMED_OUT] = on_end,       [EVENT_RUN_CANCELLED] = on_end,
    [EVENT_RUN_EXPIRED] = on_end,         [EVENT_ATTEMPT_STARTING] = on_starting,
    [EVENT_SANDBOX_CREATED] = on_sandbox, [EVENT_SANDBOX_LOST] = on_sandbox,
    [EVENT_AGENT_INIT] = on_init,         [EVENT_AGENT_MESSAGE] = on_message,
    [EVENT_AGENT_TOOL_USE] = on_message,  [EVENT_AGENT_TOOL_RESULT] = on_message,
    [EVENT_AGENT_SYSTEM] = on_system,     [EVENT_AGENT_RATE_LIMIT] = on_limit,
    [EVENT_AGENT_TEXT] = on_text,         [EVENT_AGENT_STDERR] = on_stderr,
};

void render_event(struct render *r, const struct event_view *v, struct buf *out)
{
    AUTO_JSON *data = NULL;
    struct err e = ERR_INIT;

    if (!v->known_type)
        return;
    r->lines += event_is_line(v->event.type);
    if (!shown[v->event.type])
        return;
    if (json_parse(v->event.data, 0, &data, &e) != ERR_OK)
        note(r, out, "an event that cannot be shown: %s", e.msg);
    else
        shown[v->event.type](r, v, data, out);
}
