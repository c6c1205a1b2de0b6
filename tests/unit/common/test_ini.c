/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a configuration file is understood exactly or refused with its line; nothing in it is
 * guessed. Proof: a table of texts with what they hold, or the whole message. */
#include <string.h>

#include "common/ini.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *text;
    const char *want; /* "section:key=value|…", or the message */
} rows[] = {
    {"empty", "", ""},
    {"comments and blanks", "# a = b\n; c\n\n  \t\n", ""},
    {"one", "a=b", ":a=b|"},
    {"spaces around", "  a \t=  b c  \n", ":a=b c|"},
    {"no value", "a =\n", ":a=|"},
    {"equals in the value", "a = b=c", ":a=b=c|"},
    {"windows", "\xef\xbb\xbf[x]\r\na = b\r\n", "x:a=b|"},
    {"sections", "a=1\n[x]\na=2\n[ y.z-1_ ] # why\na=3\n", ":a=1|x:a=2|y.z-1_:a=3|"},
    {"again", "a=1\na=2\n", ":a=1|:a=2|"},
    {"quotes", "a = \"b # \\\"c\\\" \\\\ \\n\\t\"  # why\n", ":a=b # \"c\" \\ \n\t|"},
    {"literal", "a = 'b \\n # \"c\"'", ":a=b \\n # \"c\"|"},
    {"a quote inside", "a = b \"c\" 'd'", ":a=b \"c\" 'd'|"},
    {"a hash inside", "a = b#c", ":a=b#c|"},
    {"a semicolon inside", "a = b ; c", ":a=b ; c|"},
    {"beyond ASCII", "a = gr\xc3\xbc\xc3\x9f", ":a=gr\xc3\xbc\xc3\x9f|"},

    {"a comment behind", "\na = b # c",
     "f:2: a comment behind a value, or a '#' in it, needs the value in quotes"},
    {"no equals", "a\n", "f:1: want 'key = value', '[profile]' or a comment"},
    {"no key", "= b", "f:1: a key is of letters, digits, '.', '_' and '-', 64 at most"},
    {"key of two words", "a b = c",
     "f:1: a key is of letters, digits, '.', '_' and '-', 64 at most"},
    {"open section", "a=1\n[x\n", "f:2: a section is written [name], alone on its line"},
    {"behind a section", "[x] a=1\n", "f:1: a section is written [name], alone on its line"},
    {"no section", "[]",
     "f:1: a section's name is of letters, digits, '.', '_' and '-', 64 at most"},
    {"section of two words", "[a b]",
     "f:1: a section's name is of letters, digits, '.', '_' and '-', 64 at most"},
    {"twice", "[x]\n\n[x]", "f:3: section 'x' stands in line 1 already"},
    {"open quote", "a = \"b", "f:1: the quote is not closed"},
    {"escape at the end", "a = \"b\\",
     "f:1: within \"…\" a backslash stands before \\ \" n or t only"},
    {"other escape", "a = \"\\u0041\"",
     "f:1: within \"…\" a backslash stands before \\ \" n or t only"},
    {"behind a quote", "a = \"b\" c", "f:1: something stands behind the closing quote"},
    {"control", "a = b\x1b[0m", "f:1: a control character, or not UTF-8"},
    {"not UTF-8", "a=1\nb = \xff", "f:2: a control character, or not UTF-8"},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF got = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct ini ini;

    buf_adds(&got, "");
    if (ini_parse("f", str_of(r->text), &ini, &err) != ERR_OK) {
        assert_string_equal(err_name(err.code), "CONFIG");
        assert_string_equal(err.msg, r->want);
        assert_int_equal(ini.n_entries + ini.n_sections, 0);
        return;
    }
    for (size_t i = 0; i < ini.n_entries; i++)
        buf_addf(&got, "%s:%s=%s|", ini.sections[ini.entries[i].section].name, ini.entries[i].key,
                 ini.entries[i].value);
    ini_release(&ini);
    assert_string_equal(got.p ? got.p : "", r->want);
}

int main(void)
{
    return TABLE_RUN("ini", rows, check);
}
