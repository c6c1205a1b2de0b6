/* SPDX-License-Identifier: Apache-2.0 */
#include "common/uuid.h"

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include <sodium.h>

#include "common/banned.h"

enum { BYTES = 16, TEXT = UUID_TEXT - 1, SHORT_BYTES = 128 };

/* Two digits a byte. */
#define HEX_16(h)                                                                                  \
    h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "a" h "b" h "c" h "d" h "e" h "f"
static const char hex[] = HEX_16("0") HEX_16("1") HEX_16("2") HEX_16("3") HEX_16("4") HEX_16("5")
    HEX_16("6") HEX_16("7") HEX_16("8") HEX_16("9") HEX_16("a") HEX_16("b") HEX_16("c") HEX_16("d")
        HEX_16("e") HEX_16("f");

void uuid_text(const uint8_t in[16], char out[UUID_TEXT])
{
    static const uint8_t at[BYTES] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

    for (size_t i = 0; i < BYTES; i++)
        memcpy(out + at[i], hex + (size_t)2 * in[i], 2);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[TEXT] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_bytes(struct str s, uint8_t out[16])
{
    size_t at = 0;

    if (s.n != TEXT)
        return false;
    for (size_t i = 0; i < BYTES; i++) {
        int high, low;

        if ((i == 4 || i == 6 || i == 8 || i == 10) && s.p[at++] != '-')
            return false;
        high = hex_digit(s.p[at++]);
        low = hex_digit(s.p[at++]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool uuid_valid(struct str s)
{
    uint8_t bytes[BYTES];

    return uuid_bytes(s, bytes);
}

static void stamp(uint8_t b[16], unsigned version)
{
    b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* RFC variant */
}

/* 48 bits of milliseconds and 12 of counter as one number that only rises, also
 * when the wall clock steps back; a full counter runs over into the next millisecond. */
static uint64_t rising_tick(int64_t wall_ms, uint32_t random)
{
    static _Atomic uint64_t last;
    uint64_t seen = atomic_load(&last), next;

    do {
        next = (uint64_t)wall_ms << 12 | (random & 0x7ff);
        if (next <= seen)
            next = seen + 1;
    } while (!atomic_compare_exchange_weak(&last, &seen, next));
    return next;
}

void uuid_v7(int64_t wall_ms, char out[UUID_TEXT])
{
    uint8_t b[BYTES];
    uint64_t tick;

    randombytes_buf(b, sizeof b);
    tick = rising_tick(wall_ms, (uint32_t)b[6] << 8 | b[7]);
    for (unsigned i = 0; i < 6; i++)
        b[i] = (uint8_t)(tick >> (52 - 8 * i));
    b[6] = (uint8_t)(tick >> 8 & 0x0f);
    b[7] = (uint8_t)tick;
    stamp(b, 7);
    uuid_text(b, out);
}

/* Public and constant: it sets our ids apart from others' hashes of the same parts. */
static const unsigned char v8_key[32] = "sandfleet uuid v8, first edition";

/* Each part behind its length, so that no two lists of parts are one text. */
static void hash_parts(const struct str *parts, size_t n, uint8_t out[BYTES])
{
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, v8_key, sizeof v8_key, BYTES);
    for (size_t i = 0; i < n; i++) {
        uint64_t len = htole64(parts[i].n);

        (void)crypto_generichash_update(&state, (const unsigned char *)&len, sizeof len);
        (void)crypto_generichash_update(&state, (const unsigned char *)parts[i].p, parts[i].n);
    }
    (void)crypto_generichash_final(&state, out, BYTES);
}

/* The same in one call, which is quicker. False: the parts are too long for it. */
static bool hash_short(const struct str *parts, size_t n, uint8_t out[BYTES])
{
    unsigned char text[SHORT_BYTES];
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t len = htole64(parts[i].n);

        if (parts[i].n + sizeof len > sizeof text - at)
            return false;
        memcpy(text + at, &len, sizeof len);
        if (parts[i].n > 0)
            memcpy(text + at + sizeof len, parts[i].p, parts[i].n);
        at += sizeof len + parts[i].n;
    }
    (void)crypto_generichash(out, BYTES, text, at, v8_key, sizeof v8_key);
    return true;
}

void uuid_v8(const struct str *parts, size_t n, char out[UUID_TEXT])
{
    uint8_t b[BYTES];

    if (!hash_short(parts, n, b))
        hash_parts(parts, n, b);
    stamp(b, 8);
    uuid_text(b, out);
}

bool uuid_v7_ms(struct str s, int64_t *wall_ms)
{
    uint8_t b[BYTES];
    int64_t ms = 0;

    if (!uuid_bytes(s, b) || b[6] >> 4 != 7)
        return false;
    for (size_t i = 0; i < 6; i++)
        ms = ms << 8 | b[i];
    *wall_ms = ms;
    return true;
}
