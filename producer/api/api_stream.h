/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a run through the API, to its end: its server-sent events, each once and in order,
 * whatever becomes of the connection. Single-threaded, in the API client's loop. */
#ifndef SANDFLEET_PRODUCER_API_API_STREAM_H
#define SANDFLEET_PRODUCER_API_API_STREAM_H

#include "producer/api/api_client.h"
#include "schema/event.h"

struct api_stream; /* opaque */

struct api_stream_events { /* called from the loop */
    void (*event)(void *ctx, const struct event_view *v, int64_t sequence, struct str json);
    void (*ended)(void *ctx, const char *state);    /* behind the last event; last call */
    void (*failed)(void *ctx, const struct err *e); /* it is given up; last call */
    /* It broke off, or there is no such run yet; tried again in so long. May be NULL. */
    void (*away)(void *ctx, const struct err *e, int64_t retry_ms);
};

struct api_stream_opts {
    const char *run_id;  /* copied */
    int64_t since;       /* only events with a higher sequence */
    bool young;          /* it was submitted just now: the API may not know it yet */
    int64_t patience_ms; /* without contact for so long, it is given up; 0: two minutes */
};

enum err_code api_stream_start(struct api_client *a, const struct api_stream_opts *opts,
                               const struct api_stream_events *ev, void *ctx,
                               struct api_stream **out, struct err *err) MUST_USE;
int64_t api_stream_sequence(const struct api_stream *s); /* of the last event */
void api_stream_free(struct api_stream *s);              /* NULL is fine; no call after it */

#endif
