/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what an agent prints cannot drive a terminal, and its rows are never wider than the
 * terminal. Proof: texts as rows with what becomes of them; tests/fuzz/fuzz_term_text.c for all
 * others. */
#include <string.h>

#include "producer/show/term_text.h"
#include "tests/lib/table.h"

static struct safe_row {
    const char *name, *text, *want;
} safe_rows[] = {
    {"plain", "a\tb\nc", "a\tb\nc"},
    {"controls", "a\033[2Jb\007\r\177", "a?[2Jb???"},
    {"C1 controls",
     "a\xc2\x9b"
     "2Jb\xc2\x85",
     "a?2Jb?"},
    {"colours are dropped", "\033[1;31mred\033[0m\033[m", "red"},
    {"half a colour is none", "\033[1;3", "?[1;3"},
    {"a title is no colour", "\033]0;x\007", "?]0;x?"},
    {"turned writing",
     "a\xe2\x80\xae"
     "b\xe2\x81\xa6",
     "a?b?"},
    {"marks of direction stay", "\xe2\x80\x8f", "\xe2\x80\x8f"},
    {"line separators", "\xe2\x80\xa8", "?"},
    {"no UTF-8", "a\xff\xfe\xc3", "a???"},
    {"no character", "\xef\xbf\xbf", "?"},
    {"all languages", "日本語 é 👍", "日本語 é 👍"},
    {"nothing", "", ""},
};

static void check_safe(void **state)
{
    const struct safe_row *row = *state;
    AUTO_BUF out = BUF_INIT(4096);

    term_text_safe(&out, str_of(row->text));
    assert_string_equal(out.p ? out.p : "", row->want);
}

static struct width_row {
    const char *name, *line;
    int want;
} width_rows[] = {
    {"ASCII", "abc", 3}, {"accents", "éü", 2},  {"combining", "e\xcc\x81", 1},
    {"wide", "日本", 4}, {"pictures", "👍", 2}, {"zero width", "a\xe2\x80\x8b", 1},
};

static void check_width(void **state)
{
    const struct width_row *row = *state;

    assert_int_equal(term_text_width(str_of(row->line)), row->want);
}

static struct wrap_row {
    const char *name;
    int columns;
    const char *line, *want; /* rows, joined by | */
} wrap_rows[] = {
    {"fits", 10, "0123456789", "0123456789"},
    {"at a space", 10, "01234 56789", "01234|56789"},
    {"spaces at the end hang", 5, "01234   ", "01234   "},
    {"spaces between rows go", 5, "01234   56", "01234|56"},
    {"a word that is too long", 5, "0123456789ab", "01234|56789|ab"},
    {"a long word behind a short one", 5, "a 0123456", "a|01234|56"},
    {"wide characters", 5, "日本語中文", "日本|語中|文"},
    {"wide behind narrow", 5, "ab日本", "ab日|本"},
    {"one too wide", 1, "日本", "日|本"},
    {"joined pictures stay together", 5, "aaa👨\xe2\x80\x8d👩", "aaa|👨\xe2\x80\x8d👩"},
    {"a mark stays with its character", 2, "日\xcc\x81本", "日\xcc\x81|本"},
    {"list", 12, "- one two three", "- one two|  three"},
    {"numbers", 12, "12. one two three", "12. one two|    three"},
    {"indented", 12, "  one two three", "  one two|  three"},
    {"no wrapping", 0, "one two three", "one two three"},
    {"empty", 5, "", ""},
    {"spaces only", 3, "       ", "       "},
};

static void check_wrap(void **state)
{
    const struct wrap_row *row = *state;
    struct term_rows rows = {.rest = str_of(row->line), .columns = row->columns};
    AUTO_BUF out = BUF_INIT(4096);
    struct str r;

    while (term_rows_next(&rows, &r)) {
        if (out.len)
            buf_addc(&out, '|');
        buf_addf(&out, "%*s" STR_FMT, rows.indent, "", STR_ARG(r));
    }
    assert_string_equal(out.p ? out.p : "", row->want);
}

static struct untab_row {
    const char *name, *line, *want;
} untab_rows[] = {
    {"at the start", "\ta", "    a"},       {"to the next stop", "ab\tc", "ab  c"},
    {"behind wide ones", "日\tc", "日  c"}, {"at the end goes", "a\t", "a"},
    {"two", "a\t\tb", "a       b"},         {"none", "abc", "abc"},
};

static void check_untab(void **state)
{
    const struct untab_row *row = *state;
    AUTO_BUF out = BUF_INIT(4096);

    term_text_untab(&out, str_of(row->line));
    assert_string_equal(out.p, row->want);
}

int main(void)
{
    return TABLE_RUN("safe", safe_rows, check_safe) + TABLE_RUN("width", width_rows, check_width) +
           TABLE_RUN("wrap", wrap_rows, check_wrap) + TABLE_RUN("untab", untab_rows, check_untab);
}
