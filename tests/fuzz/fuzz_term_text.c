/* SPDX-License-Identifier: Apache-2.0 */
/* Property: what is safe stays as it is when made safe again, is UTF-8 and has no control
 * character; its rows fit, lose nothing but spaces, and put together are the line. The first byte
 * of the input is the width. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "producer/show/term_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_safe(struct str safe)
{
    AUTO_BUF again = BUF_INIT(1 << 20);

    assert(str_utf8(safe, NULL));
    for (size_t i = 0; i < safe.n; i++)
        assert((unsigned char)safe.p[i] >= 0x20 || safe.p[i] == '\n' || safe.p[i] == '\t');
    term_text_safe(&again, safe);
    assert(str_eq(buf_str(&again), safe));
}

static void check_rows(struct str line, int columns)
{
    struct term_rows rows = {.rest = line, .columns = columns};
    const char *at = line.p;
    struct str row;

    while (term_rows_next(&rows, &row)) {
        struct str text = row;

        for (; at < row.p; at++)
            assert(*at == ' ');
        at = row.p + row.n;
        while (text.n && text.p[text.n - 1] == ' ')
            text.n--;
        /* one character may be wider than the row is */
        assert(rows.indent + term_text_width(text) <= columns || text.n <= 4 ||
               term_text_fit(text, columns - rows.indent).n == 0 || columns < 3);
    }
    for (; at < line.p + line.n; at++)
        assert(*at == ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int columns = size > 0 ? data[0] % 40 + 1 : 1;
    struct str text = {(const char *)data + (size > 0), size - (size > 0)}, rest, line;
    AUTO_BUF safe = BUF_INIT(1 << 20), flat = BUF_INIT(1 << 20);

    term_text_safe(&safe, text);
    check_safe(buf_str(&safe));
    rest = buf_str(&safe);
    while (rest.n && str_next(&rest, '\n', &line)) {
        buf_clear(&flat);
        term_text_untab(&flat, line);
        check_rows(buf_str(&flat), columns);
    }
    return 0;
}
