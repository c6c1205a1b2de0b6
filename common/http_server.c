/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http_server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http_daemon.h"
#include "common/banned.h"

enum { SWEEP_MS = 1000, OK = 200, NOT_FOUND = 404, NO_METHOD = 405, TOO_BIG = 413, FAULT = 500 };

struct guest { /* one connection */
    LIST_ENTRY(guest) link;
    int fd;
    int64_t until_ms; /* it is shut then, whatever it is doing */
};

struct http_server {
    struct http_server_opts opts;
    struct loop *loop;
    struct http_daemon *daemon;
    struct timer *sweep;
    LIST_HEAD(, guest) guests;
    bool closing;
};

/* --- answers ----------------------------------------------------------------- */

static void say(struct http_reply *out, int status, const char *text)
{
    out->status = status;
    buf_clear(&out->body);
    buf_adds(&out->body, text);
}

static const struct http_page *page_of(const struct http_server *s, const char *path)
{
    for (size_t i = 0; i < s->opts.n_pages; i++)
        if (strcmp(s->opts.pages[i].path, path) == 0)
            return &s->opts.pages[i];
    return NULL;
}

static void make(const struct http_server *s, const char *path, struct http_reply *out)
{
    const struct http_page *page = page_of(s, path);

    if (!page) {
        say(out, NOT_FOUND, "There is nothing here. Pages:\n");
        for (size_t i = 0; i < s->opts.n_pages; i++)
            buf_addf(&out->body, "  %s\n", s->opts.pages[i].path);
        return;
    }
    page->write(s->opts.ctx, out);
    if (out->body.rc != ERR_OK) { /* never half a page */
        out->type = NULL;
        say(out, FAULT, "The page has become too big, or memory is out.\n");
    }
}

static enum MHD_Result send_reply(struct MHD_Connection *conn, struct http_reply *r)
{
    size_t n = r->body.len;
    char *text = buf_take(&r->body);
    struct MHD_Response *m =
        text ? MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE) : NULL;

    if (!m) {
        free(text);
        return MHD_NO; /* the connection is closed */
    }
    (void)MHD_add_response_header(m, "Content-Type",
                                  r->type ? r->type : "text/plain; charset=utf-8");
    (void)MHD_add_response_header(m, "Cache-Control", "no-store");
    if (r->status == NO_METHOD)
        (void)MHD_add_response_header(m, "Allow", "GET, HEAD");
    if (r->status == TOO_BIG || r->status == NO_METHOD) /* its body is not read */
        (void)MHD_add_response_header(m, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(conn, (unsigned)r->status, m);
    MHD_destroy_response(m);
    return queued;
}

static bool has_body(struct MHD_Connection *conn)
{
    const char *length = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Length");

    return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Transfer-Encoding") ||
           (length && strcmp(length, "0") != 0);
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *conn, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_n, void **state)
{
    static char seen; /* no state but that the headers were there before */
    struct http_reply reply = {.status = OK, .body = BUF_INIT(HTTP_SERVER_ANSWER_MAX)};

    (void)version, (void)upload;
    *upload_n = 0;
    if (!*state && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        say(&reply, NO_METHOD, "Only GET and HEAD are answered here.\n");
    else if (!*state && has_body(conn))
        say(&reply, TOO_BIG, "A request here has no body.\n");
    else if (!*state) {
        *state = &seen;
        return MHD_YES; /* a page is made once the request is whole */
    } else {
        make(ctx, url, &reply);
    }
    enum MHD_Result sent = send_reply(conn, &reply);
    buf_release(&reply.body);
    return sent;
}

/* --- connections --------------------------------------------------------------- */

static void on_sweep(void *ctx)
{
    struct http_server *s = ctx;
    int64_t now = loop_now_ms(s->loop);
    struct guest *g;

    LIST_FOREACH(g, &s->guests, link)
    if (now >= g->until_ms)
        (void)shutdown(g->fd, SHUT_RDWR); /* libmicrohttpd then finds it closed */
    if (!LIST_EMPTY(&s->guests))
        timer_start(s->sweep, SWEEP_MS);
}

static void on_connection(void *ctx, struct MHD_Connection *conn, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = ctx;
    struct guest *g = *state;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (g)
            LIST_REMOVE(g, link);
        free(g);
        if (!s->closing) /* at its limit it looks for new ones only when it runs once more */
            http_daemon_kick(s->daemon);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    *state = g = info ? calloc(1, sizeof(*g)) : NULL;
    if (!g) {
        if (info)
            (void)shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    *g = (struct guest){.fd = info->connect_fd, .until_ms = loop_now_ms(s->loop) + s->opts.life_ms};
    LIST_INSERT_HEAD(&s->guests, g, link);
    if (!timer_pending(s->sweep))
        timer_start(s->sweep, SWEEP_MS);
}

/* --- life ---------------------------------------------------------------------- */

static void no_log(void *ctx, const char *fmt, va_list ap)
{
    (void)ctx, (void)fmt, (void)ap;
}

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    const struct http_server_opts *o = &s->opts;
    struct MHD_Daemon *mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_access, s, MHD_OPTION_EXTERNAL_LOGGER,
        no_log, NULL, MHD_OPTION_LISTEN_SOCKET, o->listen_fd, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(o->idle_ms / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_SERVER_HEADERS_MAX, MHD_OPTION_END);

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
    if (s->opts.connections == 0)
        s->opts.connections = HTTP_SERVER_CONNECTIONS;
    if (s->opts.idle_ms == 0)
        s->opts.idle_ms = HTTP_SERVER_IDLE_MS;
    if (s->opts.life_ms == 0)
        s->opts.life_ms = HTTP_SERVER_LIFE_MS;
    if (http_daemon_new(l, start_daemon(s), &s->daemon, err) != ERR_OK) {
        http_server_free(s);
        return err->code;
    }
    *out = s;
    return ERR_OK;
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    s->closing = true;
    http_daemon_free(s->daemon); /* closes the connections, and tells so */
    timer_free(s->sweep);
    free(s);
}
