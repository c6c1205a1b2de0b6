/* SPDX-License-Identifier: Apache-2.0 */
/* One UTF-8 sequence, strictly: no overlong form, no surrogate, nothing over U+10FFFF. Pure. */
#ifndef SANDFLEET_COMMON_UTF8_H
#define SANDFLEET_COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* U+FFFD, what stands for bytes and characters that cannot be kept. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"

/* Bytes of the sequence that begins at p (1..4), or 0 when it is none. p < end. */
static inline size_t utf8_len(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t room = (size_t)(end - p), n;
    unsigned char low = 0x80, high = 0xbf; /* the range of the second byte */

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] == 0xe0)
        low = 0xa0; /* else overlong */
    else if (s[0] == 0xed)
        high = 0x9f; /* else a surrogate */
    else if (s[0] == 0xf0)
        low = 0x90; /* else overlong */
    else if (s[0] == 0xf4)
        high = 0x8f; /* else over U+10FFFF */
    if (n > room || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Writes code point c (no surrogate) to out; returns its bytes. */
static inline size_t utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

#endif
