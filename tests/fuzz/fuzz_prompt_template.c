/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a template is refused at a place in it, or filling it with its own names in braces
 * gives the text again, the escapes taken away. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "producer/batch/prompt_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, values[TEMPLATE_NAMES_MAX];
    struct prompt_template *t = NULL;
    struct template_fault at;
    struct err err = ERR_INIT;
    AUTO_BUF out = BUF_INIT(4 << 20);
    AUTO_BUF want = BUF_INIT(4 << 20);

    if (template_parse(text, &t, &at, &err) != ERR_OK) {
        assert(err.msg[0] != '\0' && at.line >= 1 && at.column >= 1);
        return 0;
    }
    for (size_t i = 0; i < template_names(t); i++) {
        struct str name = template_name(t, i);

        values[i] = (struct str){name.p - 2, name.n + 4}; /* with its braces */
        assert(str_starts(values[i], "{{"));
    }
    template_fill(t, values, &out);
    for (size_t i = 0; i < size; i++)
        if (!str_starts((struct str){text.p + i, size - i}, "\\{{"))
            buf_addc(&want, text.p[i]);
    assert(str_eq(buf_str(&out), buf_str(&want)));
    template_free(t);
    return 0;
}
