/* SPDX-License-Identifier: Apache-2.0 */
#include "common/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <uv.h>

#include "common/banned.h"

/* Work for the end of this turn. Zero timers and deferred calls share this
 * queue: libuv 1.44 would run a timer that restarts itself with 0 for ever
 * without ever polling. */
TAILQ_HEAD(soon_list, soon);
struct soon {
    TAILQ_ENTRY(soon) link;
    struct soon_list *in; /* NULL: not queued */
    loop_fn fn;
    void *ctx;
    bool once; /* made by loop_defer(): freed when it runs */
};

struct loop {
    uv_loop_t uv;
    uv_idle_t idle; /* active only while `soon` is not empty: then the poll does not wait */
    struct soon_list soon, running;
    int stops;
    void (*on_stop)(void *ctx, int count);
    void *stop_ctx;
};

struct timer {
    uv_timer_t uv;
    struct soon soon;
    struct loop *l;
};

struct watch {
    uv_poll_t uv;
    int events;
    watch_fn fn;
    void *ctx;
};

struct work {
    uv_work_t uv;
    loop_fn work, done;
    void *ctx;
};

struct signal_handle {
    uv_signal_t uv;
    loop_fn fn;
    void *ctx;
};

/* Every handle's data points to the allocation that embeds it; nothing is
 * freed before libuv has let go of it. */
static void closed(uv_handle_t *h)
{
    free(h->data);
}

static void close_handle(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, closed);
}

/* --- soon --- */

static void soon_unlink(struct soon *s)
{
    if (!s->in)
        return;
    TAILQ_REMOVE(s->in, s, link);
    s->in = NULL;
}

/* What is queued meanwhile waits for the next turn, so that I/O gets its share. */
static void run_soon(uv_idle_t *idle)
{
    struct loop *l = CONTAINER_OF(idle, struct loop, idle);
    struct soon *s;
    TAILQ_CONCAT(&l->running, &l->soon, link);
    TAILQ_FOREACH(s, &l->running, link)
    s->in = &l->running;
    while ((s = TAILQ_FIRST(&l->running))) {
        loop_fn fn = s->fn;
        void *ctx = s->ctx;
        soon_unlink(s);
        if (s->once)
            free(s);
        fn(ctx);
    }
    if (TAILQ_EMPTY(&l->soon))
        uv_idle_stop(idle);
}

static void soon_push(struct loop *l, struct soon *s)
{
    soon_unlink(s);
    TAILQ_INSERT_TAIL(&l->soon, s, link);
    s->in = &l->soon;
    uv_idle_start(&l->idle, run_soon);
}

enum err_code loop_defer(struct loop *l, loop_fn fn, void *ctx, struct err *err)
{
    struct soon *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "defer a call");
    *s = (struct soon){.fn = fn, .ctx = ctx, .once = true};
    soon_push(l, s);
    return ERR_OK;
}

/* --- the loop --- */

enum err_code loop_new(struct loop **out, struct err *err)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_NOMEM, "make the event loop");
    int rc = uv_loop_init(&l->uv);
    if (rc) {
        free(l);
        return err_errno(err, -rc, "make the event loop");
    }
    TAILQ_INIT(&l->soon);
    TAILQ_INIT(&l->running);
    uv_idle_init(&l->uv, &l->idle); /* cannot fail */
    l->idle.data = NULL;            /* lives in l: closed() frees nothing */
    signal(SIGPIPE, SIG_IGN);
    *out = l;
    return ERR_OK;
}

void loop_run(struct loop *l)
{
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

static void close_left(uv_handle_t *h, void *ctx)
{
    (void)ctx;
    close_handle(h);
}

static void free_once(struct soon_list *list)
{
    struct soon *s;
    while ((s = TAILQ_FIRST(list))) {
        soon_unlink(s);
        if (s->once)
            free(s);
    }
}

static void mask_stops(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)pthread_sigmask(how, &set, NULL);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (l->on_stop)
        mask_stops(SIG_BLOCK);
    free_once(&l->soon);
    free_once(&l->running);
    uv_walk(&l->uv, close_left, NULL);
    while (uv_loop_close(&l->uv) == UV_EBUSY)
        uv_run(&l->uv, UV_RUN_DEFAULT); /* comes back early after a loop_stop() */
    free(l);
}

int64_t loop_now_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

/* --- beside the loop --- */

static void work_run(uv_work_t *uv)
{
    struct work *w = CONTAINER_OF(uv, struct work, uv);
    w->work(w->ctx);
}

