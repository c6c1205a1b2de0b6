/* SPDX-License-Identifier: Apache-2.0 */
/* Compact JSON into a buf. */
#include "common/json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json/json_escape.h"
#include "common/utf8.h"
#include "common/banned.h"

/* What stands for a control byte, quote or backslash. */
static void put_escape(struct buf *b, char c)
{
    static const char short_of[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
        ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't',
    };
    char letter = short_of[(unsigned char)c];

    if (letter) {
        buf_add(b, (char[2]){'\\', letter}, 2);
    } else {
        static const char hex[] = "0123456789abcdef";

        buf_add(b, (char[6]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
}

/* The end of the bytes from p on that stand for themselves in a JSON string. */
static const char *plain_end(const char *p, const char *end)
{
    size_t n;

    do {
        p = json_skip_plain(p, end);
        n = p < end && (unsigned char)*p >= 0x80 ? utf8_len(p, end) : 0;
        p += n;
    } while (n > 0);
    return p;
}

void json_put_string(struct buf *b, struct str s)
{
    const char *p = s.p, *end = s.n > 0 ? s.p + s.n : s.p;

    buf_addc(b, '"');
    while (p < end) {
        const char *stop = plain_end(p, end);

        buf_add(b, p, (size_t)(stop - p));
        if (stop == end)
            break;
        if ((unsigned char)*stop >= 0x80)
            buf_adds(b, UTF8_REPLACEMENT);
        else
            put_escape(b, *stop);
        p = stop + 1;
    }
    buf_addc(b, '"');
}

void json_key(struct buf *b, const char *key)
{
    char last = b->len > 0 ? b->p[b->len - 1] : '{';

    if (last != '{' && last != '[')
        buf_addc(b, ',');
    json_put_string(b, str_of(key));
    buf_addc(b, ':');
}

void json_kv(struct buf *b, const char *key, const char *cstr)
{
    if (cstr)
        json_kv_str(b, key, str_of(cstr));
}

void json_kv_str(struct buf *b, const char *key, struct str s)
{
    json_key(b, key);
    json_put_string(b, s);
}

void json_kv_int(struct buf *b, const char *key, int64_t n)
{
    json_key(b, key);
    buf_addf(b, "%lld", (long long)n);
}

void json_kv_num(struct buf *b, const char *key, double d)
{
    char text[32];

    json_key(b, key);
    if (!isfinite(d)) {
        buf_adds(b, "null"); /* JSON has no word for it */
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    buf_adds(b, text);
}

void json_kv_bool(struct buf *b, const char *key, bool v)
{
    json_key(b, key);
    buf_adds(b, v ? "true" : "false");
}

void json_kv_raw(struct buf *b, const char *key, struct str json)
{
    json_key(b, key);
    buf_addstr(b, json);
}
