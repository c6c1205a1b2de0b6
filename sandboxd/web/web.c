/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/gate.h"
#include "sandboxd/web/stream.h"
#include "sandboxd/web/web_internal.h"

#include <stdlib.h>
#include <string.h>

#include "common/http/http_daemon.h"
#include "common/banned.h"

struct web {
    struct web_opts opts;
    struct http_daemon *daemon;
    bool closing;
    struct loop *loop;
    LIST_HEAD(, held) held;
    LIST_HEAD(, request) requests;
};

void web_kick(struct web *w)
{
    http_daemon_kick(w->daemon);
}

void web_hold(struct web *w, struct held *h)
{
    LIST_INSERT_HEAD(&w->held, h, link);
}

void web_cut(struct web *w, struct str sandbox_id)
{
    struct request *r;

    LIST_FOREACH(r, &w->requests, link)
    if (r->stream != NULL && str_eq(r->sandbox_id, sandbox_id))
        stream_cut(r->stream);
}

struct loop *web_loop(const struct web *w)
{
    return w->loop;
}

struct web_opts *web_opts_of(struct web *w)
{
    return &w->opts;
}

/* --- one request ------------------------------------------------------------ */

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

struct str request_query(const struct request *r, const char *name)
{
    const char *value = NULL;
    size_t n = 0;

    (void)MHD_lookup_connection_value_n(r->conn, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value,
                                        &n);
    return (struct str){value, value != NULL ? n : 0};
}

static struct request *request_new(struct web *w, struct MHD_Connection *conn, const char *path)
{
    struct request *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->web = w;
    r->app = w->opts.app;
    r->conn = conn;
    r->body = BUF_INIT(WEB_BODY_MAX);
    r->path = str_dup(str_of(path));
    if (r->path != NULL) {
        LIST_INSERT_HEAD(&w->requests, r, link);
        return r;
    }
    free(r);
    return NULL;
}

static void request_free(struct request *r)
{
    if (r->gone != NULL)
        r->gone(r);
    fault_forget(r);
    LIST_REMOVE(r, link);
    if (r->response != NULL)
        MHD_destroy_response(r->response);
    buf_release(&r->body);
    free(r->path);
    free(r);
}

static enum MHD_Result queue(struct request *r)
{
    if (gate_cuts_early(r))
        return MHD_NO;
    return MHD_queue_response(r->conn, (unsigned)r->status, r->response);
}

/* The headers are there. A refusal is sent behind the body, so that the client
 * reads it; only a body over its ceiling is refused right away. */
static enum MHD_Result begin(struct request *r, const char *method)
{
    request_route(r, method);
    if (r->response == NULL && request_too_long(r)) {
        request_error(r, 413, "the body is over %lld bytes", (long long)request_body_max(r));
        return queue(r);
    }
    if (r->response == NULL && !request_wrong_type(r) && r->route->sink != NULL)
        r->route->sink->begin(r);
    return MHD_YES;
}

static enum MHD_Result suspend(struct request *r)
{
    MHD_suspend_connection(r->conn);
    r->suspended = true;
    return MHD_YES;
}

int64_t web_upload_max(const struct web *w)
{
    return w->opts.upload_max;
}

static enum MHD_Result take(struct request *r, struct str piece)
{
    r->taken += (int64_t)piece.n;
    if (r->response != NULL) /* decided: discard, but not for ever */
        return r->taken > 2 * request_body_max(r) ? MHD_NO : MHD_YES;
    if (r->taken > request_body_max(r))
        request_error(r, 413, "the body is over %lld bytes", (long long)request_body_max(r));
    else if (r->route->sink != NULL)
        r->route->sink->piece(r, piece);
    else
        buf_addstr(&r->body, piece);
    return MHD_YES;
}

static enum MHD_Result finish(struct request *r)
{
    if (!r->dispatched && r->response == NULL) {
        if (fault_delays(r))
            return MHD_YES;
        r->dispatched = true;
        if (r->web->closing)
            request_error(r, 503, "the server is stopping");
        else if (r->body.rc != ERR_OK)
            request_error(r, 500, "out of memory");
        else
            r->route->handler(r);
    }
    if (r->response == NULL)
        return suspend(r); /* answered later */
    return fault_delays(r) ? MHD_YES : queue(r);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *conn, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_n, void **state)
{
    struct request *r = *state;

    (void)version;
    if (r == NULL) {
        *state = r = request_new(ctx, conn, url);
        return r == NULL ? MHD_NO : begin(r, method);
    }
    if (r->held && r->response == NULL) /* called again with the same when it goes on */
        return suspend(r);
    if (*upload_n == 0)
        return finish(r);
    struct str piece = {upload, *upload_n};
    *upload_n = 0;
    return take(r, piece);
}

static void on_completed(void *ctx, struct MHD_Connection *conn, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)ctx;
    (void)conn;
    (void)why;
    if (*state != NULL)
        request_free(*state);
    *state = NULL;
}

/* --- life ----------------------------------------------------------------------- */

static void no_log(void *ctx, const char *fmt, va_list ap)
{
    (void)ctx;
    (void)fmt;
    (void)ap;
}

static struct MHD_Daemon *start_daemon(struct web *w)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_access, w,
        MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL, MHD_OPTION_LISTEN_SOCKET, w->opts.listen_fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, w, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)WEB_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(64 << 10), MHD_OPTION_END);
}

enum err_code web_new(struct loop *l, const struct web_opts *opts, struct web **out,
                      struct err *err)
{
    struct web *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return err_set(err, ERR_NOMEM, "web server");
    w->opts = *opts;
    w->loop = l;
    LIST_INIT(&w->held);
    LIST_INIT(&w->requests);
    if (http_daemon_new(l, start_daemon(w), &w->daemon, err) != ERR_OK) {
        free(w);
        return err_wrap(err, "web server");
    }
    *out = w;
    return ERR_OK;
}

void web_free(struct web *w)
{
    struct request *r;
    struct held *h;

    if (w == NULL)
        return;
    w->closing = true;
    LIST_FOREACH(r, &w->requests, link)
    if (r->suspended) /* its answer would come too late */
        request_error(r, 503, "the server is stopping");
    while ((h = LIST_FIRST(&w->held)) != NULL)
        h->shut(h);
    http_daemon_free(w->daemon);
    free(w);
}
