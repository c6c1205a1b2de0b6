/* SPDX-License-Identifier: Apache-2.0 */
/* The watches of a sandbox's folders. A process in the sandbox tells events
 * (FILE_OP_WATCH); here they go on to the stream of a WatchDir, or into a queue
 * until somebody fetches them. Who does not read holds up only that process.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_SANDBOXD_ENVD_WATCHER_H
#define SANDFLEET_SANDBOXD_ENVD_WATCHER_H

#include "sandboxd/envd/subscriber.h"
#include "sandboxd/sandbox/sandbox.h"

enum {
    WATCHERS_MAX = 64, /* of one sandbox */
    WATCHER_ID_ROOM = 24,
    WATCHER_QUEUE_BYTES = 1 << 20
};

struct watcher;

/* Answers r with a stream of what comes out of fd, which is taken; the stream owns it all. */
void watcher_stream(struct sandbox *sb, struct request *r, const struct follow *how, int fd);

/* Queues what comes out of fd, which is taken, until watcher_remove(). NULL: no memory. */
struct watcher *watcher_queue(struct sandbox *sb, int fd);
const char *watcher_id(const struct watcher *w);
struct watcher *watcher_find(struct sandbox *sb, const char *id); /* queues only; NULL: none */
/* Appends the events so far, comma-separated. When there are none and none will come: why. */
const char *watcher_take(struct watcher *w, struct buf *out);
void watcher_remove(struct watcher *w);

bool watchers_full(const struct sandbox *sb);
/* The sandbox ends: cuts the streams and forgets all of them. */
void watchers_forget_all(struct sandbox *sb);

#endif
