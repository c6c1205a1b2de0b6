/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reads/labels.h"

#include <string.h>

#include "schema/run_request.h"
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
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n ? memcmp(a.p, b.p, n) : 0;

    return d ? d : (a.n > b.n) - (a.n < b.n);
}

static int order_of(const struct label *a, const struct label *b)
{
    int d = order(a->key, b->key);

    return d ? d : order(a->value, b->value);
}

static const char *put(struct labels *l, struct label one)
{
    size_t at = 0;

    while (at < l->n && order_of(&l->v[at], &one) < 0)
        at++;
    if (at < l->n && order_of(&l->v[at], &one) == 0)
        return NULL;
    if (l->n == LABELS_MAX)
        return "may come at most 8 times";
    memmove(l->v + at + 1, l->v + at, (l->n++ - at) * sizeof(l->v[0]));
    l->v[at] = one;
    return NULL;
}

const char *labels_add(struct labels *l, struct str text)
{
    const char *equal = text.n ? memchr(text.p, '=', text.n) : NULL;
    struct label one = {.key = {text.p, equal ? (size_t)(equal - text.p) : 0}};

    if (one.key.n == 0 || !is_text(one.key, LABEL_KEY_MAX))
        return "is key=value, with a key of 1 to 128 characters";
    one.value = (struct str){equal + 1, text.n - one.key.n - 1};
    if (!is_text(one.value, LABEL_VALUE_MAX))
        return "is key=value, with a value of at most 256 characters";
    return put(l, one);
}

const char *labels_add_tag(struct labels *l, struct str tag)
{
    return run_name_ok(tag) ? put(l, (struct label){.key = tag}) : "is a name";
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
        const struct label *one = &l->v[i];

        buf_addf(out, "%s\"%s ", i ? "," : "", tenant);
        if (one->value.p)
            buf_addf(out, "%zu:", characters(one->key));
        else
            buf_addc(out, '#');
        add_quoted(out, one->key);
        if (one->value.p)
            buf_addc(out, '=');
        add_quoted(out, one->value);
        buf_addc(out, '"');
    }
    buf_addc(out, '}');
}
