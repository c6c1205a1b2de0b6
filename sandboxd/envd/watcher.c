/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/watcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "common/json/json.h"
#include "sandboxd/sandbox/file_op.h"

#include "common/banned.h"

enum { AT_ONCE = 64 }; /* events between two turns of the loop */

struct watcher {
    LIST_ENTRY(watcher) link;
    struct sandbox *sb; /* NULL: off its list */
    int fd;
    struct watch *watch; /* NULL: nothing more comes */
    char id[WATCHER_ID_ROOM];
    struct buf queue;      /* events, comma-separated */
    struct stream *stream; /* NULL: it is a queue */
    int64_t keepalive_ms;
    struct timer *silence, *deadline;
    const char *why; /* nothing more comes; NULL: more may */
};

/* --- one event --------------------------------------------------------------------- */

static bool is_full(const struct watcher *w)
{
    return w->stream != NULL ? stream_full(w->stream) : w->queue.len >= WATCHER_QUEUE_BYTES;
}

static void wrote(struct watcher *w)
{
    timer_start(w->silence, w->keepalive_ms);
    stream_flush(w->stream);
}

static void put_event(struct watcher *w, struct str json)
{
    AUTO_BUF frame = BUF_INIT(FILE_OP_EVENT_MAX + 64);

    if (w->stream == NULL) {
        if (w->queue.len > 0)
            buf_addc(&w->queue, ',');
        buf_addstr(&w->queue, json);
        return;
    }
    buf_adds(&frame, "{\"filesystem\":");
    buf_addstr(&frame, json);
    buf_addc(&frame, '}');
    rpc_put_data(stream_buf(w->stream), buf_str(&frame));
    wrote(w);
}

/* Nothing more comes of the sandbox; a stream ends with it. */
static void ended(struct watcher *w, const char *why)
{
    watch_free(w->watch);
    w->watch = NULL;
    w->why = why;
    if (w->stream == NULL)
        return;
    timer_stop(w->silence);
    timer_stop(w->deadline);
    rpc_put_end_error(stream_buf(w->stream), RPC_INTERNAL, why);
    stream_end(w->stream);
}

/* It comes from inside the sandbox, so it is looked at. */
static void take_datagram(struct watcher *w, struct str json)
{
    struct json_member members[4];
    struct json_scan scan;

    if (json_scan(json, members, COUNTOF(members), &scan, NULL) != ERR_OK || !scan.is_object)
        return;
    size_t n = scan.n_members < COUNTOF(members) ? scan.n_members : COUNTOF(members);
    if (json_member(members, n, "lost").n > 0)
        ended(w, "watcher error: fsnotify: queue or buffer overflow");
    else
        put_event(w, json);
}

static void on_readable(void *ctx, int events)
{
    static char room[FILE_OP_EVENT_MAX]; /* one thread */
    struct watcher *w = ctx;

    (void)events;
    for (int i = 0; i < AT_ONCE && w->watch != NULL; i++) {
        if (is_full(w)) {
            watch_set(w->watch, 0);
            return;
        }
        ssize_t n = recv(w->fd, room, sizeof(room), MSG_DONTWAIT | MSG_TRUNC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            ended(w, "watcher event channel closed");
        else if ((size_t)n <= sizeof(room))
            take_datagram(w, (struct str){room, (size_t)n});
    }
}

/* --- life --------------------------------------------------------------------------- */

static void detach(struct watcher *w)
{
    if (w->sb != NULL)
        LIST_REMOVE(w, link);
    w->sb = NULL;
}

static void watcher_free(struct watcher *w)
{
    if (w == NULL)
        return;
    detach(w);
    watch_free(w->watch);
    timer_free(w->silence);
    timer_free(w->deadline);
    (void)close(w->fd); /* ends the process in the sandbox */
    buf_release(&w->queue);
    free(w);
}

/* Takes fd. */
static struct watcher *watcher_new(struct sandbox *sb, int fd)
{
    struct watcher *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        (void)close(fd);
        return NULL;
    }
    *w = (struct watcher){.sb = sb, .fd = fd};
    w->queue = BUF_INIT(WATCHER_QUEUE_BYTES + FILE_OP_EVENT_MAX + 1);
    LIST_INSERT_HEAD(&sb->watchers, w, link);
    (void)snprintf(w->id, sizeof(w->id), "w%08x%08x", randombytes_random(), randombytes_random());
    w->watch = watch_new(sb->fleet->loop, fd, on_readable, w);
    if (w->watch != NULL)
        return w;
    watcher_free(w);
    return NULL;
}