static void work_done(uv_work_t *uv, int status)
{
    struct work *w = CONTAINER_OF(uv, struct work, uv);
    loop_fn done = w->done;
    void *ctx = w->ctx;
    (void)status; /* nothing is ever cancelled */
    free(w);
    done(ctx);
}

enum err_code loop_work(struct loop *l, loop_fn work, loop_fn done, void *ctx, struct err *err)
{
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "work beside the loop");
    *w = (struct work){.work = work, .done = done, .ctx = ctx};
    int rc = uv_queue_work(&l->uv, &w->uv, work_run, work_done);
    if (rc) {
        free(w);
        return err_errno(err, -rc, "work beside the loop");
    }
    return ERR_OK;
}

/* --- signals: they do not keep the loop alive --- */

static void signal_cb(uv_signal_t *uv, int signum)
{
    struct signal_handle *h = CONTAINER_OF(uv, struct signal_handle, uv);
    (void)signum;
    h->fn(h->ctx);
}

enum err_code loop_on_signal(struct loop *l, int signum, loop_fn fn, void *ctx, struct err *err)
{
    struct signal_handle *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(err, ERR_NOMEM, "watch signal %d", signum);
    h->fn = fn;
    h->ctx = ctx;
    uv_signal_init(&l->uv, &h->uv);
    h->uv.data = h;
    int rc = uv_signal_start(&h->uv, signal_cb, signum);
    if (rc) {
        close_handle((uv_handle_t *)&h->uv);
        return err_errno(err, -rc, "watch signal %d", signum);
    }
    uv_unref((uv_handle_t *)&h->uv);
    return ERR_OK;
}

static void stop_asked(void *ctx)
{
    struct loop *l = ctx;
    l->on_stop(l->stop_ctx, ++l->stops);
}

enum err_code loop_on_stop(struct loop *l, void (*fn)(void *ctx, int count), void *ctx,
                           struct err *err)
{
    bool known = l->on_stop;
    l->on_stop = fn;
    l->stop_ctx = ctx;
    if (known)
        return ERR_OK;
    enum err_code rc = loop_on_signal(l, SIGTERM, stop_asked, l, err);
    if (rc == ERR_OK)
        rc = loop_on_signal(l, SIGINT, stop_asked, l, err);
    mask_stops(SIG_UNBLOCK);
    return rc;
}

/* --- timers --- */

static void timer_cb(uv_timer_t *uv)
{
    struct timer *t = CONTAINER_OF(uv, struct timer, uv);
    t->soon.fn(t->soon.ctx);
}

struct timer *timer_new(struct loop *l, loop_fn fn, void *ctx)
{
    struct timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->l = l;
    t->soon = (struct soon){.fn = fn, .ctx = ctx};
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    return t;
}

void timer_start(struct timer *t, int64_t delay_ms)
{
    timer_stop(t);
    if (delay_ms <= 0)
        soon_push(t->l, &t->soon);
    else
        uv_timer_start(&t->uv, timer_cb, (uint64_t)delay_ms, 0);
}

void timer_stop(struct timer *t)
{
    soon_unlink(&t->soon);
    uv_timer_stop(&t->uv);
}

bool timer_pending(const struct timer *t)
{
    return t->soon.in || uv_is_active((const uv_handle_t *)&t->uv);
}

void timer_free(struct timer *t)
{
    if (!t)
        return;
    timer_stop(t);
    close_handle((uv_handle_t *)&t->uv);
}

/* --- file descriptors --- */

_Static_assert(WATCH_READ == (int)UV_READABLE && WATCH_WRITE == (int)UV_WRITABLE,
               "events pass through unchanged");

/* After an error libuv has stopped the handle: we go on watching, as poll(2)
 * would, unless the callback changed or freed it. */
static void watch_cb(uv_poll_t *uv, int status, int events)
{
    struct watch *w = CONTAINER_OF(uv, struct watch, uv);
    w->fn(w->ctx, status < 0 ? WATCH_READ | WATCH_WRITE : events);
    if (status < 0 && w->events && !uv_is_closing((uv_handle_t *)uv))
        uv_poll_start(uv, w->events, watch_cb);
}

struct watch *watch_new(struct loop *l, int fd, watch_fn fn, void *ctx)
{
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fn = fn;
    w->ctx = ctx;
    if (uv_poll_init(&l->uv, &w->uv, fd)) {
        free(w);
        return NULL;
    }
    w->uv.data = w;
    return w;
}

void watch_set(struct watch *w, int events)
{
    w->events = events;
    if (events)
        uv_poll_start(&w->uv, events, watch_cb);
    else
        uv_poll_stop(&w->uv);
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    w->events = 0;
    close_handle((uv_handle_t *)&w->uv);
}
