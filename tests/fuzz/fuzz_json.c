/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: what json_scan accepts, the tree parser reads; sanitized, it has nothing unsafe
 * and the same length; shortened, it fits and is JSON. A string unquoted and written again
 * reads back as itself. Views of members lie inside the text. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"

enum { ROOM = 8, OUT_MAX = 1 << 20, LONG_NUMBER = 62 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct str part, struct str whole)
{
    return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

/* cJSON reads no number over 63 bytes; json_parse says so. */
static bool is_number_byte(char c)
{
    return strchr("0123456789+-.eE", c) && c;
}

static bool has_long_number(struct str text)
{
    size_t run = 0;

    for (size_t i = 0; i < text.n && run <= LONG_NUMBER; i++)
        run = is_number_byte(text.p[i]) ? run + 1 : 0;
    return run > LONG_NUMBER;
}

static void check_members(struct str text, const struct json_member *members,
                          const struct json_scan *scan)
{
    size_t n = scan->n_members < ROOM ? scan->n_members : ROOM;

    assert(scan->is_object || scan->n_members == 0);
    for (size_t i = 0; i < n; i++) {
        assert(inside(members[i].key, text) && inside(members[i].value, text));
        assert(json_scan(members[i].value, NULL, 0, NULL, NULL) == ERR_OK);
    }
}

static void check_tree(struct str text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(text, 0, &tree, &err) != ERR_OK)
        assert(has_long_number(text));
    json_delete(&tree);
    if (json_parse(text, JSON_STRICT, &tree, &err) != ERR_OK)
        assert(err.code == ERR_INVALID && err.msg[0]);
    json_delete(&tree);
}

static void check_sanitized(struct str text, size_t unsafe)
{
    char *copy = str_dup(text);
    struct json_scan scan;

    assert(copy);
    assert(json_sanitize(copy, text.n) == unsafe);
    assert(json_scan((struct str){copy, text.n}, NULL, 0, &scan, NULL) == ERR_OK);
    assert(scan.unsafe == 0);
    free(copy);
}

static void check_shortened(struct str text, const struct json_scan *scan, size_t max)
{
    AUTO_BUF out = BUF_INIT(OUT_MAX);
    struct err err = ERR_INIT;
    struct json_scan again;

    if (json_shorten(text, max, &out, &err) != ERR_OK) {
        assert(err.code == ERR_TOO_BIG);
        return;
    }
    assert(out.len <= max);
    assert(json_scan(buf_str(&out), NULL, 0, &again, &err) == ERR_OK);
    assert(again.n_members == scan->n_members && again.unsafe <= scan->unsafe);
}

static void check_string(struct str text)
{
    AUTO_BUF plain = BUF_INIT(OUT_MAX), quoted = BUF_INIT(OUT_MAX), twice = BUF_INIT(OUT_MAX);

    if (json_unquote(text, &plain, NULL) != ERR_OK)
        return;
    assert(str_utf8(buf_str(&plain), NULL));
    json_put_string(&quoted, buf_str(&plain));
    assert(json_unquote(buf_str(&quoted), &twice, NULL) == ERR_OK);
    assert(str_eq(buf_str(&plain), buf_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct json_member members[ROOM];
    struct json_scan scan;
    struct err err = ERR_INIT;

    if (json_scan(text, members, ROOM, &scan, &err) != ERR_OK) {
        assert(scan.error_at <= size && err.msg[0]);
        return 0;
    }
    check_members(text, members, &scan);
    check_tree(text);
    check_sanitized(text, scan.unsafe);
    check_shortened(text, &scan, size / 2);
    check_shortened(text, &scan, size - size / 8);
    check_string(str_trim(text));
    return 0;
}
