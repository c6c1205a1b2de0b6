/* SPDX-License-Identifier: Apache-2.0 */
/* Runs' events as they come, to as many readers as there are: text/event-stream. A reader that is
 * behind, or slow, is fed from the database page by page; what waits for it here is bounded, and
 * one that takes nothing for a while is cut off. Single-threaded. */
#ifndef SANDFLEET_API_LIVE_STREAMS_H
#define SANDFLEET_API_LIVE_STREAMS_H

#include "api/call.h"

struct streams; /* opaque */

enum err_code streams_new(struct api *a, struct streams **out, struct err *err) MUST_USE;
/* All are told to come back, and end; what is asked for from now on ends at once, too. */
void streams_drain(struct streams *s);
/* Those that came in by this key, or by its read tokens, end, and have to prove themselves anew. */
void streams_end_of(struct streams *s, const char *key_id);
size_t streams_open(const struct streams *s);
void streams_free(struct streams *s); /* NULL is fine; behind http_server_free() */

/* Answers c with the events of the run above `since`; types (borrowed) NULL: all. */
void stream_start(struct call *c, const char *run_id, int64_t since, const char *types);

#endif
