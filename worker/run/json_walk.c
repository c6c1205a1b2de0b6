/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/json_walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

enum { NUMBER_MAX_BYTES = 48, TEXT_MAX_BYTES = 4096 };

static void skip(struct str *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static void skip_space(struct str *s)
{
    while (s->n > 0 && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        skip(s, 1);
}

/* Bytes of the string at the start of s, with its quotes; s.n when it never ends. */
static size_t string_span(struct str s)
{
    size_t at = 1;

    while (at < s.n) {
        const char *quote = memchr(s.p + at, '"', s.n - at);
        size_t slashes = 0, end;

        if (!quote)
            break;
        end = (size_t)(quote - s.p);
        while (end - slashes > 1 && s.p[end - slashes - 1] == '\\')
            slashes++;
        at = end + 1;
        if (slashes % 2 == 0)
            return at;
    }
    return s.n;
}

static size_t bracket_span(struct str s)
{
    size_t depth = 0, at = 0;

    while (at < s.n) {
        switch (s.p[at]) {
        case '"':
            at += string_span((struct str){s.p + at, s.n - at});
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return at + 1;
            break;
        }
        at++;
    }
    return s.n;
}

static size_t scalar_span(struct str s)
{
    size_t at = 0;

    while (at < s.n && !strchr(",]} \t\r\n", s.p[at]))
        at++;
    return at;
}

static struct str take_value(struct str *rest)
{
    struct str value = {0};

    skip_space(rest);
    if (rest->n == 0)
        return value;
    value.p = rest->p;
    if (*rest->p == '"')
        value.n = string_span(*rest);
    else if (*rest->p == '{' || *rest->p == '[')
        value.n = bracket_span(*rest);
    else
        value.n = scalar_span(*rest);
    skip(rest, value.n);
    return value;
}

/* Behind the comma, if one follows; false at the closing bracket. */
static bool next_item(struct json_walk *w)
{
    skip_space(&w->rest);
    if (w->rest.n > 0 && *w->rest.p == ',') {
        skip(&w->rest, 1);
        skip_space(&w->rest);
    }
    return w->rest.n > 0 && *w->rest.p != '}' && *w->rest.p != ']';
}

struct json_walk json_walk(struct str container)
{
    if (container.n < 2 || (*container.p != '{' && *container.p != '['))
        return (struct json_walk){0};
    return (struct json_walk){{container.p + 1, container.n - 1}};
}

bool json_walk_member(struct json_walk *w, struct json_member *out)
{
    size_t n;

    if (!next_item(w) || *w->rest.p != '"')
        return false;
    n = string_span(w->rest);
    if (n < 2)
        return false;
    out->key = (struct str){w->rest.p + 1, n - 2};
    skip(&w->rest, n);
    skip_space(&w->rest);
    if (w->rest.n == 0 || *w->rest.p != ':')
        return false;
    skip(&w->rest, 1);
    out->value = take_value(&w->rest);
    return out->value.n > 0;
}

bool json_walk_element(struct json_walk *w, struct str *out)
{
    if (!next_item(w))
        return false;
    *out = take_value(&w->rest);
    return out->n > 0;
}

struct str json_walk_get(struct str object, const char *key)
{
    struct json_walk w = json_walk(object);
    struct json_member m;

    if (object.n == 0 || *object.p != '{')
        return (struct str){0};
    while (json_walk_member(&w, &m))
        if (str_is(m.key, key))
            return m.value;
    return (struct str){0};
}

bool json_is_true(struct str value)
{
    return str_is(value, "true");
}

static double to_number(struct str value, double max)
{
    char text[NUMBER_MAX_BYTES];
    double d;

    if (value.n == 0 || value.n >= sizeof(text) || *value.p < '0' || *value.p > '9')
        return 0;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    d = strtod(text, NULL);
    return d >= 0 && d <= max ? d : 0;
}

int64_t json_to_count(struct str value)
{
    double d = to_number(value, 9007199254740992.0);
    int64_t n = (int64_t)d;

    return (double)n == d ? n : 0;
}

double json_to_amount(struct str value)
{
    return to_number(value, 1e9);
}

struct str json_to_word(struct str value, size_t max)
{
    if (value.n < 2 || *value.p != '"' || value.n - 2 > max || memchr(value.p, '\\', value.n))
        return (struct str){0};
    return (struct str){value.p + 1, value.n - 2};
}

void json_to_text(struct str value, char *out, size_t size)
{
    AUTO_BUF text = BUF_INIT(TEXT_MAX_BYTES);
    size_t n;

    out[0] = '\0';
    if (value.n < 2 || *value.p != '"' || json_unquote(value, &text, NULL) != ERR_OK || !text.p)
        return;
    n = text.len < size ? text.len : size - 1;
    if (n < text.len) /* not in the middle of a character */
        while (n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
            n--;
    memcpy(out, text.p, n);
    out[n] = '\0';
}
