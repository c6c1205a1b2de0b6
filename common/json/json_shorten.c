/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON text made to fit, by cutting its longest strings all to one length. */
#include "common/json/json.h"

#include <assert.h>
#include <string.h>

#include "common/json/json_escape.h"
#include "common/utf8.h"
#include "common/banned.h"

/* What a cut string ends in, and the most bytes that takes. */
#define MARK "\xe2\x80\xa6[+%zu bytes]"
enum { MARK_MAX = 3 + 2 + 20 + 7 };

/* The content of a string value long enough that a cut can win something. */
struct piece {
    size_t at, n;
};

/* The closing quote of the string whose content begins at p. An escaped quote has
 * an odd number of backslashes before it. */
static const char *closing_quote(const char *p, const char *end)
{
    for (const char *q = p; (q = memchr(q, '"', (size_t)(end - q))) != NULL; q++) {
        const char *back = q;

        while (back > p && back[-1] == '\\')
            back--;
        if ((q - back) % 2 == 0)
            return q;
    }
    return end;
}

static bool is_key(const char *behind, const char *end)
{
    while (behind < end &&
           (*behind == ' ' || *behind == '\n' || *behind == '\t' || *behind == '\r'))
        behind++;
    return behind < end && *behind == ':';
}

/* All pieces in the order of the text, as an array in `out`. Keys stay whole:
 * two of them could become the same. */
static void find_pieces(struct str text, struct buf *out)
{
    const char *p = text.p, *end = text.p + text.n;

    while (p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL) {
        const char *from = p + 1, *close = closing_quote(from, end);
        struct piece piece = {(size_t)(from - text.p), (size_t)(close - from)};

        p = close < end ? close + 1 : end;
        if (piece.n > MARK_MAX && !is_key(p, end))
            buf_add(out, &piece, sizeof piece);
    }
}

/* Most bytes that are left when every piece over `head` bytes and a mark is cut. */
static size_t size_with(const struct piece *pieces, size_t n, size_t head, size_t size)
{
    for (size_t i = 0; i < n; i++)
        if (pieces[i].n > head + MARK_MAX)
            size -= pieces[i].n - head - MARK_MAX;
    return size;
}

/* The longest head with which the text fits; false: it never does. */
static bool find_head(const struct piece *pieces, size_t n, size_t size, size_t max, size_t *head)
{
    size_t low = 0, high = max;

    if (size_with(pieces, n, 0, size) > max)
        return false;
    while (low < high) {
        size_t middle = high - (high - low) / 2;

        if (size_with(pieces, n, middle, size) <= max)
            low = middle;
        else
            high = middle - 1;
    }
    *head = low;
    return true;
}

/* At most `head` bytes from p on, not in the middle of a character or an escape. */
static size_t whole_units(const char *p, size_t n, size_t head)
{
    const char *end = p + n, *limit = p + head, *q = p;

    while (q < limit) {
        uint32_t code;
        size_t len = *q == '\\' ? json_escape(q, end, &code) : utf8_len(q, end);

        if (len == 0 || len > (size_t)(limit - q))
            break;
        q += len;
    }
    return (size_t)(q - p);
}

static void add_cut(struct str text, const struct piece *pieces, size_t n, size_t head,
                    struct buf *out)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct piece *piece = &pieces[i];
        size_t keep;

        if (piece->n <= head + MARK_MAX)
            continue;
        keep = whole_units(text.p + piece->at, piece->n, head);
        buf_add(out, text.p + at, piece->at + keep - at);
        buf_addf(out, MARK, piece->n - keep);
        at = piece->at + piece->n;
    }
    buf_add(out, text.p + at, text.n - at);
}

enum err_code json_shorten(struct str text, size_t max, struct buf *out, struct err *err)
{
    AUTO_BUF found = BUF_INIT(SIZE_MAX / 4);
    size_t head, before = out->len, n;
    const struct piece *pieces;

    if (text.n > max) {
        find_pieces(text, &found);
        if (found.rc != ERR_OK)
            return err_set(err, found.rc, "shortening JSON: %s", err_meaning(found.rc));
        pieces = (const struct piece *)(const void *)found.p;
        n = found.len / sizeof *pieces;
        if (!find_head(pieces, n, text.n, max, &head))
            return err_set(err, ERR_TOO_BIG,
                           "JSON of %zu bytes: no cut of strings brings it to %zu", text.n, max);
        add_cut(text, pieces, n, head, out);
    } else {
        buf_addstr(out, text);
    }
    if (out->rc != ERR_OK)
        return err_set(err, out->rc, "shortened JSON: %s", err_meaning(out->rc));
    assert(out->len - before <= max);
    return ERR_OK;
}
