/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/capture/lines.h"

#include <string.h>

#include "common/banned.h"

enum { KEPT_BYTES = 64 << 10 }; /* a longer line's memory is given back */

void lines_init(struct lines *l, size_t max, int64_t offset, int64_t n)
{
    *l = (struct lines){.held = BUF_INIT(max), .max = max, .offset = offset, .n = n};
}

static void start_line(struct lines *l)
{
    if (l->held.cap > KEPT_BYTES)
        buf_release(&l->held);
    else
        buf_clear(&l->held);
    l->under_way = 0;
    l->given = false;
}

static void hold(struct lines *l, const char *p, size_t n)
{
    size_t room = l->max - l->held.len;

    buf_add(&l->held, p, n < room ? n : room);
    l->under_way += (int64_t)n;
}

/* A cut blank line is not blank: more than `max` white space is worth a look. */
static bool is_blank(const struct lines *l)
{
    return l->under_way == (int64_t)l->held.len && str_trim(buf_str(&l->held)).n == 0;
}

static enum lines_step finish_line(struct lines *l, bool newline, struct line *out)
{
    l->offset += l->under_way + newline;
    if (is_blank(l)) {
        l->blank++;
        start_line(l);
        return LINES_MORE;
    }
    *out = (struct line){.text = l->held.p,
                         .len = l->held.len,
                         .n = ++l->n,
                         .end_offset = l->offset,
                         .true_bytes = l->under_way,
                         .unterminated = !newline};
    l->given = true;
    return LINES_LINE;
}

enum lines_step lines_next(struct lines *l, struct str *piece, struct line *out)
{
    if (l->given)
        start_line(l);
    while (piece->n > 0) {
        const char *end = memchr(piece->p, '\n', piece->n);
        size_t n = end ? (size_t)(end - piece->p) : piece->n;

        hold(l, piece->p, n);
        if (l->held.rc != ERR_OK)
            return LINES_NOMEM;
        piece->p += n + (end != NULL);
        piece->n -= n + (end != NULL);
        if (end && finish_line(l, true, out) == LINES_LINE)
            return LINES_LINE;
    }
    return LINES_MORE;
}

enum lines_step lines_end(struct lines *l, struct line *out)
{
    if (l->given)
        start_line(l);
    return l->under_way > 0 ? finish_line(l, false, out) : LINES_MORE;
}

void lines_rewind(struct lines *l)
{
    start_line(l);
}

void lines_release(struct lines *l)
{
    buf_release(&l->held);
}
