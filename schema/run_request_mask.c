/* SPDX-License-Identifier: Apache-2.0 */
/* A secret never travels in a request: finding one, and making a refused record fit
 * for the dead letters. */
#include "schema/run_request_fields.h"

#include <string.h>

#include "common/banned.h"

static const char token_start[] = "sk-ant-";

static bool has_token(const char *s)
{
    return s && strstr(s, token_start);
}

/* By its first dash: texts have fewer of them than of any letter. */
bool run_secret_in_text(struct str s)
{
    const size_t before = sizeof("sk") - 1;
    const char *end = s.p + s.n, *p = s.n > before ? s.p + before : end;

    while ((p = memchr(p, token_start[before], (size_t)(end - p)))) {
        if (p[-1] == token_start[before - 1] &&
            str_starts((struct str){p - before, (size_t)(end - p) + before}, token_start))
            return true;
        p++;
    }
    return false;
}

bool run_secret_in_tree(const cJSON *tree)
{
    const cJSON *child;

    if (has_token(tree->string) || (cJSON_IsString(tree) && has_token(tree->valuestring)))
        return true;
    cJSON_ArrayForEach(child, tree)
    {
        if (run_secret_in_tree(child))
            return true;
    }
    return false;
}

/* --- masking ------------------------------------------------------------------ */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character that stands at p as a JSON string spells it, and in how many bytes;
 * 0 for one that no token has. */
static char spelled(const char *p, size_t n, size_t *width)
{
    int code = 0;

    *width = 1;
    if (p[0] != '\\')
        return p[0];
    if (n > 1 && p[1] != '\0' && strchr("\"\\/bfnrt", p[1]))
        *width = 2;
    if (n < 6 || p[1] != 'u')
        return '\0';
    for (size_t i = 2; i < 6; i++) {
        if (hex_value(p[i]) < 0)
            return '\0';
        code = code * 16 + hex_value(p[i]);
    }
    *width = 6;
    return code < 0x80 ? (char)code : '\0';
}

static bool in_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Bytes of the token that begins at p; 0: none does. */
static size_t token_length(const char *p, size_t n)
{
    size_t at = 0, width;

    for (size_t i = 0; token_start[i]; i++, at += width)
        if (at == n || spelled(p + at, n - at, &width) != token_start[i])
            return 0;
    while (at < n && in_token(spelled(p + at, n - at, &width)))
        at += width;
    return at;
}

size_t run_request_mask(char *json, size_t n)
{
    size_t masked = 0, step;

    for (size_t at = 0; at < n; at += step) {
        step = token_length(json + at, n - at);
        if (step > 0) {
            memset(json + at, '*', step);
            masked++;
        } else {
            (void)spelled(json + at, n - at, &step);
        }
    }
    return masked;
}
