/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages in the macros of man(7), for mandoc and groff. */
#include <ctype.h>
#include <string.h>

#include "producer/manual/page.h"
#include "common/banned.h"

/* One character beyond ASCII as \[u2026]; how many bytes it has. */
static size_t put_unicode(struct buf *out, const char *p)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    unsigned code = c & (0xffU >> (n + 1));

    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)p[i] & 0x3f);
    buf_addf(out, "\\[u%04X]", code);
    return n;
}

/* Without a backquote's meaning; a hyphen is the one that can be typed. */
static size_t put_char(struct buf *out, const char *p)
{
    if ((unsigned char)*p >= 0x80)
        return put_unicode(out, p);
    if (*p == '\\')
        buf_adds(out, "\\e");
    else if (*p == '-')
        buf_adds(out, "\\-");
    else
        buf_addc(out, *p);
    return 1;
}

static void begin_line(struct buf *out, char first)
{
    if (first == '.' || first == '\'')
        buf_adds(out, "\\&");
}

static void put_plain(struct buf *out, struct str s)
{
    if (s.n > 0)
        begin_line(out, s.p[0]);
    for (size_t i = 0; i < s.n;)
        i += put_char(out, s.p + i);
}

enum { LINE_MAX = 78 };

/* Bytes from here to the next space. */
static size_t word_bytes(struct str s, size_t i)
{
    size_t n = 0;

    while (i + n < s.n && !memchr(" \n", s.p[i + n], 2))
        n++;
    return n;
}

/* A paragraph: each sentence on a line of its own and long ones on several, `code` in bold. */
static void put_words(struct buf *out, struct str s)
{
    bool code = false, fresh = true;
    size_t line = out->len;

    for (size_t i = 0; i < s.n;) {
        char c = s.p[i], before = i > 0 ? s.p[i - 1] : ' ';
        bool space = c == '\n' || c == ' ';

        if (space && (c == '\n' || (!code && memchr(".?!", before, 3)) ||
                      out->len - line + word_bytes(s, i + 1) >= LINE_MAX)) {
            buf_addc(out, '\n');
            line = out->len;
            fresh = true;
            i++;
            continue;
        }
        if (c == '`') {
            buf_adds(out, code ? "\\fR" : "\\fB");
            code = !code;
            i++;
        } else {
            if (fresh)
                begin_line(out, c);
            i += put_char(out, s.p + i);
        }
        fresh = false;
    }
    buf_addc(out, '\n');
}

static void put_verbatim(struct buf *out, struct str block)
{
    struct str line;

    buf_adds(out, ".nf\n");
    while (block.n > 0 && str_next(&block, '\n', &line)) {
        put_plain(out, line);
        buf_addc(out, '\n');
    }
    buf_adds(out, ".fi\n");
}

static void put_block(struct buf *out, struct str block, bool verbatim)
{
    if (verbatim)
        put_verbatim(out, block);
    else
        put_words(out, block);
}

static void begin(struct buf *out, const char *name, const char *help, const char *date)
{
    buf_adds(out, ".\\\" Made by sandfleet itself, from the tables that it works by.\n.TH ");
    for (const char *p = name; *p; p++)
        buf_addc(out, (char)toupper((unsigned char)*p));
    buf_addf(out, " 1 %s \"sandfleet %s\" Sandfleet\n.SH NAME\n", date, SF_VERSION);
    put_plain(out, str_of(name));
    buf_adds(out, " \\- ");
    put_plain(out, str_of(help));
    buf_addc(out, '\n');
}

static void heading(struct buf *out, int level, const char *text)
{
    buf_addf(out, ".S%c ", level == 1 ? 'H' : 'S');
    for (const char *p = text; *p;) {
        if (level == 1 && islower((unsigned char)*p)) {
            buf_addc(out, (char)toupper((unsigned char)*p++));
            continue;
        }
        p += put_char(out, p);
    }
    buf_addc(out, '\n');
}

/* What stands directly below a heading needs no macro, and would be one too many. */
static bool below_heading(const struct buf *out)
{
    size_t at = out->len > 0 ? out->len - 1 : 0;

    while (at > 0 && out->p[at - 1] != '\n')
        at--;
    return out->p && strncmp(out->p + at, ".S", 2) == 0;
}

static void text(struct buf *out, const char *words)
{
    struct str rest = str_of(words), block;
    bool verbatim;

    while (page_next(&rest, &block, &verbatim)) {
        if (!below_heading(out))
            buf_adds(out, ".PP\n");
        put_block(out, block, verbatim);
    }
}

/* "-o, --output <form>": what is typed in bold, what stands for something else in italics. */
static void put_term(struct buf *out, const char *name)
{
    bool italic = false;

    buf_adds(out, "\\fB");
    for (const char *p = name; *p;) {
        bool is_open = *p == '<';

        if (is_open)
            buf_adds(out, "\\fI");
        italic = italic || is_open;
        bool is_close = italic && *p == '>';
        p += put_char(out, p);
        if (is_close)
            buf_adds(out, "\\fB");
        italic = italic && !is_close;
    }
    buf_adds(out, "\\fR\n");
}

static void term(struct buf *out, const char *name, const char *words)
{
    struct str rest = str_of(words), block;
    bool verbatim;

    buf_adds(out, ".TP\n");
    put_term(out, name);
    for (bool first = true; page_next(&rest, &block, &verbatim); first = false) {
        if (!first)
            buf_adds(out, ".IP\n");
        put_block(out, block, verbatim);
    }
}

/* Lines that follow one another stay together. */
static void code(struct buf *out, const char *line)
{
    static const char end[] = ".fi\n";
    size_t n = sizeof end - 1;

    if (out->len > n && memcmp(out->p + out->len - n, end, n) == 0) {
        out->len -= n;
        out->p[out->len] = '\0';
    } else {
        buf_addf(out, "%s.nf\n", below_heading(out) ? "" : ".PP\n");
    }
    put_plain(out, str_of(line));
    buf_addf(out, "\n%s", end);
}

const struct page_form page_roff = {begin, heading, text, term, code};
