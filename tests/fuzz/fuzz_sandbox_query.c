/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a range lies within its file; a page token that is accepted is written again the
 * same way; a filter is matched or refused, never both. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/web/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_token(struct str s)
{
    struct page_mark a, b;
    AUTO_BUF text = BUF_INIT(512);

    if (!page_token_parse(s, &a))
        return;
    page_token(&a, &text);
    if (strstr(a.id, "__") == NULL && page_token_parse(buf_str(&text), &b))
        assert(a.started_ms == b.started_ms && strcmp(a.id, b.id) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    AUTO_JSON *metadata = cJSON_Parse("{\"a\":\"b\",\"job\":\"x y&z\"}");
    char *text = str_dup(s);
    enum err_code rc = ERR_OK;
    int64_t from = 0, n = 0;

    if (range_parse(text, 1000, &from, &n) == RANGE_PART)
        assert(from >= 0 && n > 0 && from + n <= 1000);
    if (metadata_matches(s, metadata, &rc))
        assert(rc == ERR_OK);
    try_token(s);
    free(text);
    return 0;
}
