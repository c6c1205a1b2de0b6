/* SPDX-License-Identifier: Apache-2.0 */
/* What is committed, told to whoever follows a run. One connection listens: the sink names the runs
 * of each commit. What is new of all followed ones is read in one question, the next one when that
 * is answered, and is written once for all who follow a run. A look now and then, and one behind
 * each reconnect, finds what no notification told. Single-threaded. */
#ifndef SANDFLEET_API_LIVE_FEED_H
#define SANDFLEET_API_LIVE_FEED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api/live/sse_page.h"
#include "common/err.h"
#include "common/loop.h"

struct feed; /* opaque */
struct feed_run;

enum { FEED_LOOK_MS = 5000 }; /* at most so long behind a commit whose notification was lost */

struct follower { /* embedded in whoever follows; the first members are its own */
    /* The run moved. page->from is at or below f->at, and told() moves f->at; or f wants no events,
     * and the page has none. May leave the feed, or rest. */
    void (*told)(struct follower *f, const struct sse_page *page);
    bool wants_events;
    int64_t at; /* it has all up to here */

    LIST_ENTRY(follower) link; /* private from here on */
    struct feed_run *run;
    uint64_t heard;
    bool live;
};

enum err_code feed_new(struct loop *l, const char *database, int64_t query_ms, struct feed **out,
                       struct err *err) MUST_USE;
void feed_free(struct feed *f); /* NULL is fine; nobody follows any more */
/* Commits are heard of at once, not only by looking. */
bool feed_hears(const struct feed *f);
/* Changes with each commit that was heard of. */
uint64_t feed_commits(const struct feed *f);

/* Follows, at rest. false: no memory. */
bool feed_follow(struct feed *f, struct follower *me, const uint8_t run_id[16]);
/* I look at the database myself: what is committed from here on may escape me. */
void feed_looking(struct follower *me);
/* I have all up to me->at by that look; from now on I am told. False: others are ahead, look again
 * (only for who wants events). */
bool feed_go_live(struct feed *f, struct follower *me);
void feed_rest(struct follower *me);                  /* not told any more: I cannot take it */
void feed_leave(struct feed *f, struct follower *me); /* fine for who does not follow */

#endif
