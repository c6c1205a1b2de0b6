/* SPDX-License-Identifier: Apache-2.0 */
/* Property: however a form is cut into pieces, its parts and their bytes are the same; data
 * never grows. The first byte is how it is cut, the rest the body. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandboxd/envd/files_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* False: it is no form. */
static bool tell(struct form *f, struct str in, struct buf *out, size_t *bytes)
{
    struct str data = {0};

    while (in.n > 0) {
        enum form_event e = form_next(f, &in, &data);

        if (e == FORM_BAD) {
            buf_addc(out, '!');
            return false;
        }
        if (e == FORM_DATA) {
            *bytes += data.n;
            buf_addstr(out, data);
        }
        if (e == FORM_PART) {
            buf_addc(out, '(');
            buf_addstr(out, buf_str(&f->name));
            buf_addstr(out, buf_str(&f->file));
        }
        if (e == FORM_PART_END || e == FORM_END)
            buf_addc(out, e == FORM_END ? '.' : ')');
    }
    return true;
}

static void run(struct str body, size_t step, struct buf *out)
{
    struct form f;
    size_t bytes = 0;

    assert(form_init(&f, "multipart/form-data; boundary=b", NULL) == ERR_OK);
    for (size_t i = 0; i < body.n; i += step)
        if (!tell(&f, (struct str){body.p + i, body.n - i < step ? body.n - i : step}, out, &bytes))
            break;
    assert(bytes <= body.n);
    form_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);
    struct form f;

    if (size < 2)
        return 0;
    struct str body = {(const char *)data + 1, size - 1};
    run(body, body.n, &whole);
    run(body, 1 + data[0] % 16, &cut);
    assert(str_eq(buf_str(&whole), buf_str(&cut)));

    char *type = str_dup(body); /* the same as a header */
    if (type != NULL)
        (void)!form_init(&f, type, NULL);
    if (type != NULL)
        form_release(&f);
    free(type);
    return 0;
}
