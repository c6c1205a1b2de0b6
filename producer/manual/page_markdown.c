/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "producer/manual/page.h"
#include "common/banned.h"

/* What Markdown would take for itself, but not within backquotes. */
static void put_words(struct buf *out, struct str s)
{
    bool is_code = false;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        is_code ^= c == '`';
        if (!is_code && c == '<')
            buf_adds(out, "&lt;");
        else if (!is_code && c && strchr("*_[\\", c))
            buf_addf(out, "\\%c", c);
        else
            buf_addc(out, c);
    }
    buf_addc(out, '\n');
}

static void put_block(struct buf *out, struct str block, bool verbatim, const char *indent)
{
    struct str line;

    if (!verbatim) {
        buf_adds(out, indent);
        put_words(out, block);
        return;
    }
    buf_addf(out, "%s```\n", indent);
    while (block.n > 0 && str_next(&block, '\n', &line)) {
        size_t skip = line.n > 2 ? 2 : line.n;

        buf_addf(out, "%s" STR_FMT "\n", line.n ? indent : "", (int)(line.n - skip), line.p + skip);
    }
    buf_addf(out, "%s```\n", indent);
}

static void put_blocks(struct buf *out, const char *words, const char *indent)
{
    struct str rest = str_of(words), block;
    bool verbatim;

    while (page_next(&rest, &block, &verbatim)) {
        buf_addc(out, '\n');
        put_block(out, block, verbatim, indent);
    }
}

static void begin(struct buf *out, const char *name, const char *help, const char *date)
{
    (void)date; /* the page is kept with the source */
    buf_addf(out, "%s# %s\n\n", out->len ? "\n" : "", name);
    put_words(out, str_of(help));
}

static void heading(struct buf *out, int level, const char *words)
{
    buf_addf(out, "\n%.*s %s\n", level + 1, "####", words);
}

static void text(struct buf *out, const char *words)
{
    put_blocks(out, words, "");
}

/* Terms follow one another as a list. */
static void term(struct buf *out, const char *name, const char *words)
{
    struct str rest = str_of(words), block;
    size_t at = out->len > 0 ? out->len - 1 : 0;
    bool verbatim, first = true;

    while (at > 0 && out->p[at - 1] != '\n')
        at--;
    if (out->p && out->p[at] != '-' && out->p[at] != ' ')
        buf_addc(out, '\n');
    buf_addf(out, "- `%s`", name);
    for (; page_next(&rest, &block, &verbatim); first = false) {
        buf_adds(out, first ? ": " : "\n");
        put_block(out, block, verbatim, first ? "" : "  ");
    }
}

static void code(struct buf *out, const char *line)
{
    static const char fence[] = "```\n";
    size_t n = sizeof fence - 1;

    if (out->len >= n && memcmp(out->p + out->len - n, fence, n) == 0 && out->len > n) {
        out->len -= n; /* another line of the block before */
        out->p[out->len] = '\0';
    } else {
        buf_adds(out, "\n```sh\n");
    }
    buf_addf(out, "%s\n```\n", line);
}

const struct page_form page_markdown = {begin, heading, text, term, code};
