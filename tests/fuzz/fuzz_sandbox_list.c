/* SPDX-License-Identifier: Apache-2.0 */
/* Property: what the service decodes of our filter is what was asked for; a list of pages ends,
 * and whatever the pages' tokens hold, the next request is one request. The input's lines are the
 * tokens, and in pairs the metadata. */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/e2b/sandbox_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS = 4, ROOM = 1 << 16 };

static int hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : toupper((unsigned char)c) - 'A' + 10;
}

/* As the service does: percent signs only, for we write no plus sign. */
static void decode(struct str in, struct buf *out)
{
    for (size_t i = 0; i < in.n; i++) {
        assert(isgraph((unsigned char)in.p[i]) && in.p[i] != '+' && in.p[i] != '#');
        if (in.p[i] != '%') {
            buf_addc(out, in.p[i]);
            continue;
        }
        assert(i + 2 < in.n);
        buf_addc(out, (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2])));
        i += 2;
    }
}

static void decode_twice(struct str in, const char *want)
{
    AUTO_BUF once = BUF_INIT(ROOM), twice = BUF_INIT(ROOM);

    decode(in, &once);
    decode(buf_str(&once), &twice);
    assert(str_is(buf_str(&twice), want));
}

static void try_filter(const char *const *pairs)
{
    AUTO_BUF value = BUF_INIT(ROOM), form = BUF_INIT(ROOM);
    struct str rest, one;

    sandbox_query_metadata(&value, pairs);
    if (value.rc != ERR_OK)
        return;
    decode(buf_str(&value), &form);
    rest = buf_str(&form);
    for (; pairs[0]; pairs += 2) {
        struct str name = {0};

        assert(str_next(&rest, '&', &one) && str_next(&one, '=', &name));
        decode_twice(name, pairs[0]);
        decode_twice(one, pairs[1]);
    }
    assert(!str_next(&rest, '&', &one) || form.len == 0);
}

static void try_pages(struct str text)
{
    struct sandbox_pager p = {0};
    struct str token;
    struct err e;

    while (str_next(&text, '\n', &token) && sandbox_pager_next(&p, token, &e) == ERR_OK) {
        AUTO_BUF query = BUF_INIT(ROOM);

        assert(str_is(token, p.token) && p.pages <= SANDBOX_PAGES_MAX);
        sandbox_pager_query(&p, "?limit=100", &query);
        assert(query.rc == ERR_OK && strspn(query.p, "?&=%-._~"
                                                     "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                     "abcdefghijklmnopqrstuvwxyz") == query.len);
        if (token.n == 0)
            break; /* that was the last one */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, rest = text, line;
    const char *pairs[2 * PAIRS + 1] = {NULL};
    size_t n = 0;

    try_pages(text);
    while (n < COUNTOF(pairs) - 1 && str_next(&rest, '\n', &line))
        pairs[n++] = str_dup(line);
    if (n % 2 == 1) {
        free((void *)(uintptr_t)pairs[--n]);
        pairs[n] = NULL;
    }
    try_filter(pairs);
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)pairs[i]);
    return 0;
}
