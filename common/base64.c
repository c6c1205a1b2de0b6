/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base64.h"

#include <stdint.h>

#include "common/banned.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *out, struct str bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.p;
    size_t i = 0, full = bytes.n - bytes.n % 3, n = (bytes.n + 2) / 3 * 4;
    char *to = buf_room(out, n);

    if (!to)
        return;
    for (; i < full; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = alphabet[v >> 6 & 63];
        *to++ = alphabet[v & 63];
    }
    if (full < bytes.n) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < bytes.n ? (uint32_t)in[i + 1] << 8 : 0);

        *to++ = alphabet[v >> 18];
        *to++ = alphabet[v >> 12 & 63];
        *to++ = i + 1 < bytes.n ? alphabet[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    buf_grew(out, n);
}

/* 0..63, or -1 when c is no letter of the alphabet. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Without "=" or "==", where padding may stand; a wrong count of it stays and fails later. */
static struct str unpadded(struct str text)
{
    if (text.n % 4 == 0)
        for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
            text.n--;
    return text;
}

enum err_code base64_decode(struct str text, struct buf *out, struct err *err)
{
    struct str s = unpadded(text);
    size_t n = s.n / 4 * 3 + (s.n % 4 > 1 ? s.n % 4 - 1 : 0);
    uint32_t bits = 0;
    size_t have = 0;
    char *to;

    if (s.n % 4 == 1)
        return err_set(err, ERR_INVALID, "base64 of %zu letters: no such length", s.n);
    to = buf_room(out, n);
    if (!to)
        return err_set(err, out->rc, "base64 of %zu bytes: %s", n, err_meaning(out->rc));
    for (size_t i = 0; i < s.n; i++) {
        int v = value_of(s.p[i]);

        if (v < 0)
            return err_set(err, ERR_INVALID, "base64: no letter of its alphabet at byte %zu", i);
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *to++ = (char)(bits >> have & 0xff);
        }
    }
    if ((bits & ((1U << have) - 1)) != 0)
        return err_set(err, ERR_INVALID, "base64: bits left over in its last letter");
    buf_grew(out, n);
    return ERR_OK;
}
