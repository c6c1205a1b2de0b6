/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "producer/show/render_internal.h"
#include "producer/show/term_text.h"
#include "common/banned.h"

enum {
    COLUMNS_MIN = 20,
    CUT_UNBOUND = 500,  /* of a line that is cut although nothing limits the width */
    TEXT_MAX = 4 << 20, /* of one event's */
    NOTE_MAX = 4096,
};

/* --- words and numbers --------------------------------------------------------- */

const char *render_glyph(const struct render *r, const char *unicode, const char *ascii)
{
    return r->unicode ? unicode : ascii;
}

void render_paint(const struct render *r, struct buf *out, enum paint paint)
{
    static const char *const codes[] = {
        [PAINT_PLAIN] = "\033[0m",       [PAINT_DIM] = "\033[2m",
        [PAINT_BOLD] = "\033[1m",        [PAINT_RED] = "\033[31m",
        [PAINT_GREEN] = "\033[32m",      [PAINT_CYAN] = "\033[36m",
        [PAINT_RED_BOLD] = "\033[1;31m", [PAINT_GREEN_BOLD] = "\033[1;32m",
    };

    if (r->colour)
        buf_adds(out, codes[paint]);
}

const char *render_word(const cJSON *data, const char *key, const char *otherwise)
{
    const char *s = json_get_string(data, key);

    return s ? s : otherwise;
}

int64_t render_int(const cJSON *data, const char *key)
{
    int64_t n = 0;

    json_get_int(data, key, &n);
    return n;
}

char *render_count(int64_t n, char out[RENDER_NUMBER])
{
    char digits[RENDER_NUMBER];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n < 0 ? 0 : n), to = 0;

    for (int i = 0; i < len && to < RENDER_NUMBER - 2; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = '\0';
    return out;
}

char *render_cost(double usd, char out[RENDER_NUMBER])
{
    snprintf(out, RENDER_NUMBER, usd < 100 ? "$%.4f" : "$%.2f", usd);
    return out;
}

char *render_bytes(int64_t n, char out[RENDER_NUMBER])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = (double)n / 1024;
    size_t unit = 0;

    for (; size >= 1000 && unit + 1 < COUNTOF(units); unit++)
        size /= 1024;
    if (n < 1024)
        snprintf(out, RENDER_NUMBER, "%" PRId64 " bytes", n);
    else
        snprintf(out, RENDER_NUMBER, size < 10 ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return out;
}

/* --- paragraphs ---------------------------------------------------------------- */

struct rows_out {
    const struct telling *t;
    const struct para *p;
    int64_t put, left; /* rows; those that are folded away */
    size_t lead;       /* bytes of it, made safe */
};

static int room_for(const struct telling *t, const struct para *p)
{
    int used = 2 * t->depth + p->indent + term_text_width(str_of(p->mark));

    if (t->r->columns <= 0)
        return 0;
    return t->r->columns - used > COLUMNS_MIN ? t->r->columns - used : COLUMNS_MIN;
}

/* What stands before each row: whose it is, and the mark or its width in spaces. */
static void put_margin(const struct rows_out *o, bool first)
{
    const struct telling *t = o->t;
    const char *mark = o->p->mark ? o->p->mark : "";

    if (t->depth > 0) {
        render_paint(t->r, t->out, PAINT_DIM);
        for (int i = 0; i < t->depth; i++)
            buf_adds(t->out, render_glyph(t->r, "│ ", "| "));
        render_paint(t->r, t->out, PAINT_PLAIN);
    }
    buf_addf(t->out, "%*s", o->p->indent, "");
    if (!first && !o->p->each) {
        buf_addf(t->out, "%*s", term_text_width(str_of(mark)), "");
    } else if (*mark) {
        if (o->p->mark_paint)
            render_paint(t->r, t->out, o->p->mark_paint);
        buf_adds(t->out, mark);
        if (o->p->mark_paint)
            render_paint(t->r, t->out, PAINT_PLAIN);
    }
}

