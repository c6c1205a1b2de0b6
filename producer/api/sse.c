/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/sse.h"

#include <string.h>

#include "common/banned.h"

enum { RETRY_MAX_MS = 3600 * 1000 };

static const char bom[] = "\xef\xbb\xbf";

void sse_init(struct sse *s, size_t max_bytes)
{
    *s = (struct sse){.line = BUF_INIT(max_bytes), .data = BUF_INIT(max_bytes), .retry_ms = -1};
}

void sse_release(struct sse *s)
{
    buf_release(&s->line);
    buf_release(&s->data);
}

void sse_restart(struct sse *s)
{
    buf_clear(&s->line);
    buf_clear(&s->data);
    s->event[0] = '\0';
    s->begun = s->cr = s->has_data = s->delivered = false;
}

/* Takes a line's bytes, and its end, from the piece, which has some; false: its end is still to
 * come. */
static bool take_line(struct sse *s, struct str *piece)
{
    size_t n = 0;

    if (s->cr && *piece->p == '\n') /* of the line before */
        *piece = (struct str){piece->p + 1, piece->n - 1};
    s->cr = false;
    while (n < piece->n && piece->p[n] != '\n' && piece->p[n] != '\r')
        n++;
    buf_add(&s->line, piece->p, n);
    if (n == piece->n) {
        piece->n = 0;
        return false;
    }
    s->cr = piece->p[n] == '\r';
    *piece = (struct str){piece->p + n + 1, piece->n - n - 1};
    return true;
}

static void keep(char to[SSE_NAME], struct str value)
{
    if (value.n >= SSE_NAME)
        value.n = SSE_NAME - 1;
    if (value.n)
        memcpy(to, value.p, value.n);
    to[value.n] = '\0';
}

static void on_field(struct sse *s, struct str name, struct str value)
{
    int64_t ms;

    if (str_is(name, "data")) {
        if (s->has_data)
            buf_addc(&s->data, '\n');
        buf_addstr(&s->data, value);
        s->has_data = true;
    } else if (str_is(name, "event")) {
        keep(s->event, value);
    } else if (str_is(name, "id")) {
        if (value.n < SSE_NAME && (value.n == 0 || !memchr(value.p, '\0', value.n)))
            keep(s->id, value);
    } else if (str_is(name, "retry")) {
        if (value.n && str_int(value, RETRY_MAX_MS, &ms))
            s->retry_ms = ms;
    }
}

/* A whole line; true: it ends a message. */
static bool on_line(struct sse *s)
{
    struct str line = buf_str(&s->line), name;

    if (!s->begun && str_starts(line, bom))
        line = (struct str){line.p + sizeof(bom) - 1, line.n - (sizeof(bom) - 1)};
    s->begun = true;
    if (line.n == 0)
        return true;
    const char *colon = memchr(line.p, ':', line.n);
    name = (struct str){line.p, colon ? (size_t)(colon - line.p) : line.n};
    line = colon ? (struct str){colon + 1, line.n - name.n - 1} : (struct str){line.p, 0};
    if (line.n && *line.p == ' ')
        line = (struct str){line.p + 1, line.n - 1};
    if (name.n) /* else a comment */
        on_field(s, name, line);
    return false;
}

static void forget(struct sse *s)
{
    buf_clear(&s->data);
    s->event[0] = '\0';
    s->has_data = s->delivered = false;
}

enum sse_step sse_next(struct sse *s, struct str *piece, struct sse_message *out)
{
    if (s->delivered)
        forget(s);
    while (piece->n) {
        bool ends;

        if (!take_line(s, piece))
            return s->line.rc == ERR_OK ? SSE_MORE : SSE_FULL;
        ends = on_line(s);
        if (s->line.rc != ERR_OK || s->data.rc != ERR_OK)
            return SSE_FULL;
        buf_clear(&s->line);
        if (ends && s->has_data) {
            *out = (struct sse_message){.event = s->event[0] ? s->event : "message",
                                        .id = s->id,
                                        .data = buf_str(&s->data)};
            s->delivered = true;
            return SSE_MESSAGE;
        }
        if (ends)
            forget(s);
    }
    return SSE_MORE;
}
