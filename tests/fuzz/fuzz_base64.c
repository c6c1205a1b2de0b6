/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: bytes written as base64 read back as themselves; text that reads is, with its
 * padding restored, exactly what its bytes are written as. */
#include <assert.h>
#include <stdint.h>

#include "common/base64.h"

enum { OUT_MAX = 1 << 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    AUTO_BUF text = BUF_INIT(OUT_MAX), bytes = BUF_INIT(OUT_MAX);
    struct err err = ERR_INIT;

    base64_add(&text, in);
    assert(base64_decode(buf_str(&text), &bytes, &err) == ERR_OK);
    assert(str_eq(buf_str(&bytes), in));

    buf_clear(&bytes);
    buf_clear(&text);
    if (base64_decode(in, &bytes, &err) != ERR_OK)
        return 0;
    base64_add(&text, buf_str(&bytes));
    while (in.n < text.len && text.p[text.len - 1] == '=')
        text.p[--text.len] = '\0';
    assert(str_eq(buf_str(&text), in));
    return 0;
}
