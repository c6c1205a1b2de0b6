/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live/event_row.h"

#include <string.h>

#include "common/attrs.h"
#include "common/json/json.h"
#include "common/pg/pg.h"
#include "common/banned.h"

/* --- JSON ------------------------------------------------------------------------------ */

/* Text and numbers of the table; a number that JSON has no word for is null. */
enum kind { TEXT, NUMBER, REAL, JSON };

static const struct member {
    const char *key;
    enum kind kind;
} members[EV_COLUMNS] = {
    [EV_SEQUENCE] = {"sequence", NUMBER},
    [EV_TYPE] = {"type", TEXT},
    [EV_TIME] = {"time", TEXT},
    [EV_ATTEMPT] = {"attempt", NUMBER},
    [EV_EPOCH] = {"epoch", NUMBER},
    [EV_LINE] = {"line", NUMBER},
    [EV_TOOL] = {"tool", TEXT},
    [EV_MODEL] = {"model", TEXT},
    [EV_INPUT_TOKENS] = {"input_tokens", NUMBER},
    [EV_OUTPUT_TOKENS] = {"output_tokens", NUMBER},
    [EV_COST_USD] = {"cost_usd", REAL},
    [EV_DATA] = {"data", JSON},
};

/* Line breaks in JSON stand between its tokens only: a blank says the same. */
static void put_one_line(struct buf *out, struct str json)
{
    size_t at = out->len;

    buf_addstr(out, json);
    if (out->rc != ERR_OK || !(memchr(json.p, '\n', json.n) || memchr(json.p, '\r', json.n)))
        return;
    for (; at < out->len; at++)
        if (out->p[at] == '\n' || out->p[at] == '\r')
            out->p[at] = ' ';
}

static void put_value(struct buf *out, enum kind kind, struct str s)
{
    switch (kind) {
    case TEXT:
        json_put_string(out, s);
        break;
    case NUMBER:
        buf_addstr(out, s);
        break;
    case REAL: /* "NaN", "-Infinity" */
        buf_addstr(out, memchr(s.p, 'N', s.n) || memchr(s.p, 'I', s.n) ? STR("null") : s);
        break;
    case JSON:
        put_one_line(out, s);
        break;
    }
}

void event_row_write(const PGresult *res, int row, int at, struct buf *out)
{
    for (int i = 0; i < EV_COLUMNS; i++) {
        buf_addc(out, i ? ',' : '{');
        buf_addc(out, '"');
        buf_adds(out, members[i].key);
        buf_adds(out, "\":");
        if (PQgetisnull(res, row, at + i))
            buf_adds(out, "null");
        else
            put_value(
                out, members[i].kind,
                (struct str){PQgetvalue(res, row, at + i), (size_t)PQgetlength(res, row, at + i)});
    }
    buf_addc(out, '}');
}

/* --- types ------------------------------------------------------------------------------ */

static bool type_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

static bool type_ok(struct str s)
{
    if (s.n > 1 && s.p[s.n - 1] == '*')
        s.n--;
    for (size_t i = 0; i < s.n; i++)
        if (!type_char(s.p[i]))
            return false;
    return s.n > 0 && s.n <= EVENT_TYPE_MAX_BYTES;
}

bool event_types_ok(struct str types)
{
    struct str one;
    size_t n = 0;

    while (str_next(&types, ',', &one))
        if (n++ == EVENT_TYPES_MAX || !type_ok(one))
            return false;
    return n > 0;
}

static bool match(struct str pattern, struct str type)
{
    if (pattern.p[pattern.n - 1] != '*')
        return str_eq(pattern, type);
    pattern.n--;
    return type.n >= pattern.n && memcmp(type.p, pattern.p, pattern.n) == 0;
}

bool event_types_match(const char *types, const char *type)
{
    struct str rest = str_of(types), one;

    while (types && str_next(&rest, ',', &one))
        if (match(one, str_of(type)))
            return true;
    return !types;
}

/* {"a.%","b\\_c"}: _ is any character to LIKE, and a backslash is one in a quoted element. */
void event_types_like(const char *types, struct buf *out)
{
    buf_adds(out, "{\"");
    for (; *types; types++)
        switch (*types) {
        case '_':
            buf_adds(out, "\\\\_");
            break;
        case '*':
            buf_addc(out, '%');
            break;
        case ',':
            buf_adds(out, "\",\"");
            break;
        default:
            buf_addc(out, *types);
        }
    buf_adds(out, "\"}");
}
