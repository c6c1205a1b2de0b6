/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/files_sign.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/banned.h"

enum { TEXT_MAX = 16 << 10, SIGNATURE_LEN = 3 + 43, DIGITS_MAX = 18 };

static bool unix_seconds(struct str s, int64_t *out)
{
    int64_t n = 0;
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;

    if (s.n == i || s.n > DIGITS_MAX)
        return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        n = n * 10 + (s.p[i] - '0');
    }
    *out = negative ? -n : n;
    return true;
}

/* "v1_" and the digest of "path:operation:user:token[:expiration]"; false: out of room. */
static bool expected(const struct file_sign *s, const int64_t *expires_s,
                     char out[SIGNATURE_LEN + 1])
{
    AUTO_BUF text = BUF_INIT(TEXT_MAX);
    unsigned char digest[crypto_hash_sha256_BYTES];

    buf_addstr(&text, s->path);
    buf_addf(&text, ":%s:" STR_FMT ":%s", s->operation, STR_ARG(s->user), s->token);
    if (expires_s != NULL)
        buf_addf(&text, ":%lld", (long long)*expires_s);
    if (text.rc != ERR_OK)
        return false;
    (void)crypto_hash_sha256(digest, (const unsigned char *)text.p, text.len);
    memcpy(out, "v1_", 3);
    (void)sodium_bin2base64(out + 3, SIGNATURE_LEN - 2, digest, sizeof(digest),
                            sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_memzero(text.p, text.len);
    return true;
}

const char *file_sign_refusal(const struct file_sign *s, int64_t now_s)
{
    char want[SIGNATURE_LEN + 1] = "";
    bool limited = s->expiration.p != NULL;
    int64_t expires_s = 0;

    if (s->signature.p == NULL)
        return "missing signature query parameter";
    if (limited && !unix_seconds(s->expiration, &expires_s))
        return "invalid signature";
    if (!expected(s, limited ? &expires_s : NULL, want) || s->signature.n != SIGNATURE_LEN ||
        sodium_memcmp(want, s->signature.p, SIGNATURE_LEN) != 0)
        return "invalid signature";
    return limited && expires_s < now_s ? "signature is already expired" : NULL;
}
