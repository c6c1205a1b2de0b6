/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/sign.h"

#include <inttypes.h>

#include <sodium.h>

#include "common/base64.h"

#include "common/banned.h"

enum { CONTENT_MAX_BYTES = 64 << 10 };

static void content(const struct sign_message *m, struct buf *out)
{
    buf_addf(out, "%s.%" PRId64 ".", m->id, m->at_s);
    buf_addstr(out, m->body);
}

static size_t sign_v1(const struct buf *content, const uint8_t *key, size_t n, uint8_t *out)
{
    crypto_auth_hmacsha256_state state;

    (void)crypto_auth_hmacsha256_init(&state, key, n);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)content->p, content->len);
    (void)crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof(state));
    return crypto_auth_hmacsha256_BYTES;
}

static size_t sign_v1a(const struct buf *content, const uint8_t *seed, uint8_t *out)
{
    uint8_t pair[crypto_sign_SECRETKEYBYTES], open[crypto_sign_PUBLICKEYBYTES];

    (void)crypto_sign_seed_keypair(open, pair, seed);
    (void)crypto_sign_detached(out, NULL, (const uint8_t *)content->p, content->len, pair);
    sodium_memzero(pair, sizeof(pair));
    return crypto_sign_BYTES;
}

enum err_code sign_add(const struct sign_message *m, enum webhook_scheme scheme, struct str key,
                       struct buf *out, struct err *err)
{
    AUTO_BUF text = BUF_INIT(CONTENT_MAX_BYTES);
    uint8_t signature[crypto_sign_BYTES], bytes[WEBHOOK_KEY_MAX_BYTES];
    size_t n = 0;

    content(m, &text);
    if (text.rc != ERR_OK)
        return err_set(err, text.rc, "what is to be signed");
    if (webhook_key_bytes(scheme, key, bytes, &n, err) != ERR_OK)
        return err->code;
    n = scheme == WEBHOOK_V1 ? sign_v1(&text, bytes, n, signature)
                             : sign_v1a(&text, bytes, signature);
    sodium_memzero(bytes, sizeof(bytes));
    buf_addf(out, "%s%s,", out->len > 0 ? " " : "", webhook_scheme_name(scheme));
    base64_add(out, (struct str){(const char *)signature, n});
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "signatures");
}
