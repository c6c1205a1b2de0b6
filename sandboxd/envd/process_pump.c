/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/process_pump.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/banned.h"

enum { ENDS_AT_ONCE = 256 };

struct pump {
    int epoll;
    struct watch *watch; /* the epoll descriptor itself becomes readable */
    struct timer *pause;
    struct epoll_event ready[ENDS_AT_ONCE]; /* of the round that runs; NULL: removed meanwhile */
    int n_ready;
};

static void on_ready(void *ctx, int events)
{
    struct pump *p = ctx;
    bool more = false;

    (void)events;
    p->n_ready = epoll_wait(p->epoll, p->ready, ENDS_AT_ONCE, 0);
    for (int i = 0; i < p->n_ready; i++) {
        struct pump_end *e = p->ready[i].data.ptr;

        if (e != NULL && e->ready(e->ctx))
            more = true;
    }
    if (more || p->n_ready == ENDS_AT_ONCE)
        return; /* the next round begins at once */
    watch_set(p->watch, 0);
    timer_start(p->pause, PUMP_PAUSE_MS);
}

static void on_pause_over(void *ctx)
{
    struct pump *p = ctx;

    watch_set(p->watch, WATCH_READ);
}

enum err_code pump_new(struct loop *l, struct pump **out, struct err *err)
{
    struct pump *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return err_set(err, ERR_NOMEM, "pump");
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll >= 0) {
        p->watch = watch_new(l, p->epoll, on_ready, p);
        p->pause = timer_new(l, on_pause_over, p);
    }
    if (p->watch == NULL || p->pause == NULL) {
        pump_free(p);
        return err_set(err, ERR_NOMEM, "pump");
    }
    watch_set(p->watch, WATCH_READ);
    *out = p;
    return ERR_OK;
}

void pump_free(struct pump *p)
{
    if (p == NULL)
        return;
    watch_free(p->watch);
    timer_free(p->pause);
    if (p->epoll >= 0)
        (void)close(p->epoll);
    free(p);
}

enum err_code pump_set(struct pump *p, struct pump_end *e, bool on, struct err *err)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = e};

    if (!on)
        pump_off(p, e);
    if (!on || e->on)
        return ERR_OK;
    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, e->fd, &ev) != 0)
        return err_errno(err, errno, "cannot wait for output");
    e->on = true;
    return ERR_OK;
}

void pump_off(struct pump *p, struct pump_end *e)
{
    if (!e->on)
        return;
    e->on = false;
    (void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, e->fd, NULL);
    for (int i = 0; i < p->n_ready; i++)
        if (p->ready[i].data.ptr == e)
            p->ready[i].data.ptr = NULL;
}