bool watchers_full(const struct sandbox *sb)
{
    const struct watcher *w;
    int n = 0;

    LIST_FOREACH(w, &sb->watchers, link)
    n++;
    return n >= WATCHERS_MAX;
}

void watchers_forget_all(struct sandbox *sb)
{
    struct watcher *w;

    while ((w = LIST_FIRST(&sb->watchers)) != NULL) {
        if (w->stream == NULL) {
            watcher_free(w);
            continue;
        }
        detach(w);
        watch_free(w->watch);
        w->watch = NULL;
        stream_cut(w->stream);
    }
}

/* --- streams ------------------------------------------------------------------------ */

static void on_silence(void *ctx)
{
    struct watcher *w = ctx;

    if (!stream_full(w->stream))
        rpc_put_data(stream_buf(w->stream), STR("{\"keepalive\":{}}"));
    wrote(w);
}

static void on_deadline(void *ctx)
{
    struct watcher *w = ctx;

    watch_free(w->watch);
    w->watch = NULL;
    timer_stop(w->silence);
    rpc_put_end_error(stream_buf(w->stream), RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    stream_end(w->stream);
}

static void on_drained(void *ctx)
{
    struct watcher *w = ctx;

    if (w->watch != NULL)
        watch_set(w->watch, WATCH_READ);
}

static void on_closed(void *ctx)
{
    watcher_free(ctx);
}

static const struct stream_events events = {.drained = on_drained, .closed = on_closed};

void watcher_stream(struct sandbox *sb, struct request *r, const struct follow *how, int fd)
{
    struct watcher *w = watcher_new(sb, fd);

    if (w != NULL) {
        w->keepalive_ms = how->keepalive_ms;
        w->silence = timer_new(sb->fleet->loop, on_silence, w);
        w->deadline = timer_new(sb->fleet->loop, on_deadline, w);
    }
    if (w == NULL || w->silence == NULL || w->deadline == NULL)
        request_error(r, 500, "out of memory");
    else
        w->stream = stream_open(r, "application/connect+json", &events, w);
    if (w == NULL || w->stream == NULL) {
        watcher_free(w);
        return;
    }
    if (how->deadline_ms != FOLLOW_FOREVER)
        timer_start(w->deadline, how->deadline_ms);
    rpc_put_data(stream_buf(w->stream), STR("{\"start\":{}}"));
    watch_set(w->watch, WATCH_READ);
    wrote(w);
}

/* --- queues ------------------------------------------------------------------------- */

struct watcher *watcher_queue(struct sandbox *sb, int fd)
{
    struct watcher *w = watcher_new(sb, fd);

    if (w != NULL)
        watch_set(w->watch, WATCH_READ);
    return w;
}

const char *watcher_id(const struct watcher *w)
{
    return w->id;
}

struct watcher *watcher_find(struct sandbox *sb, const char *id)
{
    struct watcher *w;

    LIST_FOREACH(w, &sb->watchers, link)
    if (w->stream == NULL && strcmp(w->id, id) == 0)
        return w;
    return NULL;
}

const char *watcher_take(struct watcher *w, struct buf *out)
{
    const char *why = w->queue.len == 0 ? w->why : NULL;

    on_readable(w, WATCH_READ); /* what has come since the loop looked */
    buf_addstr(out, buf_str(&w->queue));
    buf_clear(&w->queue);
    if (w->watch != NULL)
        watch_set(w->watch, WATCH_READ);
    return why;
}

void watcher_remove(struct watcher *w)
{
    watcher_free(w);
}
