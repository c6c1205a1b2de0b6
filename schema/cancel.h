/* SPDX-License-Identifier: Apache-2.0 */
/* How one asks for the end of runs: rows in ledger.cancellations, and a notification to the
 * workers. A run need not be known yet, and may be asked for again. */
#ifndef SANDFLEET_SCHEMA_CANCEL_H
#define SANDFLEET_SCHEMA_CANCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "common/err.h"
#include "common/uuid.h"

/* The notification; its payload is the run's id where it is about one run, else empty. It may
 * be lost: workers also look by themselves. */
#define CANCEL_CHANNEL "ledger_cancel"

enum { CANCEL_BY_MAX_BYTES = 128, CANCEL_RUNS_MAX = 10000 };

/* What a run was found at. name, the word for it */
#define CANCEL_FOUND_MAP(X)                                                                        \
    X(AHEAD, "unknown")   /* not claimed yet: it ends as soon as it is */                          \
    X(QUEUED, "queued")   /* it waits: it ends where it is */                                      \
    X(RUNNING, "running") /* its worker is told */                                                 \
    X(ENDED, "ended")     /* nothing is done */
#define CANCEL_ENUM(name, text) CANCEL_##name,
enum cancel_found { CANCEL_FOUND_MAP(CANCEL_ENUM) CANCEL_FOUNDS };
#undef CANCEL_ENUM

struct cancel_run {
    char run_id[UUID_TEXT];
    enum cancel_found found;
    bool ended;
    char state[32]; /* of one that has ended: "completed", "failed", …; else "" */
};

struct cancel_want { /* borrowed */
    const char *conninfo, *tenant;
    const char *const *run_ids; /* valid UUIDs, in lower case */
    size_t n_runs;
    const char *batch_id;     /* NULL: none */
    const char *requested_by; /* NULL: not told */
    bool force;
};

/* For those who do not block. $1 tenant $2 run ids $3 batch or NULL $4 force $5 who asks or NULL
 * $6 the notification's payload; a row a run, for cancel_run_read(). */
extern const char cancel_sql[];
/* A batch alone, however large. $1 tenant $2 batch $3 force $4 who asks or NULL: how many of its
 * runs have not ended, as far as workers and sink know. */
extern const char cancel_batch_sql[];
void cancel_run_read(const PGresult *res, int row, struct cancel_run *out);

/* --- for commands: these block --- */

/* Asks. *out is yours (free()): the runs named and, of the batch, those that have not ended; each
 * once. All rows are written in one transaction. UNAVAILABLE, CONFIG. */
enum err_code cancel_ask(const struct cancel_want *w, struct cancel_run **out, size_t *n,
                         struct err *err) MUST_USE;
/* Looks again, every tenth of a second, until all of runs[0..n-1] have ended; at most wait_ms.
 * ERR_TIMEOUT: not all have. */
enum err_code cancel_await(const struct cancel_want *w, struct cancel_run *runs, size_t n,
                           int64_t wait_ms, struct err *err) MUST_USE;

const char *cancel_found_name(enum cancel_found f); /* "queued" */

#endif
