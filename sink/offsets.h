/* SPDX-License-Identifier: Apache-2.0 */
/* Where the sink stands: per assigned partition, what fleet.sink_offsets says and
 * which record comes next. The table is the truth; Kafka's committed offsets are
 * for display. Pure but for reading results. */
#ifndef SANDFLEET_SINK_OFFSETS_H
#define SANDFLEET_SINK_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/kafka/kafka.h"
#include "common/pg/pg.h"
#include "schema/topics.h"

struct position {
    enum topic topic;
    int32_t id;
    int64_t committed; /* as the table has it; KAFKA_EARLIEST: no row */
    int64_t next;      /* offset of the next record to take; KAFKA_EARLIEST: whichever comes */
    int64_t jumped;    /* a later record that came instead of it, once; -1: none */
    int64_t shown;     /* last one committed to Kafka */
    int64_t until;     /* records from here on are not taken; INT64_MAX: all are */
};

struct offsets {
    const struct topics *topics;
    struct position *v;
    size_t n;
    size_t last; /* found last: records come in runs */
};

void offsets_init(struct offsets *o, const struct topics *t);
void offsets_release(struct offsets *o);

/* The partitions of a new assignment, at unknown positions. */
enum err_code offsets_assign(struct offsets *o, const struct partition *ps, size_t n,
                             struct err *err) MUST_USE;
struct position *offsets_find(struct offsets *o, enum topic topic, int32_t id); /* or NULL */

/* Three text columns: topic, partition, next. One parameter: offsets_topics(). */
extern const char offsets_load_sql[];
void offsets_topics(const struct offsets *o, struct buf *out); /* "{a,b,c}" */

/* Takes over what the table says. */
void offsets_take(struct offsets *o, const PGresult *res);
/* Does the table say what we committed? (Lost commits, or somebody else's.) */
bool offsets_agree(struct offsets *o, const PGresult *res);

/* A rebuild goes as far as the read model went: three columns as above, of that one. A
 * partition that it has not is not read at all. */
void offsets_limit(struct offsets *o, const PGresult *res);
bool offsets_done(const struct offsets *o); /* all of them are committed up to there */

/* For consumer_assign(): out has room for o->n. */
void offsets_partitions(const struct offsets *o, struct partition *out);

enum offsets_verdict {
    OFFSETS_TAKE, /* the next record */
    OFFSETS_DROP, /* already taken, or of no partition of ours */
    OFFSETS_SEEK  /* one behind the next: seek to position.next, and take it when it comes again */
};
/* Moves the position when the record is to be taken; *from is where it stood. */
enum offsets_verdict offsets_next(struct offsets *o, enum topic topic, int32_t id, int64_t offset,
                                  struct position **out, int64_t *from);

#endif
