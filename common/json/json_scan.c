/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over a text: is it JSON, and where are its top-level members. */
#include "common/json/json.h"

#include <string.h>

#include "common/json/json_escape.h"
#include "common/utf8.h"
#include "common/banned.h"

struct scanner {
    const char *p, *end, *start;
    const char *why; /* what is wrong at p */
    struct json_member *members;
    size_t room;
    struct json_scan out;
};

static bool scan_value(struct scanner *s, unsigned depth);

static bool fail(struct scanner *s, const char *why)
{
    s->why = why;
    return false;
}

static void skip_space(struct scanner *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

/* The next byte that is no white space, or -1 at the end. */
static int peek(struct scanner *s)
{
    skip_space(s);
    return s->p < s->end ? (unsigned char)*s->p : -1;
}

/* --- strings -------------------------------------------------------------- */

static bool scan_escape(struct scanner *s)
{
    uint32_t code;
    size_t n = json_escape(s->p, s->end, &code);

    if (n == 0)
        return fail(s, "no such escape");
    if (json_is_unsafe(code))
        s->out.unsafe++;
    s->p += n;
    return true;
}

/* From the opening quote to behind the closing one. */
static bool scan_string(struct scanner *s)
{
    s->p++;
    for (;;) {
        s->p = json_skip_plain(s->p, s->end);
        if (s->p == s->end)
            return fail(s, "the string does not end");
        if (*s->p == '"') {
            s->p++;
            return true;
        }
        if (*s->p == '\\') {
            if (!scan_escape(s))
                return false;
        } else if ((unsigned char)*s->p < 0x20) {
            return fail(s, "a control byte in a string");
        } else {
            size_t n = utf8_len(s->p, s->end);

            if (n == 0)
                return fail(s, "not UTF-8");
            s->p += n;
        }
    }
}

/* --- the other values ------------------------------------------------------- */

static bool scan_digits(struct scanner *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from || fail(s, "a digit is missing");
}

static bool scan_number(struct scanner *s)
{
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++; /* nothing may follow a leading zero: the caller finds what does */
    else if (!scan_digits(s))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!scan_digits(s))
            return false;
    }
    if (s->p < s->end && (*s->p | 0x20) == 'e') {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        return scan_digits(s);
    }
    return true;
}

static bool scan_word(struct scanner *s, struct str word)
{
    if ((size_t)(s->end - s->p) < word.n || memcmp(s->p, word.p, word.n) != 0)
        return fail(s, "no such value");
    s->p += word.n;
    return true;
}

static void keep_member(struct scanner *s, struct str key, const char *value)
{
    if (s->out.n_members < s->room)
        s->members[s->out.n_members] = (struct json_member){key, {value, (size_t)(s->p - value)}};
    s->out.n_members++;
}

/* `"key" : value` */
static bool scan_member(struct scanner *s, unsigned depth)
{
    const char *value;
    struct str key;

    if (peek(s) != '"')
        return fail(s, "a key is missing");
    key.p = s->p + 1;
    if (!scan_string(s))
        return false;
    key.n = (size_t)(s->p - 1 - key.p);
    if (peek(s) != ':')
        return fail(s, "a colon is missing");
    s->p++;
    skip_space(s);
    value = s->p;
    if (!scan_value(s, depth))
        return false;
    if (depth == 1)
        keep_member(s, key, value);
    return true;
}

/* From the opening brace or bracket to behind the closing one; `depth` counts this one. */
static bool scan_container(struct scanner *s, unsigned depth, char close)
{
    if (depth > JSON_MAX_DEPTH)
        return fail(s, "nested too deep");
    s->p++;
    if (peek(s) == close) {
        s->p++;
        return true;
    }
    for (;;) {
        int c;

        if (!(close == '}' ? scan_member(s, depth) : scan_value(s, depth)))
            return false;
        c = peek(s);
        if (c != ',' && c != close)
            return fail(s,
                        close == '}' ? "a comma or '}' is missing" : "a comma or ']' is missing");
        s->p++;
        if (c == close)
            return true;
    }
}

/* One value and nothing behind it; it stands inside `depth` others. */
static bool scan_value(struct scanner *s, unsigned depth)
{
    switch (peek(s)) {
    case '"':
        return scan_string(s);
    case '{':
        return scan_container(s, depth + 1, '}');
    case '[':
        return scan_container(s, depth + 1, ']');
    case 't':
        return scan_word(s, STR("true"));
    case 'f':
        return scan_word(s, STR("false"));
    case 'n':
        return scan_word(s, STR("null"));
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(s);
    case -1:
        return fail(s, "a value is missing");
    default:
        return fail(s, "no such value");
    }
}

static bool scan_text(struct scanner *s)
{
    s->out.is_object = peek(s) == '{';
    if (!scan_value(s, 0))
        return false;
    return peek(s) == -1 || fail(s, "something follows the value");
}

enum err_code json_scan(struct str text, struct json_member *members, size_t room,
                        struct json_scan *out, struct err *err)
{
    const char *p = text.n > 0 ? text.p : "";
    struct scanner s = {.p = p, .start = p, .end = p + text.n, .members = members, .room = room};
    bool good = scan_text(&s);

    if (!good)
        s.out.error_at = (size_t)(s.p - s.start);
    if (out)
        *out = s.out;
    if (good)
        return ERR_OK;
    return err_set(err, ERR_INVALID, "not JSON: %s at byte %zu", s.why, s.out.error_at);
}

struct str json_member(const struct json_member *members, size_t n, const char *key)
{
    struct str wanted = str_of(key);

    for (size_t i = 0; i < n; i++)
        if (str_eq(members[i].key, wanted))
            return members[i].value;
    return (struct str){0};
}
