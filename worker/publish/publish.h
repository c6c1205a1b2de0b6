/* SPDX-License-Identifier: Apache-2.0 */
/* Events to Kafka, with acknowledgements. Each run has a log: what it published, in order,
 * until the broker acknowledged it. A full producer queue loses nothing: what it does not
 * take waits here, and the runs see it as bytes not yet acknowledged.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_PUBLISH_H
#define SANDFLEET_WORKER_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka/kafka.h"
#include "schema/event.h"

enum { PUBLISH_LINGER_MS = 1 }; /* how long an event waits for others to go with it */

struct publish_hub; /* opaque; one a process: the producer and its waiting line */
struct publish_log; /* opaque; one a run */

/* An event could not be published, and never will be by this producer. Borrowed. */
typedef void (*publish_fatal_fn)(void *ctx, const struct err *e);

struct publish_opts { /* borrowed until return */
    const struct kafka_conf *kafka;
    const char *topic; /* of the events; copied */
    publish_fatal_fn fatal;
    void *ctx;
};

enum err_code publish_hub_new(struct loop *l, const struct publish_opts *opts,
                              struct publish_hub **out, struct err *err) MUST_USE;
/* From time to time: does the broker keep up (flow.h)? True when that changed. */
bool publish_hub_look(struct publish_hub *h, bool *blocked);
struct producer *publish_hub_producer(struct publish_hub *h);      /* borrowed */
bool publish_hub_flush(struct publish_hub *h, int64_t timeout_ms); /* blocks; at the end */
void publish_hub_free(struct publish_hub *h);                      /* after all logs */

/* moved: something was acknowledged; called from the loop. `run` and what it points to are
 * borrowed for the life of the log. NULL: no memory. */
struct publish_log *publish_log_new(struct publish_hub *h, const struct event_run *run,
                                    void (*moved)(void *ctx), void *ctx);
void publish_log_free(struct publish_log *log); /* what is under way still goes out; NULL ok */

/* ERR_OK: it will be acknowledged, or fatal() is called. Else it cannot be written as a
 * record (ERR_INVALID, ERR_TOO_BIG), or ERR_NOMEM. */
enum err_code publish_event(struct publish_log *log, const struct event *e,
                            struct err *err) MUST_USE;

struct publish_position { /* behind the last line acknowledged with all before it */
    int64_t line, offset;
};
struct publish_position publish_log_position(const struct publish_log *log);
bool publish_log_idle(const struct publish_log *log);      /* all is acknowledged */
size_t publish_log_unacked(const struct publish_log *log); /* bytes */
bool publish_log_blocked(const struct publish_log *log);   /* as of the newest look at the hub */

#endif
