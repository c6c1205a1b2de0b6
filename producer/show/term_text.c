/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/show/term_text.h"

#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "common/utf8.h"
#include "common/banned.h"

enum { TAB = 4, INDENT_MAX = 12, NUMBER_DIGITS_MAX = 3, JOINER = 0x200d };

/* --- characters ---------------------------------------------------------------- */

/* The character at p and its bytes; a byte that begins none is one, of code 0. */
static size_t character(const char *p, const char *end, uint32_t *code)
{
    static const unsigned char head[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t n = utf8_len(p, end);

    *code = n ? (unsigned char)*p & head[n] : 0;
    for (size_t i = 1; i < n; i++)
        *code = *code << 6 | ((unsigned char)p[i] & 0x3f);
    return n ? n : 1;
}

/* Controls (C0, C1), line separators, what turns the writing's direction, tags that nobody sees,
 * and code points that are no characters. */
static bool hostile(uint32_t c)
{
    static const uint32_t ranges[][2] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0x2028, 0x202e},
                                         {0x2066, 0x2069}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

    if (c == '\n' || c == '\t')
        return false;
    for (size_t i = 0; i < COUNTOF(ranges); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return (c & 0xfffe) == 0xfffe;
}

/* Bytes of "ESC [ numbers m" at p: a colour, which tools print in plenty; 0: none. */
static size_t colour(const char *p, const char *end)
{
    const char *q = p + 2;

    if (end - p < 3 || p[0] != '\033' || p[1] != '[')
        return 0;
    while (q < end && ((*q >= '0' && *q <= '9') || *q == ';' || *q == ':'))
        q++;
    return q < end && *q == 'm' ? (size_t)(q + 1 - p) : 0;
}

void term_text_safe(struct buf *out, struct str text)
{
    const char *p = text.p, *end = text.n ? text.p + text.n : text.p, *from = p;

    while (p < end) {
        uint32_t c;
        size_t n = character(p, end, &c), dropped = colour(p, end);

        if (!dropped && !hostile(c)) {
            p += n;
            continue;
        }
        buf_add(out, from, (size_t)(p - from));
        if (!dropped)
            buf_addc(out, '?');
        p += dropped ? dropped : n;
        from = p;
    }
    buf_add(out, from, (size_t)(p - from));
}

/* --- widths -------------------------------------------------------------------- */

static int libc_width(uint32_t c)
{
    static locale_t utf8;
    locale_t before;
    int width;

    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!utf8)
        return 1;
    before = uselocale(utf8);
    width = wcwidth((wchar_t)c);
    uselocale(before);
    return width;
}

static int width_of(uint32_t c)
{
    int width;

    if (c < 0x300)
        return c == '\n' ? 0 : 1;
    width = libc_width(c);
    if (width < 0) /* newer than libc: pictures are wide */
        return c >= 0x1f000 && c <= 0x1faff ? 2 : 1;
    return width;
}

int term_text_width(struct str line)
{
    const char *p = line.p, *end = line.n ? line.p + line.n : line.p;
    int width = 0;
    uint32_t c;

    while (p < end) {
        p += character(p, end, &c);
        width += width_of(c);
    }
    return width;
}

struct str term_text_fit(struct str line, int columns)
{
    const char *p = line.p, *end = line.n ? line.p + line.n : line.p;
    int width = 0;
    uint32_t c;

    while (p < end) {
        size_t n = character(p, end, &c);

        width += width_of(c);
        if (width > columns)
            break;
        p += n;
    }
    return (struct str){line.p, (size_t)(p - line.p)};
}

void term_text_untab(struct buf *out, struct str line)
{
    int column = 0;
    struct str part;

    while (line.n && str_next(&line, '\t', &part)) {
        buf_addstr(out, part);
        column += term_text_width(part);
        for (int to = column + TAB - column % TAB; line.n && column < to; column++)
            buf_addc(out, ' ');
    }
}

/* --- rows ---------------------------------------------------------------------- */

static size_t digits(const char *p, size_t room)
{
    size_t n = 0;

    while (n < room && n < NUMBER_DIGITS_MAX && p[n] >= '0' && p[n] <= '9')
        n++;
    return n;
}

/* Bytes of "- ", "* ", "12. " at p. */
static size_t bullet(const char *p, size_t room)
{
    size_t n = digits(p, room);

    if (n == 0 && room >= 2 && strchr("-*+>", *p) && p[1] == ' ')
        return 2;
    return n && room >= n + 2 && p[n] == '.' && p[n + 1] == ' ' ? n + 2 : 0;
}

/* How far the rows behind the first are indented: as the text of the first. */
static int hanging(struct str line, int columns)
{
    size_t n = 0;
    int most = columns / 3 < INDENT_MAX ? columns / 3 : INDENT_MAX;

    while (n < line.n && line.p[n] == ' ')
        n++;
    n += n < line.n ? bullet(line.p + n, line.n - n) : 0;
    return (int)n < most ? (int)n : most;
}

/* Where the row that begins at `line` ends: *next is where the one behind it begins. */
static size_t row_end(struct str line, int columns, size_t *next)
{
    const char *end = line.p + line.n;
    size_t at = 0, n = 1, stop = 0; /* stop: where the row may end so far */
    uint32_t c, before = ' ';
    int width = 0, w, w_before = 0;

    for (; at < line.n; at += n, before = c, w_before = w ? w : w_before) {
        n = character(line.p + at, end, &c);
        w = width_of(c);
        if (c == ' ' && before != ' ')
            stop = at;
        else if (w && before != ' ' && before != JOINER && (w == 2 || w_before == 2))
            stop = *next = at;
        if (c == ' ' && stop)
            *next = at + n;
        width += w;
        if (width > columns && c != ' ')
            break;
    }
    if (at == line.n)
        return *next = line.n;
    if (stop == 0) /* one word, longer than the row */
        stop = *next = at ? at : n;
    return stop;
}

bool term_rows_next(struct term_rows *rows, struct str *row)
{
    size_t n, next;

    if (rows->begun && rows->rest.n == 0)
        return false;
    if (!rows->begun)
        rows->hang = hanging(rows->rest, rows->columns);
    rows->indent = rows->begun ? rows->hang : 0;
    rows->begun = true;
    *row = rows->rest;
    rows->rest.n = 0;
    if (rows->columns <= 0 || row->n == 0)
        return true;
    n = row_end(*row, rows->columns - rows->indent, &next);
    rows->rest = (struct str){row->p + next, row->n - next};
    row->n = n;
    return true;
}
