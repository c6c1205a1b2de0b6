/* SPDX-License-Identifier: Apache-2.0 */
/* Which records of a run count: decided by the log alone, so that every reader
 * of the events topic, live or rebuilding, comes to the same rows. Pure.
 *
 * The rule: a record of (run, epoch) is superseded if and only if a record of a higher
 * epoch of that run, or a terminal, counted earlier in the partition; so is a line of an
 * attempt when a record of a later one did. Of the rest, a line (attempt, n) already seen,
 * or a control record (epoch, n) already seen, is a repeat. A line past the next expected
 * one is a gap: stored, recorded, alarmed. Control numbers may jump. An attempt ends once: a
 * second attempt.ended of it, behind which none of its lines counted, is a repeat, too; its
 * owner died between saying so and the ledger's hearing it, and the next one says it again. */
#ifndef SANDFLEET_SCHEMA_JUDGE_H
#define SANDFLEET_SCHEMA_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/event.h"

struct judge {         /* all a reader must keep per run; zero: nothing seen */
    int64_t sequence;  /* of the last record that counted */
    int64_t epoch;     /* highest seen */
    int64_t control_n; /* last control number of that epoch */
    int64_t attempt;   /* highest seen */
    int64_t line;      /* last line of that attempt */
    int64_t closed;    /* attempt of the last attempt.ended; 0: none, or it went on */
    bool ended;        /* a terminal was seen */
};

enum verdict {
    JUDGE_STORE,     /* judge.sequence is its number */
    JUDGE_GAP,       /* store it, and record that lines are missing before it */
    JUDGE_REPEAT,    /* already there: drop and count */
    JUDGE_SUPERSEDED /* an old owner's, or behind the terminal: drop and count */
};

/* Moves j only for STORE and GAP. *missing: how many lines lie in the gap. */
enum verdict judge_next(struct judge *j, const struct event *e, int64_t *missing);

#endif
