/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: of what a query asks of metadata each is there once and in order; and as a literal
 * for Postgres each is one quoted item, whatever it holds. The input: lines, one a time that the
 * parameter came. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "api/reads/labels.h"
#include "common/attrs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* {"…","…"}, as Postgres would read it; how many. */
static size_t count_items(struct str text)
{
    size_t n = 0, i = 1;

    assert(text.n >= 2 && text.p[0] == '{' && text.p[text.n - 1] == '}');
    while (i < text.n - 1) {
        assert(text.p[i] == (n ? ',' : '"'));
        i += n++ ? 2 : 1;
        for (; text.p[i] != '"'; i++) {
            i += text.p[i] == '\\';
            assert(i < text.n - 1);
        }
        i++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, line;
    struct labels l = {0};
    AUTO_BUF text = BUF_INIT(64 << 10);

    while (str_next(&rest, '\n', &line))
        (void)(size % 2 ? labels_add(&l, line) : labels_add_tag(&l, line));
    assert(l.n <= LABELS_MAX);
    for (size_t i = 0; i < l.n; i++)
        assert(l.v[i].key.n > 0 && str_utf8(l.v[i].key, NULL) && str_utf8(l.v[i].value, NULL) &&
               (i == 0 || !str_eq(l.v[i - 1].key, l.v[i].key) ||
                !str_eq(l.v[i - 1].value, l.v[i].value)));
    labels_write(&l, "acme", &text);
    assert(text.rc != ERR_OK || count_items(buf_str(&text)) == l.n);
    return 0;
}
