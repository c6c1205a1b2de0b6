/* SPDX-License-Identifier: Apache-2.0 */
/* The pool and the life of a request. While curl is on the stack a request is
 * only moved between lists; settle() acts on them once curl has returned. */
#include "common/http/http_internal.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/banned.h"

/* --- lists --- */

static struct http_reqs *list_of(struct http *h, enum req_state state)
{
    struct http_reqs *lists[] = {&h->waiting, &h->running, &h->dropped, NULL};
    return lists[state];
}

static void req_move(struct http_req *r, enum req_state to)
{
    struct http_reqs *from_list = list_of(r->h, r->state), *to_list = list_of(r->h, to);
    if (from_list)
        TAILQ_REMOVE(from_list, r, link);
    if (to_list)
        TAILQ_INSERT_TAIL(to_list, r, link);
    r->state = to;
}

/* curl's ceiling counts connections in use, too. */
static void count_req(struct http *h, long change)
{
    h->n_reqs += change;
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, h->n_reqs + HTTP_IDLE_CONNECTIONS);
}

/* --- the end of a request --- */

static void req_release(struct http_req *r)
{
    http_socket_forget(r);
    timer_free(r->silence);
    if (r->easy)
        curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    buf_release(&r->body);
    free(r->name);
    free(r);
}

/* Out of curl and of the lists; curl is not on the stack. */
static void req_detach(struct http_req *r)
{
    assert(!r->h->in_curl);
    if (r->state == REQ_RUNNING || r->state == REQ_DROPPED)
        curl_multi_remove_handle(r->h->multi, r->easy);
    req_move(r, REQ_DONE);
    if (r->silence)
        timer_stop(r->silence);
    count_req(r->h, -1);
}

static void req_finish(struct http_req *r, CURLcode code)
{
    struct err e = ERR_INIT;
    struct http_answer a = {.content_range_size = -1, .should_retry = -1};
    http_read_answer(r, &a);
    http_judge(r, code, &e);
    req_detach(r);
    r->ev.done(r->ctx, &a, &e);
    req_release(r);
}

void http_cancel(struct http_req *r)
{
    if (!r || r->state == REQ_DROPPED || r->state == REQ_DONE)
        return;
    if (r->h->in_curl && r->state == REQ_RUNNING) {
        req_move(r, REQ_DROPPED);
        return;
    }
    req_detach(r);
    req_release(r);
}

/* --- after curl --- */

static void drop_cancelled(struct http *h)
{
    struct http_req *r;
    while ((r = TAILQ_FIRST(&h->dropped))) {
        req_detach(r);
        req_release(r);
    }
}

static void finish_done(struct http *h)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(h->multi, &left))) {
        struct http_req *r = NULL;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
        if (r->conn && code == CURLE_OK)
            http_conn_opened(r->conn);
        else
            req_finish(r, code);
    }
}

static void start_waiting(struct http *h)
{
    struct http_req *r;
    while ((r = TAILQ_FIRST(&h->waiting))) {
        if (curl_multi_add_handle(h->multi, r->easy) == CURLM_OK)
            req_move(r, REQ_RUNNING);
        else
            req_finish(r, CURLE_OUT_OF_MEMORY); /* all that can go wrong with a fresh handle */
    }
}

static void cancel_all(struct http_reqs *list)
{
    struct http_req *r;
    while ((r = TAILQ_FIRST(list)))
        http_cancel(r);
}

static void pool_release(struct http *h)
{
    cancel_all(&h->waiting);
    cancel_all(&h->running);
    curl_multi_cleanup(h->multi); /* may still close sockets of ours */
    http_sockets_release(&h->sockets);
    timer_free(h->timer);
    timer_free(h->kick);
    free(h->ca_file);
    free(h->proxy);
    free(h);
    curl_global_cleanup();
}

void http_enter(struct http *h)
{
    h->busy++;
}

void http_leave(struct http *h)
{
    if (--h->busy == 0 && h->freed)
        pool_release(h);
}

static void settle(struct http *h)
{
    http_enter(h);
    drop_cancelled(h);
    http_flow_wake(h);
    finish_done(h);
    start_waiting(h);
    http_leave(h);
}

void http_turn(struct http *h, curl_socket_t fd, int events)
{
    int running;
    http_enter(h);
    h->in_curl = true;
    curl_multi_socket_action(h->multi, fd, events, &running);
    h->in_curl = false;
    settle(h);
    http_leave(h);
}

