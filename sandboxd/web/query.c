/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/percent.h"

#include "common/banned.h"

enum { FILTER_MAX = 64 << 10, TOKEN_MAX = 128 };

/* --- ranges --------------------------------------------------------------- */

enum range range_parse(const char *header, int64_t size, int64_t *from, int64_t *n)
{
    struct str rest = str_of(header), first;
    int64_t a = 0, b = size - 1;

    if (!str_starts(rest, "bytes="))
        return RANGE_NONE;
    rest = str_trim((struct str){rest.p + 6, rest.n - 6});
    if (!str_next(&rest, '-', &first) || (first.n == 0 && rest.n == 0))
        return RANGE_NONE;
    if (first.n == 0) { /* the last bytes */
        if (!str_int(rest, INT64_MAX, &b))
            return RANGE_NONE;
        a = b < size ? size - b : 0;
        b = size - 1;
    } else if (!str_int(first, INT64_MAX, &a) || (rest.n > 0 && !str_int(rest, INT64_MAX, &b)) ||
               (rest.n > 0 && b < a)) {
        return RANGE_NONE;
    }
    if (b > size - 1)
        b = size - 1;
    if (a > b)
        return RANGE_BEYOND;
    *from = a;
    *n = b - a + 1;
    return RANGE_PART;
}

/* --- the metadata filter -------------------------------------------------- */

static bool pair_matches(struct str pair, const cJSON *metadata, enum err_code *rc)
{
    AUTO_BUF key = BUF_INIT(FILTER_MAX), value = BUF_INIT(FILTER_MAX);
    struct str name;

    if (!str_next(&pair, '=', &name))
        return true;
    *rc = percent_decode(name, true, &key, NULL);
    if (*rc == ERR_OK)
        *rc = percent_decode(pair, true, &value, NULL);
    if (*rc != ERR_OK || key.p == NULL)
        return false;
    const char *have = json_get_string(metadata, key.p);
    return have != NULL && str_is(buf_str(&value), have);
}

bool metadata_matches(struct str query, const cJSON *metadata, enum err_code *rc)
{
    AUTO_BUF form = BUF_INIT(FILTER_MAX);
    struct str rest, pair;

    *rc = percent_decode(query, true, &form, NULL);
    if (*rc != ERR_OK)
        return false;
    rest = buf_str(&form);
    while (str_next(&rest, '&', &pair))
        if (pair.n > 0 && !pair_matches(pair, metadata, rc))
            return false;
    return true;
}

/* --- page tokens ---------------------------------------------------------- */

void page_token(const struct page_mark *m, struct buf *out)
{
    char text[TOKEN_MAX], at[CLOCK_TEXT], b64[2 * TOKEN_MAX];
    int n = snprintf(text, sizeof(text), "%s__%s%s", clock_rfc3339(m->started_ms, at), m->id,
                     m->ascending ? "__asc" : "");

    buf_adds(out, sodium_bin2base64(b64, sizeof(b64), (const unsigned char *)text, (size_t)n,
                                    sodium_base64_VARIANT_URLSAFE_NO_PADDING));
}

/* Splits at "__"; false: none left. */
static bool part_next(struct str *rest, struct str *out)
{
    const char *p = rest->n > 0 ? memmem(rest->p, rest->n, "__", 2) : NULL;

    if (rest->p == NULL)
        return false;
    *out = p != NULL ? (struct str){rest->p, (size_t)(p - rest->p)} : *rest;
    *rest = p != NULL ? (struct str){p + 2, rest->n - out->n - 2} : (struct str){0};
    return true;
}

bool page_token_parse(struct str s, struct page_mark *out)
{
    unsigned char text[TOKEN_MAX];
    struct str rest, at, id, order;
    size_t n = 0;

    if (s.n == 0 || sodium_base642bin(text, sizeof(text), s.p, s.n, NULL, &n, NULL,
                                      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    rest = (struct str){(const char *)text, n};
    if (!part_next(&rest, &at) || !part_next(&rest, &id) || id.n == 0 || id.n >= sizeof(out->id) ||
        !clock_parse_rfc3339(at, &out->started_ms))
        return false;
    out->ascending = part_next(&rest, &order);
    if (out->ascending && !str_is(order, "asc"))
        return false;
    (void)snprintf(out->id, sizeof(out->id), STR_FMT, STR_ARG(id));
    return true;
}
