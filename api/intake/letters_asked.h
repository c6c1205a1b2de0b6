/* SPDX-License-Identifier: Apache-2.0 */
/* Which dead letters POST /v1/dlq/redrive and /purge mean, and the statements that choose and
 * settle them. Single-threaded. */
#ifndef SANDFLEET_API_LETTERS_ASKED_H
#define SANDFLEET_API_LETTERS_ASKED_H

#include "api/call.h"

struct letter_places { /* as Postgres takes them: arrays, side by side */
    struct buf topics, partitions, offsets;
    size_t n;
};

void letter_places_open(struct letter_places *p);
void letter_places_release(struct letter_places *p);
/* A topic's name has no character that an array's text must escape. */
void letter_places_add(struct letter_places *p, const char *topic, const char *partition,
                       const char *offset);
void letter_places_close(struct letter_places *p);

enum { LETTERS_REASON_MAX_BYTES = 64, LETTERS_TIME_TEXT = 64 };

struct letters_asked { /* c->state begins with it */
    struct call *call;
    char reason[LETTERS_REASON_MAX_BYTES + 1]; /* "": any */
    bool by_id;
    struct letter_places ids;      /* that were asked for */
    char until[LETTERS_TIME_TEXT]; /* of the table's when this began: what comes back meanwhile
                                      waits */
    void (*next)(struct call *c);
    int64_t count; /* that were settled */
};

/* Reads it from the body, and asks for the table's time: then next(c). Else it was answered.
 * letters_asked_release() is due either way. */
void letters_ask(struct call *c, struct letters_asked *a, void (*next)(struct call *c));
void letters_asked_release(struct letters_asked *a);

/* Binds $1 to $5 of LETTERS_CHOSEN. */
void letters_choose(const struct letters_asked *a, struct pg_cmd *cmd);
/* 200, and how many. */
void letters_answer(struct letters_asked *a);

/* $1 reason or NULL $2..$4 places or NULL $5 until */
#define LETTERS_CHOSEN                                                                             \
    "($1::text IS NULL OR reason = $1) AND ($2::text[] IS NULL OR (topic, partition, \"offset\")"  \
    " IN (SELECT * FROM unnest($2::text[], $3::int[], $4::bigint[])))"                             \
    " AND at <= $5::timestamptz"

/* Behind WITH: those of `from`, rows of places, are gone and noted as settled, each a row. */
#define LETTERS_SETTLED(from, how)                                                                 \
    " gone AS (DELETE FROM fleet.quarantine q USING " from " AS l(topic, partition, \"offset\")"   \
    " WHERE (q.topic, q.partition, q.\"offset\") = (l.topic, l.partition, l.\"offset\")"           \
    " RETURNING q.topic, q.partition, q.\"offset\", q.at)"                                         \
    " INSERT INTO door.settled_letters (topic, partition, \"offset\", at, how)"                    \
    " SELECT topic, partition, \"offset\", at, '" how "'"                                          \
    " FROM gone ON CONFLICT (topic, partition, \"offset\") DO UPDATE SET at = excluded.at,"        \
    " how = excluded.how, settled_at = now() RETURNING true"

#endif
