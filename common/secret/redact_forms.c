/* SPDX-License-Identifier: Apache-2.0 */
/* How a secret may look when somebody prints it. */
#include <string.h>

#include <sodium.h>

#include "common/secret/redact_internal.h"
#include "common/banned.h"

/* A byte becomes seven at most ("\\u003c"); base64 and hex stay below that. */
enum { GROWS = 7, LINES_MAX = 64 };

struct out {
    char *p;
    size_t n;
};

static void put(struct out *o, const char *p, size_t n)
{
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static void put_code(struct out *o, const char *before, unsigned char c, bool upper)
{
    const char *digit = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    put(o, before, strlen(before));
    put(o, &digit[c >> 4], 1);
    put(o, &digit[c & 15], 1);
}

/* --- JSON ------------------------------------------------------------------------ */

enum json_style { JSON_PLAIN, JSON_SLASH /* "\/" */, JSON_HTML /* "\u003c" */ };

static void json_escape(struct str s, enum json_style style, struct out *o)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (style == JSON_HTML && memchr("<>&'", c, 4)) {
            put_code(o, "\\u00", (unsigned char)c, false);
            continue;
        }
        if (c == '"' || c == '\\' || (c == '/' && style == JSON_SLASH))
            put(o, "\\", 1);
        put(o, &c, 1);
    }
}

static void json_plain(struct str s, struct out *o)
{
    json_escape(s, JSON_PLAIN, o);
}

static void json_slash(struct str s, struct out *o)
{
    json_escape(s, JSON_SLASH, o);
}

static void json_html(struct str s, struct out *o)
{
    json_escape(s, JSON_HTML, o);
}

/* --- URLs, hex --------------------------------------------------------------------- */

/* Besides letters and digits. Encoders differ: RFC 3986, the same without "~", JavaScript's, and
 * that of forms, where a blank is a plus. */
static const char *const url_sets[] = {"-._~", "-._", "-._~!*'()", "-._*"};
enum { URL_FORM = 3 };

static void url_escape(struct str s, size_t set, bool upper, struct out *o)
{
    const char *stays = url_sets[set];

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            memchr(stays, c, strlen(stays)))
            put(o, &c, 1);
        else if (set == URL_FORM && c == ' ')
            put(o, "+", 1);
        else
            put_code(o, "%", (unsigned char)c, upper);
    }
}

static enum err_code give_urls(struct str s, struct out *o, redact_form_fn give, void *ctx,
                               struct err *err)
{
    for (size_t form = 0; form < 2 * COUNTOF(url_sets); form++) {
        o->n = 0;
        url_escape(s, form / 2, form % 2, o);
        if (o->n >= REDACT_LEAST_BYTES && give(ctx, (struct str){o->p, o->n}, err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

static void hex_upper(struct str s, struct out *o)
{
    for (size_t i = 0; i < s.n; i++)
        put_code(o, "", (unsigned char)s.p[i], true);
}

static void hex_lower(struct str s, struct out *o)
{
    for (size_t i = 0; i < s.n; i++)
        put_code(o, "", (unsigned char)s.p[i], false);
}

static void as_it_is(struct str s, struct out *o)
{
    put(o, s.p, s.n);
}

/* --- base64 -------------------------------------------------------------------------- */

/* The letters that depend on the secret alone, where `before` bytes stand before it in its group.
 */
static void base64(struct str s, size_t before, bool url, struct out *o)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t first = (8 * before + 5) / 6, end = 8 * (before + s.n) / 6;

    for (size_t letter = first; letter < end; letter++) {
        size_t bit = 6 * letter - 8 * before;
        unsigned two = (unsigned)(unsigned char)s.p[bit / 8] << 8;

        if (bit / 8 + 1 < s.n)
            two |= (unsigned char)s.p[bit / 8 + 1];
        put(o, &(url ? safe : plain)[two >> (10 - bit % 8) & 63], 1);
    }
}

static enum err_code give_base64(struct str s, struct out *o, redact_form_fn give, void *ctx,
                                 struct err *err)
{
    for (size_t form = 0; form < 6; form++) {
        o->n = 0;
        base64(s, form % 3, form / 3, o);
        if (o->n >= REDACT_LEAST_BYTES && give(ctx, (struct str){o->p, o->n}, err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

/* The secret alone, in lines as base64(1) and PEM make them. */
static enum err_code give_lines(struct str s, size_t width, struct out *o, redact_form_fn give,
                                void *ctx, struct err *err)
{
    o->n = 0;
    base64(s, 0, false, o);
    for (size_t at = 0; o->n > width && at < o->n && at < LINES_MAX * width; at += width) {
        size_t n = o->n - at < width ? o->n - at : width;

        if (n >= REDACT_LEAST_BYTES && give(ctx, (struct str){o->p + at, n}, err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

/* --- all -------------------------------------------------------------------------------- */

typedef void (*form_fn)(struct str s, struct out *o);

/* Each two of them, one behind the other; a line of Claude's is JSON, and what a tool printed in it
 * may have been JSON before. */
static const struct {
    form_fn first, then;
} forms[] = {
    {as_it_is, NULL},         {json_plain, NULL},      {json_slash, NULL},
    {json_html, NULL},        {hex_lower, NULL},       {json_plain, json_plain},
    {json_slash, json_plain}, {json_html, json_plain}, {hex_upper, NULL},
};

static enum err_code give_all(struct str s, struct out *one, struct out *two, redact_form_fn give,
                              void *ctx, struct err *err)
{
    for (size_t i = 0; i < COUNTOF(forms); i++) {
        one->n = two->n = 0;
        forms[i].first(s, one);
        struct str form = {one->p, one->n};
        if (forms[i].then) {
            forms[i].then(form, two);
            form = (struct str){two->p, two->n};
        }
        if (form.n >= REDACT_LEAST_BYTES && give(ctx, form, err) != ERR_OK)
            return err->code;
    }
    enum err_code rc = give_urls(s, one, give, ctx, err);
    if (rc == ERR_OK)
        rc = give_base64(s, one, give, ctx, err);
    if (rc == ERR_OK)
        rc = give_lines(s, 76, one, give, ctx, err);
    return rc == ERR_OK ? give_lines(s, 64, one, give, ctx, err) : rc;
}

enum err_code redact_forms(struct str secret, redact_form_fn give, void *ctx, struct err *err)
{
    if (secret.n < REDACT_LEAST_BYTES)
        return ERR_OK;
    struct out one = {.p = sodium_malloc(GROWS * secret.n)};
    struct out two = {.p = sodium_malloc(2 * GROWS * secret.n)};
    enum err_code rc = one.p && two.p
                           ? give_all(secret, &one, &two, give, ctx, err)
                           : err_set(err, ERR_NOMEM, "what is to be cut out: no locked memory");
    sodium_free(one.p);
    sodium_free(two.p);
    return rc;
}
