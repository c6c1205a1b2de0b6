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

/* What a letter stands for; NO: it is none of the alphabet. */
enum { NO = 0x80 };
#define NO16 NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO
// clang-format off
static const uint8_t value_of[256] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO, NO, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
    NO, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO,
    NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
    NO16, NO16, NO16, NO16, NO16, NO16, NO16, NO16,
};
// clang-format on

/* Without "=" or "==", where padding may stand; a wrong count of it stays and fails later. */
static struct str unpadded(struct str text)
{
    if (text.n % 4 == 0)
        for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
            text.n--;
    return text;
}

static uint8_t letter(char c)
{
    return value_of[(unsigned char)c];
}

/* Whole groups of four letters, as far as they are letters. Returns how many letters. */
static size_t decode_groups(struct str s, char *to)
{
    size_t i = 0;

    for (; i + 4 <= s.n; i += 4) {
        uint8_t a = letter(s.p[i]), b = letter(s.p[i + 1]), c = letter(s.p[i + 2]),
                d = letter(s.p[i + 3]);
        uint32_t v = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;

        if ((a | b | c | d) & NO)
            break;
        *to++ = (char)(v >> 16);
        *to++ = (char)(v >> 8);
        *to++ = (char)v;
    }
    return i;
}

/* The two or three letters behind the groups. */
static enum err_code decode_rest(struct str s, char *to, struct err *err)
{
    uint32_t v = 0, left = s.n == 2 ? 4 : 2;

    for (size_t i = 0; i < s.n; i++)
        v = v << 6 | letter(s.p[i]);
    if ((v & ((1U << left) - 1)) != 0)
        return err_set(err, ERR_INVALID, "base64: bits left over in its last letter");
    v >>= left;
    if (s.n == 3)
        *to++ = (char)(v >> 8);
    *to = (char)v;
    return ERR_OK;
}

static size_t first_stranger(struct str s, size_t from)
{
    while (from < s.n && letter(s.p[from]) != NO)
        from++;
    return from;
}

enum err_code base64_decode(struct str text, struct buf *out, struct err *err)
{
    struct str s = unpadded(text);
    size_t n = s.n / 4 * 3 + (s.n % 4 > 1 ? s.n % 4 - 1 : 0), whole, bad;
    char *to;

    if (s.n % 4 == 1)
        return err_set(err, ERR_INVALID, "base64 of %zu letters: no such length", s.n);
    to = buf_room(out, n);
    if (!to)
        return err_set(err, out->rc, "base64 of %zu bytes: %s", n, err_meaning(out->rc));
    whole = decode_groups(s, to);
    bad = first_stranger(s, whole);
    if (bad < s.n)
        return err_set(err, ERR_INVALID, "base64: no letter of its alphabet at byte %zu", bad);
    if (whole < s.n &&
        decode_rest((struct str){s.p + whole, s.n - whole}, to + whole / 4 * 3, err) != ERR_OK)
        return err->code;
    buf_grew(out, n);
    return ERR_OK;
}
