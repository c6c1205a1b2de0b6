/* SPDX-License-Identifier: Apache-2.0 */
/* How far a batch is, how fast it goes, and how long it will take; and what that looks like. Pure:
 * the time comes from outside. */
#ifndef SANDFLEET_PRODUCER_SHOW_BATCH_PROGRESS_H
#define SANDFLEET_PRODUCER_SHOW_BATCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json.h"
#include "producer/show/terminal.h"

enum {
    PROGRESS_SAMPLES = 64,
    PROGRESS_WINDOW_MS = 60 * 1000, /* the rate is of the last minute */
    PROGRESS_ITEMS = 3,
    PROGRESS_ROWS = 5 /* that progress_draw() writes at most */
};

struct progress_item { /* a run worth naming */
    char name[64], why[32];
    int64_t ms; /* how long it runs; 0: it does not */
};

struct progress {
    /* as the batch said last */
    char batch_id[160], state[32];
    int64_t total, completed, failed, timed_out, cancelled, expired; /* ended so */
    int64_t running, queued, held, retrying;
    double cost_usd;
    int64_t took_ms; /* since it started */
    bool ended;
    struct progress_item longest[PROGRESS_ITEMS], failures[PROGRESS_ITEMS];
    int n_longest, n_failures;
    /* what the rate is reckoned from */
    struct {
        int64_t at_ms, done;
    } samples[PROGRESS_SAMPLES];
    unsigned n_samples;
};

/* A batch, as the API has it. now_ms: of any clock; wall_ms: of the calendar. */
void progress_take(struct progress *p, const cJSON *batch, int64_t now_ms, int64_t wall_ms);
/* A list of runs: those that run, or those that failed. */
void progress_take_runs(struct progress *p, const cJSON *runs, bool failures, int64_t wall_ms);

int64_t progress_done(const struct progress *p);
bool progress_good(const struct progress *p); /* all of them completed */
double progress_per_s(const struct progress *p);
int64_t progress_left_ms(const struct progress *p); /* -1: nobody knows */

/* Some rows for a terminal, none wider than it; how many. */
int progress_draw(const struct progress *p, const struct terminal *t, struct buf *out);
/* One line that says the same. */
void progress_line(const struct progress *p, struct buf *out);

#endif
