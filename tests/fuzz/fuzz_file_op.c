/* SPDX-License-Identifier: Apache-2.0 */
/* Property: an operation that is accepted holds as many names as it says, all of them inside it
 * and ended; and a path resolves to an absolute one or is refused. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandboxd/envd/files_sign.h"
#include "sandboxd/envd/files_type.h"
#include "sandboxd/envd/path.h"
#include "sandboxd/sandbox/file_op.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(struct str s)
{
    char out[PATH_MAX_BYTES];

    if (path_resolve("/home/user", s, out, NULL) != ERR_OK)
        return;
    assert(out[0] == '/' && strlen(out) < PATH_MAX_BYTES);
    if (s.n == 0 || s.p[0] != '/')
        assert(strstr(out, "/../") == NULL && strstr(out, "//") == NULL);
    assert(path_base(out)[0] != '\0');
}

static void try_headers(struct str s)
{
    AUTO_BUF out = BUF_INIT(1 << 20);
    char *text = str_dup(s);

    if (text == NULL)
        return;
    (void)encoding_wanted(text);
    (void)encoding_used(text);
    (void)file_type_of(text);
    file_disposition(&out, text);
    assert(out.rc != ERR_OK || strpbrk(out.p, "\r\n") == NULL);
    const struct file_sign sign = {
        .path = s, .signature = s, .expiration = s, .operation = "read", .token = "t"};
    assert(file_sign_refusal(&sign, 0) != NULL);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *s[FILE_OP_STRINGS_MAX];
    struct str bytes = {(const char *)data, size};
    struct file_op op;

    if (file_op_parse(bytes, &op, s, NULL) == ERR_OK) {
        const char *end = bytes.p + sizeof(op);

        for (uint32_t i = 0; i < op.strings; i++) {
            assert(s[i] == end);
            end += strlen(s[i]) + 1;
        }
        assert(end == bytes.p + bytes.n && op.kind < FILE_OP_KINDS);
    }
    try_path(bytes);
    try_headers(bytes);
    return 0;
}