/* The lead is part of the first row's text, as far as that has it. */
static void put_painted(const struct rows_out *o, struct str row, bool first)
{
    const struct telling *t = o->t;
    size_t lead = !first ? 0 : o->lead < row.n ? o->lead : row.n;

    if (lead && o->p->mark_paint)
        render_paint(t->r, t->out, o->p->mark_paint);
    buf_add(t->out, row.p, lead);
    if (lead && o->p->mark_paint)
        render_paint(t->r, t->out, PAINT_PLAIN);
    if (row.n > lead && o->p->paint)
        render_paint(t->r, t->out, o->p->paint);
    buf_add(t->out, row.p + lead, row.n - lead);
    if (row.n > lead && o->p->paint)
        render_paint(t->r, t->out, PAINT_PLAIN);
}

static void put_row(struct rows_out *o, struct str row, int indent, bool more)
{
    if (o->p->fold && !o->t->r->full && o->put >= o->p->fold) {
        o->left++;
        return;
    }
    if (row.n == 0 && o->put > 0 && o->t->depth == 0) { /* a blank line has no spaces */
        buf_addc(o->t->out, '\n');
        o->put++;
        return;
    }
    put_margin(o, o->put == 0);
    buf_addf(o->t->out, "%*s", indent, "");
    put_painted(o, row, o->put == 0);
    if (more)
        buf_adds(o->t->out, render_glyph(o->t->r, "…", "~"));
    buf_addc(o->t->out, '\n');
    o->put++;
}

static void put_cut(struct rows_out *o, struct str line)
{
    int room = room_for(o->t, o->p);
    struct str fit;

    if (room == 0)
        room = CUT_UNBOUND;
    fit = term_text_width(line) <= room ? line : term_text_fit(line, room - 1);
    put_row(o, fit, 0, fit.n < line.n);
}

static void put_wrapped(struct rows_out *o, struct str line)
{
    struct term_rows rows = {.rest = line, .columns = room_for(o->t, o->p)};
    struct str row;

    while (term_rows_next(&rows, &row))
        put_row(o, row, rows.indent, false);
}

static void put_left(struct rows_out *o)
{
    struct para p = *o->p;
    struct rows_out rest = {.t = o->t, .p = &p};
    char line[64], n[RENDER_NUMBER];

    if (!o->left)
        return;
    snprintf(line, sizeof(line), "%s %s more line%s", render_glyph(o->t->r, "…", "..."),
             render_count(o->left, n), o->left == 1 ? "" : "s");
    p.fold = 0;
    p.paint = PAINT_DIM;
    p.indent += term_text_width(str_of(p.mark));
    p.mark = p.lead = NULL;
    put_row(&rest, str_of(line), 0, false);
}

void render_para(const struct telling *t, const struct para *p, struct str text)
{
    struct rows_out o = {.t = t, .p = p};
    AUTO_BUF safe = BUF_INIT(TEXT_MAX), flat = BUF_INIT(TEXT_MAX);
    struct str rest, line;

    term_text_safe(&safe, str_of(p->lead));
    o.lead = safe.len;
    term_text_safe(&safe, text);
    rest = buf_str(&safe);
    while (str_next(&rest, '\n', &line)) {
        buf_clear(&flat);
        if (t->r->columns > 0 || p->cut)
            term_text_untab(&flat, line);
        else
            buf_addstr(&flat, line);
        (p->cut ? put_cut : put_wrapped)(&o, buf_str(&flat));
        if (!rest.n)
            break;
    }
    put_left(&o);
}

void render_gap(const struct telling *t, enum render_kind kind)
{
    struct render *r = t->r;

    if (r->kind == RENDER_SAID || (r->kind != RENDER_NOTHING && kind == RENDER_SAID))
        buf_addc(t->out, '\n');
    r->kind = kind;
    r->last_call[0] = '\0';
}

static void note(const struct telling *t, enum paint paint, const char *fmt, va_list ap)
    PRINTF(3, 0);
