/* SPDX-License-Identifier: Apache-2.0 */
/* What a scripted fault lets pass of an answer's body. Asked by whoever hands
 * bytes to libmicrohttpd, from its callback. Single-threaded. */
#ifndef SANDFLEET_SANDBOXD_WEB_GATE_H
#define SANDFLEET_SANDBOXD_WEB_GATE_H

#include "sandboxd/web/web.h"

struct gate;

/* NULL: the request met no fault of that kind; the calls below then let all pass. */
struct gate *gate_new(struct request *r);
/* True: up to *max bytes may pass. False: return *answer to libmicrohttpd. That is 0 when the
 * connection is suspended; the gate resumes it. */
bool gate_ask(struct gate *g, size_t *max, ssize_t *answer);
void gate_passed(struct gate *g, size_t n); /* as many were handed over */
void gate_free(struct gate *g);

/* A stream ends: whether its end frame is to be kept back. */
bool gate_drops_end(const struct gate *g);

/* Before the headers: whether the connection is cut right there, and was. */
bool gate_cuts_early(struct request *r);

/* A body under a gate, from memory (taken) or from a descriptor (taken) and an offset; fd -1:
 * memory. NULL: no memory, both are freed. */
struct MHD_Response *gate_response(struct request *r, char *text, int fd, uint64_t from,
                                   uint64_t n);

#endif
