/* SPDX-License-Identifier: Apache-2.0 */
/* A run that is followed, on standard output: as text, or as JSON. Wherever its events come from,
 * a line of -o jsonl is the API's Event with the run's id before it. Single-threaded, in the loop
 * that brings the events. */
#ifndef SANDFLEET_PRODUCER_SHOW_RUN_SHOW_H
#define SANDFLEET_PRODUCER_SHOW_RUN_SHOW_H

#include "common/loop.h"
#include "producer/client.h"
#include "producer/show/render.h"

struct run_show {
    const struct client *client;
    const char *run_id;
    struct loop *loop; /* stopped when the run has ended, or nobody reads us any more */
    struct timer *tick;
    struct render render;
    struct buf out;
    bool gone;         /* nobody reads us any more */
    struct err failed; /* standard output is full */
};

/* run_id is borrowed. ERR_NOMEM. Release it either way. */
enum err_code run_show_init(struct run_show *s, const struct client *c, const char *run_id,
                            struct loop *l, struct err *err) MUST_USE;
void run_show_release(struct run_show *s);

/* json: the event as the API has it; empty: it is written from v. */
void run_show_event(struct run_show *s, const struct event_view *v, int64_t sequence,
                    struct str json);
/* Takes back what a live terminal shows for the moment: before anything is said on stderr. */
void run_show_settle(struct run_show *s);

#endif
