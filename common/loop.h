/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop of a process: libuv behind three handles that need no care
 * when freed. Single-threaded: everything is called on the loop's thread, and
 * a callback may free any handle, its own included. Only loop_work() goes elsewhere. */
#ifndef SANDFLEET_COMMON_LOOP_H
#define SANDFLEET_COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct loop;  /* opaque; one per process */
struct timer; /* opaque; one shot */
struct watch; /* opaque; a file descriptor in the loop */

typedef void (*loop_fn)(void *ctx);

/* From here on SIGPIPE is ignored in this process (and in what it executes). */
enum err_code loop_new(struct loop **out, struct err *err) MUST_USE;
void loop_run(struct loop *l); /* until loop_stop(), or nothing is left */
void loop_stop(struct loop *l);
void loop_free(struct loop *l);            /* closes what is left */
int64_t loop_now_ms(const struct loop *l); /* monotonic, read once per turn */

/* Calls fn once, later in this turn or the next, never from inside this call. */
enum err_code loop_defer(struct loop *l, loop_fn fn, void *ctx, struct err *err) MUST_USE;

/* Calls work(ctx) on another thread, for what would block (files), then done(ctx) on the loop's,
 * always: in loop_free() at the latest. work() touches nothing that the loop's thread does. */
enum err_code loop_work(struct loop *l, loop_fn work, loop_fn done, void *ctx,
                        struct err *err) MUST_USE;

/* SIGTERM and SIGINT; count is 1 for the first, 2 for the second… Signals alone
 * do not keep loop_run() going. From loop_free() on they are held back: whoever asks again does not
 * kill a process that is about to end by itself. */
enum err_code loop_on_stop(struct loop *l, void (*fn)(void *ctx, int count), void *ctx,
                           struct err *err) MUST_USE;
/* SIGCHLD and others by number. */
enum err_code loop_on_signal(struct loop *l, int signum, loop_fn fn, void *ctx,
                             struct err *err) MUST_USE;

/* A timer at rest; timer_start() sets or resets it. Freeing stops it. */
struct timer *timer_new(struct loop *l, loop_fn fn, void *ctx); /* yours; NULL: no memory */
void timer_start(struct timer *t, int64_t delay_ms);            /* <= 0: as loop_defer() */
void timer_stop(struct timer *t);
bool timer_pending(const struct timer *t);
void timer_free(struct timer *t);

enum { WATCH_READ = 1, WATCH_WRITE = 2 };
typedef void (*watch_fn)(void *ctx,
                         int events); /* events: WATCH_READ | WATCH_WRITE; errors set both */

/* Watches fd, which stays the caller's and must outlive the watch. */
struct watch *watch_new(struct loop *l, int fd, watch_fn fn,
                        void *ctx);          /* yours; NULL: no memory */
void watch_set(struct watch *w, int events); /* 0: none */
void watch_free(struct watch *w);            /* before the fd is closed */

#endif
