/* SPDX-License-Identifier: Apache-2.0 */
/* The runs that somebody follows: a table by id. */
#ifndef SANDFLEET_API_LIVE_FEED_RUNS_H
#define SANDFLEET_API_LIVE_FEED_RUNS_H

#include <stddef.h>

#include "api/live/feed.h"

struct feed_run {
    uint8_t id[16];
    struct feed_run *next;         /* in its bucket */
    TAILQ_ENTRY(feed_run) by_look; /* the one that was looked at longest ago comes first */
    TAILQ_ENTRY(feed_run) in_dirty;
    LIST_HEAD(, follower) followers;
    size_t n_live, n_eager; /* followers that are told; of them, those that want events */
    int64_t at;             /* what has been told to all the eager ones */
    int64_t looked_ms;
    uint64_t heard; /* counts what was heard of it */
    bool dirty;     /* in the list: there may be news */
    bool telling;   /* its followers are walked: it stays */
};

struct feed_runs {
    struct feed_run **buckets;
    size_t n_buckets, n;
};

struct feed_run *feed_runs_find(const struct feed_runs *t, const uint8_t id[16]);
/* The run's, made if it is not there; NULL: no memory. */
struct feed_run *feed_runs_get(struct feed_runs *t, const uint8_t id[16]);
void feed_runs_remove(struct feed_runs *t, struct feed_run *r); /* and frees it */
void feed_runs_release(struct feed_runs *t);                    /* all of them */

#endif
