/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the values of headers and queries: byte ranges, the metadata
 * filter, page tokens. Pure. */
#ifndef SANDFLEET_SANDBOXD_CONTROL_QUERY_H
#define SANDFLEET_SANDBOXD_CONTROL_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "common/buf.h"
#include "common/err.h"

/* "bytes=5-", "bytes=5-9", "bytes=-3" of a thing of `size` bytes.
 *   RANGE_NONE   no range, or one to be ignored: send it all
 *   RANGE_PART   *from and *n are set, n > 0
 *   RANGE_BEYOND 416 */
enum range { RANGE_NONE, RANGE_PART, RANGE_BEYOND };
enum range range_parse(const char *header, int64_t size, int64_t *from, int64_t *n);

/* The clients encode the filter three times; `query` was decoded once by the server. True when
 * each pair is a member of `metadata` (may be NULL: no members). ERR_INVALID goes to *rc. */
bool metadata_matches(struct str query, const cJSON *metadata, enum err_code *rc);

/* Where a page of a list goes on: behind the sandbox `id` that started at started_ms. */
struct page_mark {
    int64_t started_ms;
    char id[32];
    bool ascending;
};
void page_token(const struct page_mark *m, struct buf *out);
bool page_token_parse(struct str s, struct page_mark *out); /* false: not one of ours */

#endif
