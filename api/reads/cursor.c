/* SPDX-License-Identifier: Apache-2.0 */
/* base64url of: version, at_us, id, and a hash of those and of what it is bound to. */
#include "api/reads/cursor.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/banned.h"

enum { VERSION = 1, AT = 1, ID = 9, TAG = 12, BYTES_MAX = ID + CURSOR_ID_MAX + TAG };
#define AT_MAX_US INT64_C(253402300799999999) /* the last one of the year 9999 */

static void add(crypto_generichash_state *h, const void *p, size_t n)
{
    uint64_t length = n;

    crypto_generichash_update(h, (const unsigned char *)&length, sizeof(length));
    crypto_generichash_update(h, p, n);
}

static void mix(struct cursor_bound *b, const char *name, const char *value)
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, sizeof(b->bytes));
    add(&h, b->bytes, sizeof(b->bytes));
    add(&h, name, strlen(name));
    add(&h, value, strlen(value));
    crypto_generichash_final(&h, b->bytes, sizeof(b->bytes));
}

void cursor_bind(struct cursor_bound *b, const char *list, const char *tenant)
{
    *b = (struct cursor_bound){0};
    mix(b, list, tenant);
}

void cursor_bind_to(struct cursor_bound *b, const char *name, const char *value)
{
    mix(b, name, value);
}

static void make_tag(const uint8_t *bytes, size_t n, const struct cursor_bound *b,
                     uint8_t tag[crypto_generichash_BYTES_MIN])
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, crypto_generichash_BYTES_MIN);
    add(&h, b->bytes, sizeof(b->bytes));
    add(&h, bytes, n);
    crypto_generichash_final(&h, tag, crypto_generichash_BYTES_MIN);
}

void cursor_write(const struct cursor *c, const struct cursor_bound *b, struct buf *out)
{
    uint8_t bytes[BYTES_MAX], tag[crypto_generichash_BYTES_MIN];
    char text[sodium_base64_ENCODED_LEN(BYTES_MAX, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    size_t n = strnlen(c->id, CURSOR_ID_MAX);

    bytes[0] = VERSION;
    for (size_t i = 0; i < 8; i++)
        bytes[AT + i] = (uint8_t)((uint64_t)c->at_us >> (56 - 8 * i));
    memcpy(bytes + ID, c->id, n);
    n += ID;
    make_tag(bytes, n, b, tag);
    memcpy(bytes + n, tag, TAG);
    sodium_bin2base64(text, sizeof(text), bytes, n + TAG, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_adds(out, text);
}

/* libsodium takes some bytes above 127 for letters of base64. */
static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return false;
    return true;
}

bool cursor_parse(struct str text, const struct cursor_bound *b, struct cursor *out)
{
    uint8_t bytes[BYTES_MAX], tag[crypto_generichash_BYTES_MIN];
    struct str id;
    uint64_t at = 0;
    size_t n;

    if (text.n == 0 || !is_ascii(text) ||
        sodium_base642bin(bytes, sizeof(bytes), text.p, text.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        n < ID + TAG || bytes[0] != VERSION)
        return false;
    n -= TAG;
    make_tag(bytes, n, b, tag);
    if (memcmp(bytes + n, tag, TAG) != 0)
        return false;
    for (size_t i = 0; i < 8; i++)
        at = at << 8 | bytes[AT + i];
    id = (struct str){(const char *)bytes + ID, n - ID};
    if ((at > AT_MAX_US && at != CURSOR_FOR_EVER) || !str_utf8(id, NULL) ||
        (id.n > 0 && memchr(id.p, '\0', id.n)))
        return false;
    *out = (struct cursor){.at_us = (int64_t)at};
    memcpy(out->id, id.p, id.n);
    return true;
}

char *cursor_time(const struct cursor *c, char out[CURSOR_TIME_TEXT])
{
    char ms[CLOCK_TEXT];

    if (c->at_us == CURSOR_FOR_EVER)
        (void)snprintf(out, CURSOR_TIME_TEXT, "infinity");
    else /* "…:03.004Z" and three digits more */
        (void)snprintf(out, CURSOR_TIME_TEXT, "%.*s%03dZ",
                       (int)strlen(clock_rfc3339(c->at_us / 1000, ms)) - 1, ms,
                       (int)(c->at_us % 1000));
    return out;
}
