/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a file of patterns holds, it is taken or refused; with what was taken, a text
 * (what stands behind the first NUL) keeps its length, and each of its bytes is as it was or an
 * asterisk. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_cut(const struct redactor *r, struct str text)
{
    char *copy = malloc(text.n + 1);
    size_t cut = 0;

    assert(copy);
    memcpy(copy, text.p, text.n);
    size_t finds = redactor_cut(r, copy, text.n, 0);

    for (size_t i = 0; i < text.n; i++) {
        assert(copy[i] == text.p[i] || copy[i] == '*');
        cut += copy[i] != text.p[i];
    }
    assert(finds > 0 || cut == 0);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size;
    struct redactor *r = NULL;
    struct err err = ERR_INIT;

    assert(redactor_new(&r, &err) == ERR_OK);
    enum err_code rc = redactor_add_patterns(r, (struct str){(const char *)data, n}, &err);

    assert(rc == ERR_OK || rc == ERR_CONFIG || rc == ERR_TOO_BIG);
    assert(redactor_longest(r) > 0);
    if (nul)
        check_cut(r, (struct str){(const char *)nul + 1, size - n - 1});
    redactor_free(r);
    return 0;
}
