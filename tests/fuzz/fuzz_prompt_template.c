/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a template is refused at a place in it, or filling it with its own names in braces
 * gives the text again, the escapes taken away; blanks apart, which a place may have. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "producer/batch/prompt_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drop_blanks(struct buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->len; i++)
        if (b->p[i] != ' ')
            b->p[n++] = b->p[i];
    b->len = n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, values[TEMPLATE_NAMES_MAX];
    struct prompt_template *t = NULL;
    struct template_fault at;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(4 << 20);
    AUTO_BUF want = BUF_INIT(4 << 20);
    AUTO_BUF names = BUF_INIT(TEMPLATE_NAMES_MAX * (TEMPLATE_NAME_MAX_BYTES + 4) + 1);

    if (template_parse(text, &t, &at, &err) != ERR_OK) {
        assert(err.msg[0] != '\0' && at.line >= 1 && at.column >= 1);
        return 0;
    }
    for (size_t i = 0; i < template_names(t); i++) {
        values[i].n = template_name(t, i).n + 4; /* with its braces */
        buf_addf(&names, "{{" STR_FMT "}}", STR_ARG(template_name(t, i)));
    }
    for (size_t i = 0, at_name = 0; i < template_names(t); at_name += values[i++].n)
        values[i].p = names.p + at_name;
    if (names.rc == ERR_OK)
        template_fill(t, values, &out);
    for (size_t i = 0; i < size; i++)
        if (!str_starts((struct str){text.p + i, size - i}, "\\{{"))
            buf_addc(&want, text.p[i]);
    drop_blanks(&out);
    drop_blanks(&want);
    assert(names.rc != ERR_OK || str_eq(buf_str(&out), buf_str(&want)));
    template_free(t);
    return 0;
}
