/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one JSON string, shared by the files of json.h. Pure. */
#ifndef SANDFLEET_COMMON_JSON_ESCAPE_H
#define SANDFLEET_COMMON_JSON_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool json_is_high(uint32_t code)
{
    return (code & 0xfffffc00) == 0xd800;
}

static inline bool json_is_low(uint32_t code)
{
    return (code & 0xfffffc00) == 0xdc00;
}

/* What jsonb refuses: U+0000 and half a surrogate pair. */
static inline bool json_is_unsafe(uint32_t code)
{
    return code == 0 || json_is_high(code) || json_is_low(code);
}

/* The number behind "\u" at p, or UINT32_MAX when none stands there. */
static inline uint32_t json_hex4(const char *p, const char *end)
{
    uint32_t v = 0;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return UINT32_MAX;
    for (int i = 2; i < 6; i++) {
        char c = p[i];

        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return UINT32_MAX;
    }
    return v;
}

/* The escape at p, which is a backslash: its bytes (2, 6, or 12 for a surrogate
 * pair) and its code point, or 0 when it is none. Half a pair is its own code point. */
static inline size_t json_escape(const char *p, const char *end, uint32_t *code)
{
    static const char plain[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    uint32_t second;

    if (end - p < 2)
        return 0;
    if (p[1] != 'u') {
        unsigned char c = (unsigned char)p[1];

        *code = c < 128 ? (unsigned char)plain[c] : 0;
        return *code ? 2 : 0;
    }
    *code = json_hex4(p, end);
    if (*code == UINT32_MAX)
        return 0;
    if (!json_is_high(*code))
        return 6;
    second = json_hex4(p + 6, end);
    if (!json_is_low(second))
        return 6;
    *code = 0x10000 + ((*code & 0x3ff) << 10 | (second & 0x3ff));
    return 12;
}

#define JSON_EACH_BYTE(x) (UINT64_C(0x0101010101010101) * (x))

/* Not 0 when one of eight bytes ends a plain run: a control byte, quote, backslash, or
 * one over 0x7f. May be fooled only by a borrow out of a lower byte that ends it anyway. */
static inline uint64_t json_special_bytes(uint64_t w)
{
    uint64_t quote = w ^ JSON_EACH_BYTE('"'), backslash = w ^ JSON_EACH_BYTE('\\');

    return ((w - JSON_EACH_BYTE(0x20)) | (quote - JSON_EACH_BYTE(1)) |
            (backslash - JSON_EACH_BYTE(1)) | w) &
           JSON_EACH_BYTE(0x80);
}

/* Of the 16 bytes at p, one bit for each that ends a plain run. A byte over 0x7f is less
 * than a control byte's limit, too: they are compared with their sign. */
#ifdef __SSE2__
static inline unsigned json_special_16(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
}
#endif

/* The first byte from p on that is not plain text of a string. */
static inline const char *json_skip_plain(const char *p, const char *end)
{
    uint64_t w, special;

#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        unsigned found = json_special_16(p);

        if (found)
            return p + __builtin_ctz(found);
    }
#endif

    while (end - p >= (ptrdiff_t)sizeof w) {
        memcpy(&w, p, sizeof w);
        special = json_special_bytes(w);
        if (special)
            break;
        p += sizeof w;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

#endif
