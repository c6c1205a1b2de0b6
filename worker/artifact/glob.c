/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifact/glob.h"

#include <string.h>

#include "common/banned.h"

/* Two stars are any folders when they stand alone between slashes; elsewhere, one star. */
static size_t put_stars(struct str glob, size_t at, struct buf *out)
{
    size_t n = 1;

    while (at + n < glob.n && glob.p[at + n] == '*')
        n++;
    bool alone = n == 2 && (at == 0 || glob.p[at - 1] == '/');
    if (alone && at + n < glob.n && glob.p[at + n] == '/') {
        buf_adds(out, "(.*/)?");
        return n + 1;
    }
    buf_adds(out, alone && at + n == glob.n ? ".*" : "[^/]*");
    return n;
}

void glob_regex(struct str glob, struct buf *out)
{
    static const char special[] = ".[]{}()+^$|\\";

    buf_adds(out, "\\./");
    for (size_t i = 0; i < glob.n;) {
        if (glob.p[i] == '*') {
            i += put_stars(glob, i, out);
            continue;
        }
        if (glob.p[i] == '?')
            buf_adds(out, "[^/]");
        else if (memchr(special, glob.p[i], sizeof(special) - 1))
            buf_addf(out, "\\%c", glob.p[i]);
        else
            buf_addc(out, glob.p[i]);
        i++;
    }
    buf_adds(out, "(/.*)?");
}
