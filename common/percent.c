/* SPDX-License-Identifier: Apache-2.0 */
#include "common/percent.h"

#include <string.h>

#include "common/banned.h"

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err_code percent_decode(struct str s, bool plus, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int hi = i + 2 < s.n ? hex_of(s.p[i + 1]) : -1;
            int lo = i + 2 < s.n ? hex_of(s.p[i + 2]) : -1;

            if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
                return err_set(err, ERR_INVALID, "bad percent escape at byte %zu", i);
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        buf_addc(out, c);
    }
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "percent decoding");
}

void percent_encode(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c && strchr("-._~", c)))
            buf_addc(out, c);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}
