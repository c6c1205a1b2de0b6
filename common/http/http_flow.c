/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that come and go piece by piece, with back-pressure both ways; addresses that are looked
 * at before they are tried. */
#include "common/http/http_internal.h"

#include <sys/socket.h>

#include "common/banned.h"

/* --- out --- */

static size_t on_more(char *p, size_t size, size_t n, void *ctx)
{
    struct http_req *r = ctx;
    ssize_t got;

    if (r->state == REQ_DROPPED)
        return CURL_READFUNC_ABORT;
    got = r->ev.more(r->ctx, p, size * n);
    if (r->state == REQ_DROPPED)
        return CURL_READFUNC_ABORT;
    r->last_byte_ms = loop_now_ms(r->h->loop);
    r->starved = got == HTTP_LATER;
    if (r->starved)
        return CURL_READFUNC_PAUSE;
    if (got >= 0)
        return (size_t)got;
    r->failure = ERR_CANCELLED;
    return CURL_READFUNC_ABORT;
}

/* --- going on --- */

static void wake(struct http_req *r)
{
    r->wakes = r->h->wakes = true;
    timer_start(r->h->kick, 0);
}

void http_hold(struct http_req *r, bool held)
{
    if (!r || r->held == held)
        return;
    r->held = held;
    if (!held)
        wake(r);
}

void http_go_on(struct http_req *r)
{
    if (r && r->starved)
        wake(r);
}

static struct http_req *next_waker(const struct http *h)
{
    struct http_req *r;

    TAILQ_FOREACH(r, &h->running, link)
    {
        if (r->wakes)
            return r;
    }
    return NULL;
}

/* Telling one gives out what curl kept for it: any callback may come from there. */
void http_flow_wake(struct http *h)
{
    struct http_req *r;

    if (!h->wakes)
        return;
    h->wakes = false;
    while ((r = next_waker(h))) {
        r->wakes = r->starved = false;
        if (r->held)
            continue;
        r->last_byte_ms = loop_now_ms(h->loop);
        h->in_curl = true;
        (void)curl_easy_pause(r->easy, CURLPAUSE_CONT);
        h->in_curl = false;
    }
}

/* --- addresses --- */

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct http_req *r = ctx;

    (void)purpose;
    r->refused = !r->allowed(r->ctx, &to->addr);
    return r->refused ? CURL_SOCKET_BAD
                      : socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* --- setup --- */

static void guard(struct http_req *r, const struct http_call *call)
{
    r->allowed = call->allowed;
    curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(r->easy, CURLOPT_OPENSOCKETDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_PROXY, "");
}

bool http_flow_setup(struct http_req *r, const struct http_call *call)
{
    CURL *c = r->easy;

    if (call->allowed)
        guard(r, call);
    if (call->aws_sigv4 && (curl_easy_setopt(c, CURLOPT_AWS_SIGV4, call->aws_sigv4) != CURLE_OK ||
                            curl_easy_setopt(c, CURLOPT_USERPWD, call->aws_account) != CURLE_OK))
        return false;
    if (!call->pulls)
        return true;
    curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, on_more);
    curl_easy_setopt(c, CURLOPT_READDATA, r);
    curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->pull_bytes);
    return curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK;
}

/* --- redirects, for whoever follows them --- */

enum err_code http_resolve(const char *base, const char *location, struct buf *out, struct err *err)
{
    CURLU *u = curl_url();
    char *url = NULL;

    if (u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK)
        buf_adds(out, url);
    else
        (void)err_set(err, ERR_INVALID, "not a place to be redirected to");
    curl_url_cleanup(u);
    if (!url)
        return ERR_INVALID;
    curl_free(url);
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "a redirect's address");
}
