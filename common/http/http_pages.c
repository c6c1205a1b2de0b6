/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/http_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/http/http_server.h"
#include "common/banned.h"

enum { OK = 200, NOT_FOUND = 404, NO_METHOD = 405, FAULT = 500 };

struct http_pages {
    struct http_pages_opts opts;
    struct http_server *server;
};

static void say(struct http_reply *out, int status, const char *text)
{
    out->status = status;
    buf_clear(&out->body);
    buf_adds(&out->body, text);
}

static const struct http_page *page_of(const struct http_pages *s, const char *path)
{
    for (size_t i = 0; i < s->opts.n_pages; i++)
        if (strcmp(s->opts.pages[i].path, path) == 0)
            return &s->opts.pages[i];
    return NULL;
}

static void make(const struct http_pages *s, const char *path, struct http_reply *out)
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

static void answer(struct http_request *r, struct http_reply *out)
{
    http_reply_header(r, "Cache-Control", "no-store");
    if (out->status == NO_METHOD)
        http_reply_header(r, "Allow", "GET, HEAD");
    http_answer(r, out->status, out->type ? out->type : "text/plain; charset=utf-8", &out->body);
    buf_release(&out->body);
}

static void answer_text(struct http_request *r, int status, const char *text)
{
    struct http_reply reply = {.body = BUF_INIT(HTTP_PAGES_ANSWER_MAX)};

    say(&reply, status, text);
    answer(r, &reply);
}

static void on_begin(struct http_request *r)
{
    if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
        answer_text(r, NO_METHOD, "Only GET and HEAD are answered here.\n");
}

static void on_whole(struct http_request *r)
{
    struct http_reply reply = {.status = OK, .body = BUF_INIT(HTTP_PAGES_ANSWER_MAX)};

    make(r->app, r->path, &reply);
    answer(r, &reply);
}

static void on_refuse(struct http_request *r, int status, const char *why)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "Refused: %s.\n", why);
    answer_text(r, status, text);
}

enum err_code http_pages_new(struct loop *l, const struct http_pages_opts *opts,
                             struct http_pages **out, struct err *err)
{
    struct http_pages *s = calloc(1, sizeof(*s));

    if (!s) {
        (void)close(opts->listen_fd);
        return err_set(err, ERR_NOMEM, "the pages");
    }
    s->opts = *opts;
    const struct http_server_opts server = {
        .listen_fd = opts->listen_fd,
        .app = s,
        .begin = on_begin,
        .whole = on_whole,
        .refuse = on_refuse,
        .connections = opts->connections ? opts->connections : HTTP_PAGES_CONNECTIONS,
        .headers_max = HTTP_PAGES_HEADERS_MAX,
        .idle_ms = opts->idle_ms ? opts->idle_ms : HTTP_PAGES_IDLE_MS,
        .life_ms = opts->life_ms ? opts->life_ms : HTTP_PAGES_LIFE_MS};
    if (http_server_new(l, &server, &s->server, err) != ERR_OK) {
        free(s);
        return err->code;
    }
    *out = s;
    return ERR_OK;
}

void http_pages_free(struct http_pages *s)
{
    if (!s)
        return;
    http_server_free(s->server);
    free(s);
}
