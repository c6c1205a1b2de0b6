/* SPDX-License-Identifier: Apache-2.0 */
/* The answers to a body's lines: kept until all of them are there, then streamed to whoever asked.
 * Single-threaded. */
#ifndef SANDFLEET_API_ITEM_ANSWERS_H
#define SANDFLEET_API_ITEM_ANSWERS_H

#include "api/call.h"
#include "api/intake/spool.h"

struct item_answers {
    struct call *call; /* borrowed */
    struct spool kept;
    struct http_stream *stream; /* NULL: not yet, or not any more */
};

void item_answers_init(struct item_answers *a, struct call *c);
void item_answers_release(struct item_answers *a);

/* Keeps one, a line; that they cannot be kept is told to whoever asked. */
void item_answers_add(struct item_answers *a, struct str line);
/* Answers 200 with all of them, if anybody is there to be told. */
void item_answers_tell(struct item_answers *a);

#endif
