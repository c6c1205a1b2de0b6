/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: whatever is sent as a key or a read token is read or refused; one that is read was
 * not signed by us, and signed by us it comes back with the same key, tenant and time. Scopes and
 * origins that are accepted are written as they are read. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "api/auth/cors.h"
#include "api/auth/read_token.h"

#define RUN "01950f3c-8a00-7000-8000-000000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void token(struct str in)
{
    static const uint8_t hash[API_KEY_BYTES] = {7};
    struct read_token t, again;
    AUTO_BUF text = BUF_INIT(4096);

    if (!read_token_parse(in, &t))
        return;
    assert(!read_token_matches(&t, RUN, hash));
    again = t;
    read_token_write(&again, RUN, hash, &text);
    assert(read_token_parse(buf_str(&text), &again) && read_token_matches(&again, RUN, hash));
    assert(strcmp(t.key_id, again.key_id) == 0 && strcmp(t.tenant, again.tenant) == 0);
    assert(t.expires_s == again.expires_s && run_name_ok(str_of(t.tenant)));
}

static void scopes(struct str in)
{
    AUTO_BUF text = BUF_INIT(64);
    unsigned first, second;

    if (!api_scopes_parse(in, &first))
        return;
    api_scopes_write(first, &text);
    assert(api_scopes_parse(buf_str(&text), &second) && first == second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct api_key key;

    if (api_key_parse(in, &key))
        assert(in.n == API_KEY_TEXT - 1 && memcmp(key.id, in.p + 4, API_KEY_ID - 1) == 0);
    token(in);
    scopes(in);
    if (cors_origin_ok(in))
        assert(!memchr(in.p, '\n', in.n) && !memchr(in.p, '\0', in.n));
    return 0;
}
