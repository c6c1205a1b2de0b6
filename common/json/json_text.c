/* SPDX-License-Identifier: Apache-2.0 */
/* Strings inside a JSON text: made safe for jsonb, and decoded. */
#include "common/json/json.h"

#include <string.h>

#include "common/json/json_escape.h"
#include "common/utf8.h"
#include "common/banned.h"

size_t json_sanitize(char *text, size_t n)
{
    char *p = text, *end = n > 0 ? text + n : text;
    size_t changed = 0;

    /* In valid JSON a backslash always begins an escape. */
    while (p < end && (p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        uint32_t code;
        size_t len = json_escape(p, end, &code);

        if (len == 6 && json_is_unsafe(code)) {
            memcpy(p, "\\ufffd", 6);
            changed++;
        }
        p += len ? len : 1;
    }
    return changed;
}

static void add_code(struct buf *out, uint32_t code)
{
    char utf8[4];

    if (json_is_high(code) || json_is_low(code))
        buf_adds(out, UTF8_REPLACEMENT);
    else
        buf_add(out, utf8, utf8_put(code, utf8));
}

enum err_code json_unquote(struct str quoted, struct buf *out, struct err *err)
{
    const char *p, *end;

    if (quoted.n < 2 || quoted.p[0] != '"' || quoted.p[quoted.n - 1] != '"' ||
        json_scan(quoted, NULL, 0, NULL, NULL) != ERR_OK)
        return err_set(err, ERR_INVALID, "not a JSON string");
    p = quoted.p + 1;
    end = quoted.p + quoted.n - 1;
    while (p < end) {
        const char *stop = memchr(p, '\\', (size_t)(end - p));
        uint32_t code;

        buf_add(out, p, (size_t)((stop ? stop : end) - p));
        if (!stop)
            break;
        p = stop + json_escape(stop, end, &code);
        add_code(out, code);
    }
    if (out->rc != ERR_OK)
        return err_set(err, out->rc, "JSON string of %zu bytes: %s", quoted.n,
                       err_meaning(out->rc));
    return ERR_OK;
}
