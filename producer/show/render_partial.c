/* SPDX-License-Identifier: Apache-2.0 */
/* The provisional end of a live terminal: the message that is being written, replaced by the
 * whole one when that comes, and what goes on. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "producer/show/render_internal.h"
#include "common/banned.h"

enum {
    PARTIAL_MAX = 64 << 10, /* of a block that is being written: its end, which is all one sees */
    PARTIAL_KEPT = 16 << 10,
    ROWS = 24, /* of a terminal that does not say */
    ROWS_MIN = 3,
    SHOWN_AFTER_MS = 1000
};

void render_copy(char *to, size_t room, const char *from)
{
    size_t n = strnlen(from, room - 1);

    if (from[n] != '\0')
        while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
            n--;
    memmove(to, from, n);
    to[n] = '\0';
}

/* --- what is being written ----------------------------------------------------- */

static void forget(struct render *r)
{
    r->dirty = r->dirty || r->partial.text.len > 0;
    buf_clear(&r->partial.text);
}

void render_partial_end(struct render *r, const char *message)
{
    if (!message || strncmp(r->partial.message, message, RENDER_ID - 1) == 0)
        forget(r);
}

static void add(struct render *r, const char *text)
{
    struct buf *b = &r->partial.text;
    size_t n = strlen(text);

    b->max = PARTIAL_MAX;
    if (n > PARTIAL_KEPT) {
        text += n - PARTIAL_KEPT;
        n = PARTIAL_KEPT;
    }
    if (b->len + n > PARTIAL_MAX - 1)
        buf_drop(b, b->len - PARTIAL_KEPT);
    buf_add(b, text, n);
    while (b->len > 0 && ((unsigned char)b->p[0] & 0xc0) == 0x80)
        buf_drop(b, 1);
    r->dirty = true;
}

static void on_block(struct render *r, const cJSON *event)
{
    const cJSON *block = json_get(event, "content_block");
    const char *type = render_word(block, "type", "");

    forget(r);
    r->partial.thinking = strcmp(type, "thinking") == 0;
    if (strcmp(type, "tool_use") == 0)
        render_doing(r, render_word(block, "name", "a tool"), r->now_ms);
    add(r, render_word(block, "text", ""));
}

static void on_piece(struct render *r, const cJSON *event)
{
    const cJSON *delta = json_get(event, "delta");
    const char *text = json_get_string(delta, "text");

    if (!text)
        text = json_get_string(delta, "thinking");
    if (text)
        add(r, text);
}

void render_delta(const struct telling *t)
{
    struct render *r = t->r;
    const cJSON *event = json_get(t->native, "event");
    const char *type = render_word(event, "type", "");

    if (!r->live || t->depth > 0)
        return;
    if (strcmp(type, "message_start") == 0) {
        forget(r);
        render_copy(r->partial.message, RENDER_ID,
                    render_word(json_get(event, "message"), "id", ""));
    } else if (strcmp(type, "content_block_start") == 0) {
        on_block(r, event);
    } else if (strcmp(type, "content_block_delta") == 0) {
        on_piece(r, event);
    } else if (strcmp(type, "message_stop") == 0) { /* what was abandoned, too */
        forget(r);
    }
}

/* --- the rows ------------------------------------------------------------------ */

void render_doing(struct render *r, const char *what, int64_t since_ms)
{
    if (!r->live)
        return;
    render_copy(r->doing, sizeof(r->doing), what);
    r->since_ms = since_ms;
    r->dirty = true;
}

static void put_partial(const struct telling *t)
{
    struct para p = {.paint = t->r->partial.thinking ? PAINT_DIM : PAINT_PLAIN,
                     .mark = t->r->partial.thinking ? render_glyph(t->r, "∴ ", ". ") : NULL};
    struct str text = buf_str(&t->r->partial.text);

    if (str_trim(text).n == 0)
        return;
    if (t->r->kind != RENDER_NOTHING && !t->r->partial.thinking)
        buf_addc(t->out, '\n');
    render_para(t, &p, text);
}

static void put_doing(const struct telling *t)
{
    const struct render *r = t->r;
    struct para p = {.mark = render_glyph(r, "⋯ ", "~ "),
                     .mark_paint = PAINT_DIM,
                     .paint = PAINT_DIM,
                     .cut = true};
    int64_t ms = r->now_ms - r->since_ms;
    char line[RENDER_DOING + CLOCK_TEXT + 8], took[CLOCK_TEXT];

    if (!r->doing[0])
        return;
    clock_duration(ms - ms % 1000, took);
    snprintf(line, sizeof(line), "%s%s%s", ms >= SHOWN_AFTER_MS ? took : "",
             ms >= SHOWN_AFTER_MS ? " " : "", r->doing);
    render_para(t, &p, str_of(line));
}

/* The last rows of a text whose rows all end in a newline. */
static struct str last_rows(struct str text, int most, int *rows)
{
    const char *p = text.p ? text.p + text.n : NULL;

    *rows = 0;
    while (p && p > text.p) {
        const char *before = memrchr(text.p, '\n', (size_t)(p - 1 - text.p));

        if (*rows == most)
            break;
        ++*rows;
        p = before ? before + 1 : text.p;
    }
    return (struct str){p, p ? (size_t)(text.p + text.n - p) : 0};
}

void render_draw(struct render *r, struct buf *out)
{
    AUTO_BUF rows = BUF_INIT(4 * PARTIAL_MAX);
    struct telling t = {.r = r, .out = &rows};
    int most = (r->rows > 0 ? r->rows : ROWS) / 2;

    r->dirty = false;
    if (!r->live)
        return;
    put_partial(&t);
    put_doing(&t);
    if (rows.rc != ERR_OK)
        return;
    buf_addstr(out, last_rows(buf_str(&rows), most > ROWS_MIN ? most : ROWS_MIN, &r->drawn));
}

void render_settle(struct render *r, struct buf *out)
{
    if (r->drawn > 0)
        buf_addf(out, "\r\033[%dA\033[J", r->drawn);
    r->drawn = 0;
}

void render_tick(struct render *r, int64_t now_ms, struct buf *out)
{
    r->now_ms = now_ms;
    if (!r->live || (!r->doing[0] && !r->dirty))
        return;
    render_settle(r, out);
    render_draw(r, out);
}
