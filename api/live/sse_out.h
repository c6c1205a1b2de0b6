/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events (HTML, 9.2): what is written, and the one header that is read. Pure. */
#ifndef SANDFLEET_API_LIVE_SSE_OUT_H
#define SANDFLEET_API_LIVE_SSE_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

#define SSE_CONTENT_TYPE "text/event-stream"

/* A message; each line of data becomes one of its own. name NULL: a plain one. id 0: none, and the
 * reader's Last-Event-ID stays. */
void sse_out_message(struct buf *out, int64_t id, const char *name, struct str data);
/* The same around one line of data that is appended between the two. */
void sse_out_message_begin(struct buf *out, int64_t id);
void sse_out_message_end(struct buf *out);
void sse_out_comment(struct buf *out, const char *text); /* one line, that readers drop */
void sse_out_retry(struct buf *out, int64_t ms);         /* how long a reader waits to come back */

/* The id that a reader saw last; false: it is none of ours. */
bool sse_out_read_id(struct str header, int64_t *id);

#endif
