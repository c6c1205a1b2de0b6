/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a form is read the same however it is cut, and one that is none is refused.
 * Proof: a table of bodies, each told as "name/file=data;", cut at every place. */
#include <stdlib.h>
#include <string.h>

#include "sandboxd/envd/files_form.h"
#include "tests/lib/table.h"

#define PART(name)       "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART(value) "--b\r\ncontent-disposition: form-data; name=file; " value "\r\n\r\n"

static struct row {
    const char *name, *body, *want; /* want: "…!" ends refused, "…?" is not at its end */
} rows[] = {
    {"one field", PART("a") "1\r\n--b--\r\n", "a=1;."},
    {"two", PART("a") "1\r\n" PART("b") "2\r\n--b--", "a=1;b=2;."},
    {"empty data", PART("a") "\r\n--b--\r\n", "a=;."},
    {"no part", "--b--\r\n", "."},
    {"preamble and epilogue", "x\r\ny\r\n" PART("a") "1\r\n--b--\r\nmore", "a=1;."},
    {"nearly the delimiter", PART("a") "\r\n--\r\n-\r\r\n--c\r\n--b--", "a=\r\n--\r\n-\r\r\n--c;."},
    {"blanks behind it", "--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--",
     "a=1;."},
    {"file name", FILE_PART("filename=\"x y.txt\"") "1\r\n--b--", "file/x y.txt=1;."},
    {"escaped quote", FILE_PART("filename=\"a\\\"b\\\\c\"") "\r\n--b--", "file/a\"b\\c=;."},
    {"backslash that escapes nothing", FILE_PART("filename=\"C:\\dir\\x\"") "\r\n--b--",
     "file/C:\\dir\\x=;."},
    {"file name in another charset", FILE_PART("filename=no; filename*=utf-8''a%20b") "\r\n--b--",
     "file/a b=;."},
    {"the better name first", FILE_PART("filename*=utf-8''ok; filename=no") "\r\n--b--",
     "file/ok=;."},
    {"backslash at its end", FILE_PART("filename=\"x\\\"") "1\r\n--b--", "file/x\\=1;."},
    {"semicolon in quotes", FILE_PART("filename=\"a;b\"") "\r\n--b--", "file/a;b=;."},
    {"no disposition", "--b\r\nX: y\r\n\r\n1\r\n--b--", "=1;."},
    {"no headers", "--b\r\n\r\n1\r\n--b--", "=1;."},
    {"cut in data", PART("a") "1", "a=1?"},
    {"cut in headers", "--b\r\nContent-", "?"},
    {"cut before the last dashes", PART("a") "1\r\n--b", "a=1;?"},
    {"nothing", "", "?"},
    {"no boundary at all", "just text", "?"},
    {"a longer boundary", PART("a") "1\r\n--bb\r\n", "a=1;!"},
    {"quote without end", FILE_PART("filename=\"x") "1\r\n--b--", "!"},
    {"parameter without value", FILE_PART("filename") "1\r\n--b--", "!"},
};

static void tell(struct form *f, struct str in, struct buf *out, bool *bad)
{
    struct str data = {0};

    while (!*bad && in.n > 0)
        switch (form_next(f, &in, &data)) {
        case FORM_MORE:
            break;
        case FORM_PART:
            buf_addstr(out, buf_str(&f->name));
            if (f->has_file)
                buf_addf(out, "/" STR_FMT, STR_ARG(buf_str(&f->file)));
            buf_addc(out, '=');
            break;
        case FORM_DATA:
            buf_addstr(out, data);
            break;
        case FORM_PART_END:
            buf_addc(out, ';');
            break;
        case FORM_END:
            buf_addc(out, '.');
            break;
        case FORM_BAD:
            buf_addc(out, '!');
            *bad = true;
            break;
        }
}

/* From a copy of exactly its size, so that no look behind a piece goes well. */
static void tell_piece(struct form *f, struct str piece, struct buf *out, bool *bad)
{
    char *copy = malloc(piece.n > 0 ? piece.n : 1);

    assert_non_null(copy);
    memcpy(copy, piece.p, piece.n);
    tell(f, (struct str){copy, piece.n}, out, bad);
    memset(copy, '?', piece.n);
    free(copy);
}

static void check_cut(const struct row *row, size_t at, size_t step)
{
    AUTO_BUF out = BUF_INIT(4096);
    struct str body = str_of(row->body);
    struct form f;
    bool bad = false;

    assert_string_equal(err_name(form_init(&f, "multipart/form-data; boundary=b", NULL)), "OK");
    tell_piece(&f, (struct str){body.p, at}, &out, &bad);
    for (size_t i = at; i < body.n; i += step)
        tell_piece(&f, (struct str){body.p + i, body.n - i < step ? body.n - i : step}, &out, &bad);
    if (!bad && !form_done(&f))
        buf_addc(&out, '?');
    assert_string_equal(out.p, row->want);
    form_release(&f);
}

static void check(void **state)
{
    const struct row *row = *state;
    size_t n = strlen(row->body);

    for (size_t at = 0; at <= n; at++)
        check_cut(row, at, n + 1);
    check_cut(row, 0, 1);
}

static void boundaries(void **state)
{
    static const struct {
        const char *type, *want; /* NULL: refused */
    } cases[] = {
        {"multipart/form-data; boundary=x", "\r\n--x"},
        {"Multipart/Form-Data;charset=x;Boundary=\"a b\"", "\r\n--a b"},
        {"multipart/form-data", NULL},
        {"multipart/form-data; boundary=", NULL},
        {"multipart/mixed; boundary=x", NULL},
        {"application/json", NULL},
        {"", NULL},
        {"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567"
         "89012345678901",
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct form f;
        enum err_code rc = form_init(&f, cases[i].type, NULL);

        assert_string_equal(err_name(rc), cases[i].want != NULL ? "OK" : "INVALID");
        if (cases[i].want != NULL)
            assert_string_equal(f.delimiter, cases[i].want);
        form_release(&f);
    }
}

static void headers_have_a_ceiling(void **state)
{
    struct str line = STR("--b\r\n"), filler = STR("X: 0123456789\r\n"), data;
    enum form_event e = FORM_MORE;
    struct form f;

    (void)state;
    assert_string_equal(err_name(form_init(&f, "multipart/form-data; boundary=b", NULL)), "OK");
    assert_int_equal(form_next(&f, &line, &data), FORM_MORE);
    for (size_t n = 0; e == FORM_MORE && n < 2 * FORM_HEADERS_MAX;
         n += STR("X: 0123456789\r\n").n) {
        filler = STR("X: 0123456789\r\n");
        e = form_next(&f, &filler, &data);
    }
    assert_int_equal(e, FORM_BAD);
    form_release(&f);
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(boundaries),
                                      cmocka_unit_test(headers_have_a_ceiling)};
    int failed = TABLE_RUN("form", rows, check);

    return failed + cmocka_run_group_tests_name("form", more, NULL, NULL);
}
