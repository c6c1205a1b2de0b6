/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/http_daemon.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/banned.h"

enum { LOOK_MS = 60000 }; /* at least so often */

struct http_daemon {
    struct MHD_Daemon *mhd;
    struct watch *watch;
    struct timer *timer;
    bool running, kicked;
};

static void run(void *ctx)
{
    struct http_daemon *d = ctx;
    MHD_UNSIGNED_LONG_LONG ms;

    d->kicked = false;
    d->running = true;
    (void)MHD_run(d->mhd);
    d->running = false;
    if (d->kicked)
        timer_start(d->timer, 0);
    else if (MHD_get_timeout(d->mhd, &ms) == MHD_YES)
        timer_start(d->timer, ms < LOOK_MS ? (int64_t)ms : LOOK_MS);
    else
        timer_stop(d->timer);
}

static void on_ready(void *ctx, int events)
{
    (void)events;
    run(ctx);
}

void http_daemon_kick(struct http_daemon *d)
{
    if (d->kicked)
        return;
    d->kicked = true;
    if (!d->running)
        timer_start(d->timer, 0);
}

enum err_code http_daemon_new(struct loop *l, struct MHD_Daemon *mhd, struct http_daemon **out,
                              struct err *err)
{
    if (!mhd)
        return err_set(err, ERR_IO, "cannot start libmicrohttpd");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD);
    struct http_daemon *d = calloc(1, sizeof(*d));
    if (!d) {
        MHD_stop_daemon(mhd);
        return err_set(err, ERR_NOMEM, "libmicrohttpd");
    }
    d->mhd = mhd;
    d->timer = timer_new(l, run, d);
    d->watch = info ? watch_new(l, info->epoll_fd, on_ready, d) : NULL;
    if (!d->timer || !d->watch) {
        http_daemon_free(d);
        return err_set(err, ERR_NOMEM, "libmicrohttpd in the loop");
    }
    watch_set(d->watch, WATCH_READ);
    *out = d;
    return ERR_OK;
}

void http_daemon_forget(struct http_daemon *d, int fd)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD);

    if (info)
        (void)epoll_ctl(info->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void http_daemon_quiesce(struct http_daemon *d)
{
    int fd = MHD_quiesce_daemon(d->mhd);

    if (fd >= 0)
        (void)close(fd);
}

void http_daemon_free(struct http_daemon *d)
{
    if (!d)
        return;
    (void)MHD_run(d->mhd);
    watch_free(d->watch);
    timer_free(d->timer);
    MHD_stop_daemon(d->mhd);
    free(d);
}