static void on_curl_timer(void *ctx)
{
    http_turn(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int set_curl_timer(CURLM *multi, long ms, void *ctx)
{
    struct http *h = ctx;
    (void)multi;
    if (ms < 0)
        timer_stop(h->timer);
    else
        timer_start(h->timer, ms);
    return 0;
}

static void on_kick(void *ctx)
{
    settle(ctx);
}

/* The deadline moves with every byte; the timer only looks when it fires. A loop that was kept
 * from running finds its timers due before it has looked at its sockets, where the bytes may lie:
 * so what looks like silence is looked at once more, behind the sockets and the drain set. */
static void on_silence(void *ctx)
{
    struct http_req *r = ctx;
    struct http *h = r->h;
    if (r->held || r->starved)
        r->last_byte_ms = loop_now_ms(h->loop);
    int64_t left = r->last_byte_ms + r->silence_ms - loop_now_ms(h->loop);
    bool doubted = r->doubted;
    r->doubted = left <= 0;
    if (left > 0 || !doubted) {
        timer_start(r->silence, left > 0 ? left : 1 + 2 * h->sockets.drain_ms);
        return;
    }
    http_enter(h);
    r->failure = ERR_TIMEOUT;
    req_finish(r, CURLE_OPERATION_TIMEDOUT);
    settle(h);
    http_leave(h);
}

/* --- public --- */

static bool copy_text(const char *from, char **to)
{
    *to = from ? str_dup(str_of(from)) : NULL;
    return *to || !from;
}

/* What http_free() needs; the rest may be missing. */
static struct http *pool_alloc(struct loop *l)
{
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->loop = l;
    TAILQ_INIT(&h->waiting);
    TAILQ_INIT(&h->running);
    TAILQ_INIT(&h->dropped);
    return h;
}

static bool pool_setup(struct http *h, const struct http_opts *opts)
{
    long multiplexed = (long)(opts->max_multiplexed ? opts->max_multiplexed : HTTP_MULTIPLEXED);
    h->version = opts->version;
    h->multi = curl_multi_init();
    h->timer = timer_new(h->loop, on_curl_timer, h);
    h->kick = timer_new(h->loop, on_kick, h);
    if (!h->multi || !h->timer || !h->kick || !http_sockets_init(h, opts->drain_ms) ||
        !copy_text(opts->ca_file, &h->ca_file) || !copy_text(opts->proxy, &h->proxy))
        return false;
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, multiplexed);
    return true;
}

/* Requests carry keys and tokens, and libcurl makes copies of them: none is left behind. */
static void wipe_free(void *p)
{
    if (p)
        sodium_memzero(p, malloc_usable_size(p));
    free(p);
}

static void *wipe_realloc(void *p, size_t n)
{
    size_t had = p ? malloc_usable_size(p) : 0;

    if (p && n <= had)
        return p;
    void *more = malloc(n);
    if (more && p) {
        memcpy(more, p, had);
        wipe_free(p);
    }
    return more;
}

enum err_code http_new(struct loop *l, const struct http_opts *opts, struct http **out,
                       struct err *err)
{
    static const struct http_opts defaults;
    if (!opts)
        opts = &defaults;
    if (opts->ca_file && access(opts->ca_file, R_OK) != 0)
        return err_set(err, ERR_CONFIG, "cannot read '%s': %s; name a PEM file of authorities",
                       opts->ca_file, strerror(errno));
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_free, wipe_realloc, strdup,
                             calloc) != CURLE_OK)
        return err_set(err, ERR_NOMEM, "start libcurl");
    struct http *h = pool_alloc(l);
    if (!h) {
        curl_global_cleanup();
        return err_set(err, ERR_NOMEM, "make the HTTP pool");
    }
    if (!pool_setup(h, opts)) {
        pool_release(h);
        return err_set(err, ERR_NOMEM, "make the HTTP pool");
    }
    *out = h;
    return ERR_OK;
}

void http_free(struct http *h)
{
    if (!h || h->freed)
        return;
    if (h->busy == 0) {
        pool_release(h);
        return;
    }
    h->freed = true; /* leave() does the rest */
    cancel_all(&h->waiting);
    cancel_all(&h->running);
}

enum err_code http_start(struct http *h, const struct http_call *call, const struct http_events *ev,
                         void *ctx, struct http_req **out, struct err *err)
{
    char *name;
    enum err_code rc = http_call_check(call, &name, err);
    if (rc != ERR_OK)
        return rc;
    struct http_req *r = calloc(1, sizeof *r);
    if (!r) {
        free(name);
        return err_set(err, ERR_NOMEM, "start an HTTP request");
    }
    *r = (struct http_req){.h = h, .state = REQ_DONE, .ev = *ev, .ctx = ctx, .name = name};
    r->body = BUF_INIT(call->max_body ? call->max_body : HTTP_MAX_BODY);
    r->silence_ms = call->silence_ms;
    r->drains =
        call->stream && !call->bulk && h->sockets.drain_ms > 0 && h->version != HTTP_VERSION_2;
    r->last_byte_ms = loop_now_ms(h->loop);
    r->easy = curl_easy_init();
    if (call->silence_ms > 0)
        r->silence = timer_new(h->loop, on_silence, r);
    if (!r->easy || (call->silence_ms > 0 && !r->silence) ||
        http_call_setup(r, call, err) != ERR_OK) {
        req_release(r);
        return err_set(err, ERR_NOMEM, "start an HTTP request");
    }
    if (r->silence)
        timer_start(r->silence, r->silence_ms);
    req_move(r, REQ_WAITING);
    count_req(h, 1);
    timer_start(h->kick, 0);
    *out = r;
    return ERR_OK;
}
