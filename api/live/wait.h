/* SPDX-License-Identifier: Apache-2.0 */
/* ?wait=: an answer that is put off until there is something to tell, or the time is over.
 * Single-threaded. */
#ifndef SANDFLEET_API_LIVE_WAIT_H
#define SANDFLEET_API_LIVE_WAIT_H

#include "api/call.h"

struct waits; /* opaque */

enum { WAIT_MAX_S = 60 };

/* ?wait=SECONDS in *ms, 0 without it. False: it was answered 400. */
bool wait_asked(struct call *c, int64_t *ms);

/* Calls then(c) once, never from inside: when the run has ended, or has an event above `since`
 * (WAIT_END: only its end counts), or is none of the caller's, or ms are over, or the server stops.
 * Not if the client goes away or the database fails, which is answered here. */
#define WAIT_END INT64_MAX
void wait_run(struct call *c, const char *run_id, int64_t since, int64_t ms,
              void (*then)(struct call *c));
/* The same for the end of a batch. */
void wait_batch(struct call *c, const char *batch_id, int64_t ms, void (*then)(struct call *c));

enum err_code waits_new(struct api *a, struct waits **out, struct err *err) MUST_USE;
void waits_drain(struct waits *w); /* all that wait are over */
void waits_free(struct waits *w);  /* NULL is fine; behind http_server_free() */

/* --- call.c --- */
void wait_forget(struct call *c); /* c is going */

#endif
