/* SPDX-License-Identifier: Apache-2.0 */
/* What sink.c (life), sink_intake.c (records, batches) and sink_database.c (session,
 * positions) share. */
#ifndef SANDFLEET_SINK_SINK_INTERNAL_H
#define SANDFLEET_SINK_SINK_INTERNAL_H

#include <stdbool.h>

#include "common/backoff.h"
#include "common/kafka/kafka.h"
#include "common/loop.h"
#include "common/pg/pg.h"
#include "schema/topics.h"
#include "sink/batch.h"
#include "sink/offsets.h"
#include "sink/settings.h"
#include "sink/writer.h"

struct rebuild; /* sink_rebuild.c */

struct sink {
    const struct settings *settings;
    struct topics topics;
    struct loop *loop;
    struct consumer *consumer;
    struct pg *pg;
    struct writer *writer;
    struct offsets offsets;
    struct batch batches[2];
    struct batch *forming;            /* the other one is the writer's, when it is busy */
    struct timer *age, *tick, *start; /* batch due; idle check; try Kafka or load again */
    struct backoff backoff;
    int refusals;            /* starts that failed for a reason that waiting hardly cures */
    bool session_ready;      /* connected, right schema, prepared */
    bool session_broken;     /* connected, but one of its first commands failed */
    bool assigned;           /* the group gave us partitions, perhaps none */
    bool loaded;             /* positions are known, records count */
    bool asking;             /* a question about positions is under way */
    bool due, paused;        /* the forming batch's age is reached; the consumer is paused */
    bool ready, stopping;    /* said so once; SIGTERM came */
    struct rebuild *rebuild; /* NULL: an ordinary sink */
    struct err fatal;        /* why the process ends, when not asked to */
};

/* sink.c */
void sink_fail(struct sink *s, const struct err *e); /* ends the process with e */
void sink_retry_later(struct sink *s);               /* sink_try() after a backoff */
void sink_try(struct sink *s); /* whatever comes next: consumer, then positions */

/* sink_intake.c */
extern const struct consumer_events sink_consumer_events;
extern const struct writer_events sink_writer_events;
void sink_forget(struct sink *s); /* drops what is collected; positions are to be read again */
void sink_pause(struct sink *s, bool paused);
void sink_on_age(void *ctx);

/* sink_loss.c */
/* True: the positions that were read are not where to begin; they are moved, and read anew. */
bool sink_accepts_loss(struct sink *s);

/* sink_rebuild.c: the same sink, into the tables of another schema, up to where the read model is
 */
enum err_code rebuild_new(struct sink *s, struct err *err) MUST_USE;
void rebuild_free(struct rebuild *r);
/* Makes or finds those tables; then sink_prepare(). */
void rebuild_begin(struct sink *s);
/* A consumer of no group: all partitions are ours. */
enum err_code rebuild_assign(struct sink *s, struct err *err) MUST_USE;
/* Positions are read: reads how far to go, then sink_start_there(). */
void rebuild_limit(struct sink *s);
/* Something was committed, or nothing is to be: what comes next? */
void rebuild_check(struct sink *s);

/* sink_database.c */
void sink_prepare(struct sink *s); /* the session's statements, in its schema */
bool sink_session_failed(struct sink *s, const struct err *e); /* handled, when it did */
void sink_start_there(struct sink *s);                         /* at the positions that were read */
extern const struct pg_events sink_pg_events;
void sink_load(struct sink *s);         /* reads the positions and starts there */
void sink_on_tick(void *ctx);           /* idle: does the database still have our last commit? */
void sink_show_offsets(struct sink *s); /* commits to Kafka, for display */

#endif
