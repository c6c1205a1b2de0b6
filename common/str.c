/* SPDX-License-Identifier: Apache-2.0 */
/* The views of buf.h. */
#include "common/buf.h"

#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "common/banned.h"

struct str str_of(const char *cstr)
{
    return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is(struct str a, const char *cstr)
{
    return str_eq(a, str_of(cstr));
}

bool str_starts(struct str a, const char *prefix)
{
    size_t n = strlen(prefix);

    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* A NULL p says that the last field was given out: "a," has two fields, "" has one
 * when p is set and none when it is NULL. */
bool str_next(struct str *rest, char sep, struct str *out)
{
    const char *at;

    if (!rest->p)
        return false;
    at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
    if (!at) {
        *out = *rest;
        *rest = (struct str){0};
        return true;
    }
    *out = (struct str){rest->p, (size_t)(at - rest->p)};
    rest->n -= out->n + 1;
    rest->p = at + 1;
    return true;
}

bool str_int(struct str s, int64_t max, int64_t *out)
{
    int64_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        int digit = s.p[i] - '0';

        if (digit < 0 || digit > 9 || digit > max || n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (s.n > 0)
        *out = n;
    return s.n > 0;
}

char *str_dup(struct str s)
{
    char *copy = malloc(s.n + 1);

    if (!copy)
        return NULL;
    if (s.n > 0)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

/* Eight bytes at a time. */
static const char *ascii_end(const char *p, const char *end)
{
    uint64_t w;

    for (; end - p >= (ptrdiff_t)sizeof w; p += sizeof w) {
        memcpy(&w, p, sizeof w);
        if (w & UINT64_C(0x8080808080808080))
            break;
    }
    return p;
}

bool str_utf8(struct str s, size_t *bad_at)
{
    const char *p = s.p, *end = s.n > 0 ? s.p + s.n : s.p;

    while ((p = ascii_end(p, end)) < end) {
        size_t n = utf8_len(p, end);

        if (n == 0) {
            if (bad_at)
                *bad_at = (size_t)(p - s.p);
            return false;
        }
        p += n;
    }
    return true;
}
