/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/read_token.h"

#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#include "common/banned.h"

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING, NUMBER_MAX_DIGITS = 12 };

/* No part can hold a line's end, so no two tokens are signed over the same text. */
static void sign(const struct read_token *t, const char *run_id, const uint8_t hash[API_KEY_BYTES],
                 uint8_t mac[READ_TOKEN_MAC])
{
    AUTO_BUF text = BUF_INIT(512);

    buf_addf(&text, "sandfleet read token\n%s\n%s\n%s\n%" PRId64 "\n", t->key_id, t->tenant, run_id,
             t->expires_s);
    if (text.rc != ERR_OK) /* no memory: a signature that nobody can have */
        randombytes_buf(mac, READ_TOKEN_MAC);
    else
        crypto_generichash(mac, READ_TOKEN_MAC, (const unsigned char *)text.p, text.len, hash,
                           API_KEY_BYTES);
}

static void add_base64(struct buf *out, const void *bytes, size_t n)
{
    char text[sodium_base64_ENCODED_LEN(RUN_NAME_MAX_BYTES + 1, VARIANT)];

    buf_adds(out, sodium_bin2base64(text, sizeof(text), bytes, n, VARIANT));
}

void read_token_write(struct read_token *t, const char *run_id, const uint8_t hash[API_KEY_BYTES],
                      struct buf *out)
{
    sign(t, run_id, hash, t->mac);
    buf_addf(out, READ_TOKEN_PREFIX "%s.%" PRId64 ".", t->key_id, t->expires_s);
    add_base64(out, t->tenant, strlen(t->tenant));
    buf_addc(out, '.');
    add_base64(out, t->mac, sizeof(t->mac));
}

/* Bytes; -1: it is not how base64 is written. */
static int64_t from_base64(struct str text, void *out, size_t room)
{
    const char *end = NULL;
    size_t n = 0;

    if (text.n == 0 || sodium_base642bin(out, room, text.p, text.n, NULL, &n, &end, VARIANT) != 0 ||
        end != text.p + text.n)
        return -1;
    return (int64_t)n;
}

bool read_token_parse(struct str text, struct read_token *out)
{
    struct str rest = text, id, expires, tenant, mac, more;
    int64_t n;

    *out = (struct read_token){0};
    if (!str_starts(text, READ_TOKEN_PREFIX))
        return false;
    rest.p += sizeof(READ_TOKEN_PREFIX) - 1;
    rest.n -= sizeof(READ_TOKEN_PREFIX) - 1;
    if (!str_next(&rest, '.', &id) || !str_next(&rest, '.', &expires) ||
        !str_next(&rest, '.', &tenant) || !str_next(&rest, '.', &mac) ||
        str_next(&rest, '.', &more))
        return false;
    if (!api_key_id_ok(id) || expires.n > NUMBER_MAX_DIGITS ||
        !str_int(expires, INT64_MAX, &out->expires_s))
        return false;
    memcpy(out->key_id, id.p, id.n);
    n = from_base64(tenant, out->tenant, sizeof(out->tenant) - 1);
    return n > 0 && run_name_ok((struct str){out->tenant, (size_t)n}) &&
           from_base64(mac, out->mac, sizeof(out->mac)) == READ_TOKEN_MAC;
}

bool read_token_matches(const struct read_token *t, const char *run_id,
                        const uint8_t hash[API_KEY_BYTES])
{
    uint8_t own[READ_TOKEN_MAC];

    sign(t, run_id, hash, own);
    return sodium_memcmp(own, t->mac, sizeof(own)) == 0;
}
