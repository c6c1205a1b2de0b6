/* SPDX-License-Identifier: Apache-2.0 */
/* One reader of one run's events: what it has, what it is sent, and when it is cut off. Pages are
 * asked for, and time is kept, for all of them at once (streams.c). Single-threaded. */
#ifndef SANDFLEET_API_LIVE_STREAM_H
#define SANDFLEET_API_LIVE_STREAM_H

#include <sys/queue.h>

#include "api/live/feed.h"
#include "api/live/streams.h"
#include "common/uuid.h"
#include "schema/api_key.h"

struct stream {
    struct follower me;
    struct streams *all;
    LIST_ENTRY(stream) link;
    struct call *call;        /* until it is open */
    struct http_stream *http; /* once it is open, until it is closed */
    char *types, *tenant;
    int64_t since; /* it said so: nothing up to there is sent, even if it is not there yet */
    char run_id[UUID_TEXT], key_id[API_KEY_ID];
    TAILQ_ENTRY(stream)
    by_beat; /* open ones; the one that was written to longest ago comes first */
    TAILQ_ENTRY(stream) in_line;
    int64_t beat_ms, ends_ms; /* ends_ms: of the key by which it was opened */
    uint64_t taken;           /* bytes, at the last beat */
    int idle_beats;
    bool waits;  /* in the line for a page */
    bool asking; /* its page is under way */
    bool behind; /* it wants a page when its reader has taken what it has */
    bool over;   /* nothing more is said */
    bool gone;   /* nobody reads: freed when its page comes */
};

struct streams {
    struct api *api;
    struct timer *tick;
    LIST_HEAD(, stream) streams;
    TAILQ_HEAD(, stream) by_beat, line;
    size_t n, n_open, asking;
    int64_t next_end_ms; /* no key of theirs ends before */
    bool draining;
    struct sse_page page;
};

/* Follows the run, but has not asked yet. NULL: no memory. It is the call's state and goes with it,
 * or, once open, when the reader does. */
struct stream *stream_new(struct streams *all, struct call *c, const char *run_id, int64_t since,
                          const char *types);
void stream_free(struct stream *s);
/* Answers 200. False: it is not to be told anything, or was answered 500. */
bool stream_open(struct stream *s);
/* A page that it asked for; it may want another. */
void stream_take(struct stream *s, const struct sse_page *p);
/* A reader that has all is told that we are here; one that has not, and takes nothing, is cut. */
void stream_beat(struct stream *s);
void stream_end(struct stream *s);
/* The nth of those who are all to come back; nobody is told why it ended. */
void stream_send_away(struct stream *s, int64_t nth, const char *why);

/* --- streams.c --- */
void streams_want_page(struct stream *s); /* for streams_pump() or the next tick */
void streams_pump(struct streams *all);   /* asks for as many as may be under way */

#endif
