/* SPDX-License-Identifier: Apache-2.0 */
#include "api/accept.h"

#include <string.h>
#include <strings.h>

#include "common/banned.h"

enum { FULL = 1000 };

static bool same(struct str a, struct str b)
{
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* 0: the range does not hold the type; else the closer, the more. */
static int closeness(struct str range, struct str type)
{
    struct str kind = {0}, main = {0}, rest = range, all = type;

    if (same(range, type))
        return 3;
    if (str_is(range, "*/*"))
        return 1;
    (void)str_next(&rest, '/', &kind);
    (void)str_next(&all, '/', &main);
    return str_is(rest, "*") && same(kind, main) ? 2 : 0;
}

/* "0.8" is 800; what is no such number is FULL. */
static int thousandths(struct str s)
{
    int q = 0, unit = FULL;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' && i == 1)
            continue;
        if (s.p[i] < '0' || s.p[i] > '9' || i > 4)
            return FULL;
        q += unit * (s.p[i] - '0');
        unit /= 10;
    }
    return s.n == 0 || q > FULL ? FULL : q;
}

static int quality(struct str params)
{
    struct str one;

    while (str_next(&params, ';', &one)) {
        one = str_trim(one);
        if (one.n > 2 && strncasecmp(one.p, "q=", 2) == 0)
            return thousandths((struct str){one.p + 2, one.n - 2});
    }
    return FULL;
}

int accept_quality(const char *header, const char *type)
{
    struct str rest = str_of(header), one, range;
    int best = 0, q = 0;

    if (!header || !*header)
        return FULL;
    while (str_next(&rest, ',', &one)) {
        int close;

        (void)str_next(&one, ';', &range);
        close = closeness(str_trim(range), str_of(type));
        if (close > best) {
            best = close;
            q = quality(one);
        }
    }
    return q;
}
