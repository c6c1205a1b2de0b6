/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/json_array.h"

#include <string.h>

#include "common/banned.h"

/* Behind the string that begins at p. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        p += *p == '\\';
    return p < end ? p + 1 : end;
}

/* Where the value at p ends: at a comma or bracket that is not inside of it. */
static const char *value_end(const char *p, const char *end)
{
    int depth = 0;

    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (depth == 0 && (*p == ',' || *p == ']'))
            break;
        depth += *p == '[' || *p == '{';
        depth -= *p == ']' || *p == '}';
        p++;
    }
    return p;
}

bool json_array_next(struct str *rest, struct str *out)
{
    const char *end = rest->n ? rest->p + rest->n : rest->p, *p = rest->p, *to;

    while (p < end && strchr(" \t\r\n", *p))
        p++;
    if (p == end || (*p != '[' && *p != ','))
        return false;
    to = value_end(p + 1, end);
    *out = str_trim((struct str){p + 1, (size_t)(to - p - 1)});
    *rest = (struct str){to, (size_t)(end - to)};
    return out->n > 0;
}
