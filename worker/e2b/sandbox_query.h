/* SPDX-License-Identifier: Apache-2.0 */
/* The query of a list, and its pages. Pure. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_QUERY_H
#define SANDFLEET_WORKER_E2B_SANDBOX_QUERY_H

#include "common/buf.h"
#include "worker/e2b/sandbox_answer.h"

/* The value of `metadata=`, encoded as often as the service decodes it: each name and value,
 * what joins them, and the whole. NAME, VALUE, …, NULL. */
void sandbox_query_metadata(struct buf *out, const char *const *pairs);

/* "?limit=100&state=…&metadata=…" of the first page; states other than "running", "paused"
 * or both with a comma: ERR_INVALID in out->rc. */
void sandbox_query_list(struct buf *out, const struct sandbox_query *q);
/* The same for a service that knows only "?metadata=…". */
void sandbox_query_list_old(struct buf *out, const struct sandbox_query *q);

enum { SANDBOX_PAGES_MAX = 1000 };

struct sandbox_pager {                   /* {0} to start */
    char token[SANDBOX_TOKEN_MAX_BYTES]; /* of the page to ask for; "": the first */
    int pages;                           /* read so far */
};
/* A page was read, and names the next one, or "": that was the last. ERR_PROTOCOL: what it names
 * is no token, or leads nowhere new. */
enum err_code sandbox_pager_next(struct sandbox_pager *p, struct str token,
                                 struct err *err) MUST_USE;
/* `query` of the first page, with the token of this one. */
void sandbox_pager_query(const struct sandbox_pager *p, const char *query, struct buf *out);

#endif
