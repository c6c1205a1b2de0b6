/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd in the loop: the daemon runs when its epoll descriptor or its clock says so.
 * What it answers is its maker's: common/http/http_server.h, sandboxd/web/web.h.
 * Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_COMMON_HTTP_HTTP_DAEMON_H
#define SANDFLEET_COMMON_HTTP_HTTP_DAEMON_H

#include <microhttpd.h>

#include "common/err.h"
#include "common/loop.h"

struct http_daemon; /* opaque */

/* mhd: made with MHD_USE_EPOLL and no thread; taken, on failure, too. NULL: it could not be
 * made, and this says so. */
enum err_code http_daemon_new(struct loop *l, struct MHD_Daemon *mhd, struct http_daemon **out,
                              struct err *err) MUST_USE;
/* There is something to do that no socket tells, as a connection that was resumed. */
void http_daemon_kick(struct http_daemon *d);
/* Whatever it was, it is no longer told of this descriptor. */
void http_daemon_forget(struct http_daemon *d, int fd);
/* Accepts no more; the listening socket is closed. */
void http_daemon_quiesce(struct http_daemon *d);
/* Sends what can be sent at once, and stops it. NULL is fine. */
void http_daemon_free(struct http_daemon *d);

#endif
