/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: {{name}} is filled and nothing else; what cannot be meant is refused with its place.
 * Proof: templates as rows, filled with their own names in angle brackets. */
#include <stdio.h>
#include <string.h>

#include "producer/batch/prompt_template.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *text, *want; /* "1:2": refused at this line and column */
} rows[] = {
    {"no name", "hello\n", "hello\n"},
    {"nothing", "", ""},
    {"one name", "a {{b}} c", "a <b> c"},
    {"at both ends", "{{a}}{{b}}", "<a><b>"},
    {"one name twice", "{{a}} {{a}}", "<a> <a>"},
    {"space and other letters",
     "{{first name}} {{gr\xc3\xb6\xc3\x9f"
     "e_2.x-y}}",
     "<first name> <gr\xc3\xb6\xc3\x9f"
     "e_2.x-y>"},
    {"closing braces alone", "a }} b }", "a }} b }"},
    {"one brace", "{a} { {", "{a} { {"},
    {"escaped", "\\{{a}} is {{a}}", "{{a}} is <a>"},
    {"escaped twice", "\\{{\\{{", "{{{{"},
    {"backslash elsewhere", "\\n \\{ \\", "\\n \\{ \\"},
    {"three braces", "{{{a}}}", "1:1"},
    {"blanks at the ends", "x\n {{ a }} {{a}} {{  first name}}", "x\n <a> <a> <first name>"},
    {"blanks alone", "x\n {{  }}", "2:2"},
    {"no name inside", "{{}}", "1:1"},
    {"never closed", "a\n\n{{b", "3:1"},
    {"a digit first", "{{1}}", "1:1"},
    {"a block", "{{#if a}}", "1:1"},
    {"over a line's end", "{{a\nb}}", "1:1"},
    {"not UTF-8", "a\n\xff", "2:1"},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct prompt_template *t = NULL;
    struct template_fault at;
    struct err err = ERR_INIT;
    struct str values[TEMPLATE_NAMES_MAX];
    AUTO_BUF names = BUF_INIT(4096);
    AUTO_BUF out = BUF_INIT(4096);
    enum err_code rc = template_parse(str_of(row->text), &t, &at, &err);

    if (rc != ERR_OK) {
        buf_addf(&out, "%d:%d", (int)at.line, (int)at.column);
        assert_string_equal(out.p, row->want);
        assert_string_equal(err_name(rc), "INVALID");
        return;
    }
    (void)buf_room(&names, 2048);
    for (size_t i = 0; i < template_names(t); i++) {
        size_t from = names.len;

        buf_addf(&names, "<" STR_FMT ">", STR_ARG(template_name(t, i)));
        values[i] = (struct str){names.p + from, names.len - from};
    }
    template_fill(t, values, &out);
    assert_string_equal(out.p ? out.p : "", row->want);
    template_free(t);
}

int main(void)
{
    return TABLE_RUN("prompt_template", rows, check);
}
