/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reads/labels.h"

#include <string.h>

#include "common/banned.h"

static size_t characters(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_text(struct str s, size_t max)
{
    return s.n == 0 || (!memchr(s.p, '\0', s.n) && str_utf8(s, NULL) && characters(s) <= max);
}

static int order(struct str a, struct str b)
{
    int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return d ? d : (a.n > b.n) - (a.n < b.n);
}

const char *labels_add(struct labels *l, struct str text)
{
    const char *equal = text.n ? memchr(text.p, '=', text.n) : NULL;
    struct str key = {text.p, equal ? (size_t)(equal - text.p) : 0}, value;
    size_t at = 0;

    if (key.n == 0 || !is_text(key, LABEL_KEY_MAX))
        return "is key=value, with a key of 1 to 128 characters";
    value = (struct str){equal + 1, text.n - key.n - 1};
    if (!is_text(value, LABEL_VALUE_MAX))
        return "is key=value, with a value of at most 256 characters";
    while (at < l->n && order(l->v[at].key, key) < 0)
        at++;
    if (at < l->n && str_eq(l->v[at].key, key))
        return "comes twice with one key";
    if (l->n == LABELS_MAX)
        return "may come at most 8 times";
    memmove(l->v + at + 1, l->v + at, (l->n++ - at) * sizeof(l->v[0]));
    l->v[at] = (struct label){key, value};
    return NULL;
}

static void add_quoted(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, s.p[i]);
    }
}

void labels_write(const struct labels *l, const char *tenant, struct buf *out)
{
    buf_addc(out, '{');
    for (size_t i = 0; i < l->n; i++) {
        buf_addf(out, "%s\"%s %zu:", i ? "," : "", tenant, characters(l->v[i].key));
        add_quoted(out, l->v[i].key);
        buf_addc(out, '=');
        add_quoted(out, l->v[i].value);
        buf_addc(out, '"');
    }
    buf_addc(out, '}');
}
