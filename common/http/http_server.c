/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/http_server_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http/http_tls.h"
#include "common/banned.h"

enum { DISCARD_MAX = 1 << 20, BAD = 400, TOO_BIG = 413, FAULT = 500, BUSY = 503 };

/* --- one request ---------------------------------------------------------------- */

static struct guest *guest_of(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* libmicrohttpd hands out the path decoded only, where a %2F is a slash like any other. */
static void *on_target(void *ctx, const char *target, struct MHD_Connection *conn)
{
    struct guest *g = guest_of(conn);

    (void)ctx;
    if (g) {
        free(g->target);
        g->target = str_dup(str_of(target));
    }
    return NULL;
}

/* As a proxy is asked, with scheme and host before it (RFC 9112, 3.2.2), it is the same path. */
static struct str path_of(const char *target)
{
    struct str path = {target, strcspn(target, "?")};
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    const char *slash = scheme ? memchr(path.p + scheme, '/', path.n - scheme) : path.p;

    if (!slash)
        return STR("/");
    return (struct str){slash, path.n - (size_t)(slash - path.p)};
}

static struct exchange *exchange_new(struct http_server *s, struct MHD_Connection *conn,
                                     const char *method)
{
    struct exchange *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->server = s;
    x->conn = conn;
    x->guest = guest_of(conn);
    if (x->guest)
        x->guest->exchange = x;
    if (x->guest && x->guest->target)
        x->path = str_dup(path_of(x->guest->target));
    x->method = str_dup(str_of(method));
    x->headers = BUF_INIT(s->opts.headers_max);
    LIST_INSERT_HEAD(&s->exchanges, x, link);
    x->r = (struct http_request){.app = s->opts.app, .method = x->method, .path = x->path};
    return x;
}

static void exchange_free(struct exchange *x)
{
    if (x->r.gone)
        x->r.gone(&x->r);
    LIST_REMOVE(x, link);
    if (x->guest) {
        x->guest->until_ms = loop_now_ms(x->server->loop) + x->server->opts.life_ms;
        x->guest->exchange = NULL;
    }
    if (x->response)
        MHD_destroy_response(x->response);
    buf_release(&x->r.body);
    buf_release(&x->headers);
    free(x->path);
    free(x->method);
    free(x);
}

static enum MHD_Result queue(struct exchange *x)
{
    if (x->close || x->server->quiet)
        (void)MHD_add_response_header(x->response, "Connection", "close");
    return MHD_queue_response(x->conn, (unsigned)x->status, x->response);
}

static enum MHD_Result suspend(struct exchange *x)
{
    MHD_suspend_connection(x->conn);
    x->suspended = true;
    return MHD_YES;
}

static size_t told_length(const struct exchange *x)
{
    const char *length = http_request_header(&x->r, "Content-Length");

    if (!length)
        return 0;
    return strlen(length) > 15 ? SIZE_MAX : (size_t)strtoull(length, NULL, 10);
}

static bool has_body(const struct exchange *x)
{
    return told_length(x) > 0 || http_request_header(&x->r, "Transfer-Encoding");
}

static bool waits_for_100(const struct exchange *x)
{
    const char *expect = http_request_header(&x->r, "Expect");

    return expect && strcasecmp(expect, "100-continue") == 0;
}

/* A refusal waits for a small body to pass, so that the client reads it; before a big one, or one
 * of unknown size, or one whose client asks first, it is sent right away, and the connection
 * closes. */
static enum MHD_Result begin(struct exchange *x)
{
    struct http_server *s = x->server;

    x->close = http_request_odd(&x->r) != NULL; /* what follows may be no request */
    s->opts.begin(&x->r);
    x->r.body.max = x->r.body_max;
    if (x->close && !x->response)
        s->opts.refuse(&x->r, BAD, http_request_odd(&x->r));
    if (!x->response && (told_length(x) > x->r.body_max || (has_body(x) && x->r.body_max == 0)))
        s->opts.refuse(&x->r, TOO_BIG, x->r.body_max ? "the body is too big" : "no body is taken");
    if (!x->response || (!x->close && !waits_for_100(x) && told_length(x) <= DISCARD_MAX &&
                         !http_request_header(&x->r, "Transfer-Encoding")))
        return MHD_YES;
    x->close = true;
    return queue(x);
}

static enum MHD_Result take(struct exchange *x, struct str piece)
{
    x->taken += piece.n;
    if (x->response) { /* decided: dropped, but not for ever */
        x->close = true;
        x->dropped += piece.n;
        return x->dropped > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    if (x->taken > x->r.body_max)
        x->server->opts.refuse(&x->r, TOO_BIG, "the body is too big");
    else if (x->r.piece)
        x->r.piece(&x->r, piece);
    else
        buf_addstr(&x->r.body, piece);
    return MHD_YES;
}

static enum MHD_Result finish(struct exchange *x)
{
    struct http_server *s = x->server;

    if (!x->dispatched && !x->response) {
        x->dispatched = true;
        if (s->closing)
            s->opts.refuse(&x->r, BUSY, "the server is stopping");
        else if (x->r.body.rc != ERR_OK)
            s->opts.refuse(&x->r, FAULT, "out of memory");
        else
            s->opts.whole(&x->r);
    }
    return x->response ? queue(x) : suspend(x);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *conn, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_n, void **state)
{
    struct exchange *x = *state;

    (void)url;
    if (!x) {
        *state = x = exchange_new(ctx, conn, method);
        if (x)
            x->http10 = strcmp(version, "HTTP/1.0") == 0;
        return x && x->path && x->method ? begin(x) : MHD_NO;
    }
    if (x->over)
        return MHD_NO;
    if (x->left) /* what libmicrohttpd has of it is a dead socket */
        return MHD_NO;
    if (x->held && !x->response) /* called again with the same when it goes on */
        return suspend(x);
    if (*upload_n == 0)
        return finish(x);
    struct str piece = {upload, *upload_n};
    *upload_n = 0;
    return take(x, piece);
}

static void on_completed(void *ctx, struct MHD_Connection *conn, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)ctx, (void)conn, (void)why;
    if (*state)
        exchange_free(*state);
    *state = NULL;
}

/* --- connections ------------------------------------------------------------------ */

/* A body that did not come: libmicrohttpd takes no answer before its end, so it is sent past it. */
static void tell_late(const struct guest *g)
{
    static const struct str late = STR("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                       "Content-Length: 0\r\n\r\n");
    const struct exchange *x = g->exchange;

    if (x && !x->server->by_tls && !x->response && !x->stream && !x->dispatched && !x->suspended)
        (void)send(g->fd, late.p, late.n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* libmicrohttpd finds it closed; but it does not look at what waits for an answer. */
static void shut(struct guest *g)
{
    struct exchange *x = g->exchange;

    (void)shutdown(g->fd, SHUT_RDWR);
    if (x && x->stream) {
        http_stream_cut(x->stream);
    } else if (x) {
        x->over = true;
        exchange_resume(x);
    }
}

static void on_sweep(void *ctx)
{
    struct http_server *s = ctx;
    int64_t now = loop_now_ms(s->loop);
    struct guest *g;

    LIST_FOREACH(g, &s->guests, link)
    if (now >= g->until_ms) {
        tell_late(g);
        shut(g);
    }
    alone_sweep(s);
    if (!LIST_EMPTY(&s->guests) || !LIST_EMPTY(&s->alone))
        timer_start(s->sweep, SWEEP_MS);
}

static void leave(struct http_server *s, struct guest *g)
{
    if (g) {
        LIST_REMOVE(g, link);
        s->n_guests--;
        free(g->target);
    }
    free(g);
    if (!s->closing) /* at its limit it looks for new ones only when it runs once more */
        http_daemon_kick(s->daemon);
}

static void on_connection(void *ctx, struct MHD_Connection *conn, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = ctx;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        leave(s, *state);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct guest *g = info ? calloc(1, sizeof(*g)) : NULL;
    *state = g;
    if (!g) {
        if (info)
            (void)shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    *g = (struct guest){.fd = info->connect_fd, .until_ms = loop_now_ms(s->loop) + s->opts.life_ms};
    LIST_INSERT_HEAD(&s->guests, g, link);
    s->n_guests++;
    if (!timer_pending(s->sweep))
        timer_start(s->sweep, SWEEP_MS);
}

size_t http_server_connections(const struct http_server *s)
{
    return s->n_guests + s->n_alone;
}

void http_server_quiesce(struct http_server *s)
{
    struct guest *g;

    s->quiet = true;
    http_daemon_quiesce(s->daemon);
    LIST_FOREACH(g, &s->guests, link)
    if (!g->exchange)
        shut(g);
}

/* --- life ------------------------------------------------------------------------- */

static void no_log(void *ctx, const char *fmt, va_list ap)
{
    (void)ctx, (void)fmt, (void)ap;
}

/* TLS 1.2 and later, as gnutls counts what is safe today. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static struct MHD_OptionItem text_item(enum MHD_OPTION option, const char *text)
{
    return (struct MHD_OptionItem){option, 0, (void *)(uintptr_t)text};
}

static void tls_items(const struct http_tls *t, struct MHD_OptionItem *items)
{
    if (t) {
        *items++ = text_item(MHD_OPTION_HTTPS_MEM_CERT, http_tls_cert(t));
        *items++ = text_item(MHD_OPTION_HTTPS_MEM_KEY, http_tls_key(t));
        *items++ = text_item(MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITIES);
    }
    *items = text_item(MHD_OPTION_END, NULL);
}

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    const struct http_server_opts *o = &s->opts;
    struct MHD_OptionItem tls[4];

    tls_items(o->tls, tls);
    struct MHD_Daemon *mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (o->tls ? MHD_USE_TLS : 0),
        0, NULL, NULL, on_access, s, MHD_OPTION_ARRAY, tls, MHD_OPTION_EXTERNAL_LOGGER, no_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, o->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        s, MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(o->idle_ms / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->headers_max,
        MHD_OPTION_END);

    if (!mhd)
        (void)close(o->listen_fd);
    return mhd;
}

enum err_code http_server_new(struct loop *l, const struct http_server_opts *opts,
                              struct http_server **out, struct err *err)
{
    struct http_server *s = calloc(1, sizeof(*s));

    if (s) {
        *s = (struct http_server){.opts = *opts, .loop = l};
        s->sweep = timer_new(l, on_sweep, s);
    }
    if (!s || !s->sweep) {
        (void)close(opts->listen_fd);
        free(s);
        return err_set(err, ERR_NOMEM, "the HTTP server");
    }
    struct MHD_Daemon *mhd = start_daemon(s);
    if (!mhd && opts->tls)
        err_set(err, ERR_CONFIG, "the certificate and its key cannot be used: are they a pair?");
    if ((!mhd && opts->tls) || http_daemon_new(l, mhd, &s->daemon, err) != ERR_OK) {
        http_server_free(s);
        return err->code;
    }
    s->by_tls = opts->tls != NULL;
    s->opts.tls = NULL;
    *out = s;
    return ERR_OK;
}

void http_server_free(struct http_server *s)
{
    struct exchange *x;

    if (!s)
        return;
    s->closing = s->quiet = true;
    LIST_FOREACH(x, &s->exchanges, link)
    if (x->stream)
        http_stream_cut(x->stream);
    else if (x->suspended && !x->response) /* its answer would come too late */
        s->opts.refuse(&x->r, BUSY, "the server is stopping");
    alone_close_all(s);
    http_daemon_free(s->daemon); /* closes the connections, and tells so */
    timer_free(s->sweep);
    free(s);
}
