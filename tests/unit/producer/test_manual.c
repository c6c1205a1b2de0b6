/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: docs/cli.md is what the program does, and a text comes out of each form as it went in.
 * Proof: the page is compared with what the tables make of it now; tables of small texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "producer/manual/manual.h"
#include "tests/lib/table.h"

static char *read_page(const char *path)
{
    FILE *f = fopen(path, "r");
    AUTO_BUF text = BUF_INIT(16 << 20);

    assert_non_null(f);
    for (size_t n = 1; n > 0;) {
        char *room = buf_room(&text, 65536);

        assert_non_null(room);
        n = fread(room, 1, 65536, f);
        buf_grew(&text, n);
    }
    (void)fclose(f);
    return buf_take(&text);
}

static void the_page_is_up_to_date(void **state)
{
    AUTO_BUF now = BUF_INIT(16 << 20);
    char *page = read_page(SF_SOURCE_DIR "/docs/cli.md"), *a = page;

    (void)state;
    manual_reference(&now);
    assert_int_equal(now.rc, ERR_OK);
    for (char *b = now.p; strcmp(a, b) != 0; a++, b++)
        if (*a != *b)
            fail_msg("docs/cli.md is out of date; make it anew: cmake --build --preset ci "
                     "--target reference\n"
                     "from: %.60s\nto:   %.60s",
                     a, b);
    free(page);
}

static void every_page_can_be_made(void **state)
{
    (void)state;
    for (size_t g = 0; g < command_groups_n; g++) {
        AUTO_BUF page = BUF_INIT(16 << 20);

        manual_group(&page_roff, &command_groups[g], "2025-01-31", &page);
        assert_int_equal(page.rc, ERR_OK);
        assert_non_null(strstr(page.p, " 1 2025-01-31 \"sandfleet "));
        assert_non_null(strstr(page.p, ".SH SEE ALSO\n"));
    }
}

static struct row {
    const char *name, *roff, *markdown; /* name: the text */
} rows[] = {
    {"one", ".PP\none\n", "\none\n"},
    {"a\n\n\nb\n", ".PP\na\n.PP\nb\n", "\na\n\nb\n"},
    {"One. Two.", ".PP\nOne.\nTwo.\n", "\nOne. Two.\n"},
    {"a `b-c *_<>` d-e *_<", ".PP\na \\fBb\\-c *_<>\\fR d\\-e *_<\n",
     "\na `b-c *_<>` d-e \\*\\_&lt;\n"},
    {".x\n'y z. .w", ".PP\n\\&.x\n\\&'y z.\n\\&.w\n", "\n.x\n'y z. .w\n"},
    {"a\\b", ".PP\na\\eb\n", "\na\\\\b\n"},
    {"…×\xf0\x9f\x98\x80", ".PP\n\\[u2026]\\[u00D7]\\[u1F600]\n", "\n…×\xf0\x9f\x98\x80\n"},
    {"a:\n\n  x = 1\n\n  [`y`]\n\nb", ".PP\na:\n.PP\n.nf\n  x = 1\n\n  [`y`]\n.fi\n.PP\nb\n",
     "\na:\n\n```\nx = 1\n\n[`y`]\n```\n\nb\n"},
    {"twelve bytes twelve bytes twelve bytes twelve bytes twelve bytes twelve bytes and more",
     ".PP\ntwelve bytes twelve bytes twelve bytes twelve bytes twelve bytes twelve bytes\nand "
     "more\n",
     "\ntwelve bytes twelve bytes twelve bytes twelve bytes twelve bytes twelve bytes and more\n"},
};

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF roff = BUF_INIT(4096), markdown = BUF_INIT(4096);

    page_roff.text(&roff, r->name);
    page_markdown.text(&markdown, r->name);
    assert_string_equal(roff.p, r->roff);
    assert_string_equal(markdown.p, r->markdown);
}

static void terms_and_code(void **state)
{
    AUTO_BUF roff = BUF_INIT(4096), markdown = BUF_INIT(4096);

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct page_form *f = i ? &page_markdown : &page_roff;
        struct buf *b = i ? &markdown : &roff;

        f->heading(b, 1, "Exit status");
        f->term(b, "-o, --out <x-y>", "A.\n\n  b");
        f->term(b, "-q", "C.");
        f->heading(b, 2, "x y");
        f->code(b, "a -b  # c");
        f->code(b, "d");
    }
    assert_string_equal(roff.p, ".SH EXIT STATUS\n"
                                ".TP\n\\fB\\-o, \\-\\-out \\fI<x\\-y>\\fB\\fR\nA.\n"
                                ".IP\n.nf\n  b\n.fi\n"
                                ".TP\n\\fB\\-q\\fR\nC.\n"
                                ".SS x y\n.nf\na \\-b  # c\nd\n.fi\n");
    assert_string_equal(markdown.p, "\n## Exit status\n\n"
                                    "- `-o, --out <x-y>`: A.\n\n  ```\n  b\n  ```\n"
                                    "- `-q`: C.\n"
                                    "\n### x y\n\n```sh\na -b  # c\nd\n```\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_up_to_date),
        cmocka_unit_test(every_page_can_be_made),
        cmocka_unit_test(terms_and_code),
    };

    return TABLE_RUN("texts", rows, check) +
           cmocka_run_group_tests_name("manual", tests, NULL, NULL);
}