static void note(const struct telling *t, enum paint paint, const char *fmt, va_list ap)
{
    struct para p = {.mark = render_glyph(t->r, "· ", "- "), .mark_paint = paint, .paint = paint};
    AUTO_BUF line = BUF_INIT(NOTE_MAX);

    buf_vaddf(&line, fmt, ap);
    render_gap(t, RENDER_NOTE);
    render_para(t, &p, buf_str(&line));
}

void render_note(const struct telling *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(t, PAINT_DIM, fmt, ap);
    va_end(ap);
}

void render_complaint(const struct telling *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(t, PAINT_RED, fmt, ap);
    va_end(ap);
}

/* --- events -------------------------------------------------------------------- */

static void unseen(const struct telling *t)
{
    (void)t;
}

static render_fn *const tell[EVENT_TYPES] = {
    [EVENT_RUN_HELD] = render_held,
    [EVENT_RUN_RETRYING] = render_retrying,
    [EVENT_RUN_RESUMED] = render_resumed,
    [EVENT_RUN_WARNING] = render_warning,
    [EVENT_RUN_HEARTBEAT] = render_heartbeat,
    [EVENT_RUN_CANCELLING] = render_cancelling,
    [EVENT_RUN_COMPLETED] = render_end,
    [EVENT_RUN_FAILED] = render_end,
    [EVENT_RUN_TIMED_OUT] = render_end,
    [EVENT_RUN_CANCELLED] = render_end,
    [EVENT_RUN_EXPIRED] = render_end,
    [EVENT_ATTEMPT_STARTING] = render_starting,
    [EVENT_ATTEMPT_STARTED] = render_started,
    [EVENT_ATTEMPT_ENDED] = unseen, /* what follows says why: a retry, a hold, the end */
    [EVENT_CREDENTIAL_HELD] = render_credential,
    [EVENT_SANDBOX_CREATED] = render_sandbox,
    [EVENT_SANDBOX_PARKED] = render_sandbox,
    [EVENT_SANDBOX_EVICTED] = render_sandbox,
    [EVENT_SANDBOX_ENDED] = render_sandbox,
    [EVENT_SANDBOX_LOST] = render_sandbox,
    [EVENT_ARTIFACT_STORED] = render_artifact,
    [EVENT_AGENT_INIT] = render_init,
    [EVENT_AGENT_MESSAGE] = render_message,
    [EVENT_AGENT_TOOL_USE] = render_message,
    [EVENT_AGENT_TOOL_RESULT] = render_message,
    [EVENT_AGENT_DELTA] = render_delta,
    [EVENT_AGENT_RESULT] = render_result,
    [EVENT_AGENT_RATE_LIMIT] = render_limit,
    [EVENT_AGENT_SYSTEM] = render_system,
    [EVENT_AGENT_PROGRESS] = render_progress,
    [EVENT_AGENT_OTHER] = render_other,
    [EVENT_AGENT_TEXT] = render_line,
    [EVENT_AGENT_STDERR] = render_stderr,
};

static void tell_event(struct telling *t)
{
    AUTO_JSON *data = NULL;
    struct err e = ERR_INIT;

    if (!t->v->known_type)
        return render_note(t, STR_FMT, STR_ARG(t->v->type_text));
    if (json_parse(t->v->event.data, 0, &data, &e) != ERR_OK)
        return render_note(t, "an event that cannot be shown: %s", e.msg);
    t->data = data;
    t->native = json_get(data, "native");
    t->depth = render_depth(t->r, json_get_string(t->native, "parent_tool_use_id"));
    tell[t->v->event.type](t);
}

void render_event(struct render *r, const struct event_view *v, struct buf *out)
{
    AUTO_BUF told = BUF_INIT(out->max);
    struct telling t = {.r = r, .v = v, .out = &told};

    r->lines += event_is_line(v->event.type);
    tell_event(&t);
    if (told.len == 0 && !r->dirty)
        return;
    render_settle(r, out);
    buf_addstr(out, buf_str(&told));
    render_draw(r, out);
}

void render_release(struct render *r)
{
    buf_release(&r->partial.text);
}
