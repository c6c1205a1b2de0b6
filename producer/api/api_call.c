/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the API: each runs the loop until its answer is there. */
#include <string.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/uuid.h"
#include "producer/api/api_client.h"
#include "producer/show/waiting.h"
#include "common/banned.h"

enum {
    SILENCE_MS = 60 * 1000,
    BACKOFF_MS = 200,
    BACKOFF_CAP_MS = 3000,
    MEMBERS = 32,
    YOUNG_MS = 60 * 1000,
};

struct pending { /* one try */
    struct api_client *a;
    struct http_req *req;
    struct buf *out;
    api_piece_fn *piece; /* NULL: the body goes to out */
    void *ctx;
    struct api_problem problem;
    struct err err;
    int status; /* of the answer; 0: there was none */
    bool done, stopped;
};

static void on_piece(void *ctx, struct str piece)
{
    struct pending *p = ctx;

    if (p->stopped || p->piece(p->ctx, piece))
        return;
    p->stopped = true;
    loop_stop(api_client_loop(p->a));
}

/* The way there failed: told with the address, for that may be what is wrong. */
static void unreachable(struct pending *p, const struct err *e)
{
    p->err = *e;
    err_wrap(&p->err, "sandfleet-api at %s", api_client_url(p->a));
}

void api_refused(const struct api_client *a, const struct http_answer *answer,
                 struct api_problem *problem, struct err *err)
{
    api_problem_read(answer->status, answer->body, problem, err);
    if (err->code == ERR_UNAUTHORIZED && !api_client_has_key(a))
        err_set(err, ERR_UNAUTHORIZED,
                "sandfleet-api wants a key: set SANDFLEET_API_KEY, or name its file by "
                "--api-key-file");
    err->retry_ms = answer->retry_after_ms;
}

static void on_done(void *ctx, const struct http_answer *answer, const struct err *e)
{
    struct pending *p = ctx;

    p->done = true;
    p->req = NULL;
    loop_stop(api_client_loop(p->a));
    if (e->code != ERR_OK)
        return unreachable(p, e);
    p->status = answer->status;
    if (answer->status >= 200 && answer->status < 300) {
        if (p->out)
            buf_addstr(p->out, answer->body);
        return;
    }
    api_refused(p->a, answer, &p->problem, &p->err);
}

static enum err_code try_once(struct pending *p, const struct http_call *call, struct err *err)
{
    const struct http_events ev = {.data = p->piece ? on_piece : NULL, .done = on_done};

    p->done = false;
    p->err = ERR_INIT;
    if (http_start(api_client_http(p->a), call, &ev, p, &p->req, err) != ERR_OK)
        return err->code == ERR_INVALID ? err_set(err, ERR_USAGE, "--api-url '%.60s' is no address",
                                                  api_client_url(p->a))
                                        : err->code;
    loop_run(api_client_loop(p->a));
    if (!p->done) { /* somebody else stopped the loop, or we did */
        http_cancel(p->req);
        p->req = NULL;
    }
    if (!p->done || p->stopped)
        return err_set(err, ERR_CANCELLED, "stopped");
    *err = p->err;
    return err->code;
}

static void on_rested(void *ctx)
{
    loop_stop(ctx);
}

bool api_rest(struct api_client *a, int64_t ms)
{
    struct timer *t = timer_new(api_client_loop(a), on_rested, api_client_loop(a));
    bool rested;

    if (!t)
        return false;
    timer_start(t, ms);
    loop_run(api_client_loop(a));
    rested = !timer_pending(t);
    timer_free(t);
    return rested;
}

/* The server answered that it cannot now, and did nothing: it is asked again. One that is not there
 * at all is not. */
static bool worth_another(const struct pending *p)
{
    return p->problem.retryable && (p->status == 503 || p->status == 429);
}

bool api_run_is_young(struct str run_id)
{
    int64_t made_ms, age;

    if (!uuid_v7_ms(run_id, &made_ms))
        return false;
    age = clock_wall_ms() - made_ms;
    return age < YOUNG_MS && age > -YOUNG_MS;
}

static bool not_known_yet(const struct pending *p, const char *path)
{
    static const char runs[] = "/v1/runs/";
    struct str id;

    if (p->status != 404 || strcmp(p->problem.code, "not_found") != 0 ||
        !str_starts(str_of(path), runs))
        return false;
    id = str_of(path + strlen(runs));
    id.n = id.n < UUID_TEXT - 1 ? id.n : UUID_TEXT - 1;
    return api_run_is_young(id);
}

static const char *why_again(const struct pending *p)
{
    return p->status == 404   ? "waiting, 10 s at most: the API does not know the young run yet"
           : p->status == 429 ? "waiting, 10 s at most: the API was asked too often"
                              : "waiting, 10 s at most: the API is not ready";
}

static enum err_code do_call(struct pending *p, const struct api_call *call, struct err *err)
{
    struct backoff backoff = BACKOFF_INIT(BACKOFF_MS, BACKOFF_CAP_MS);
    int64_t until = loop_now_ms(api_client_loop(p->a)) + API_PATIENCE_MS;
    struct waiting_row row = {0};
    struct api_request r;
    enum err_code rc = api_request_make(p->a, call, &r, err);

    if (p->piece) {
        r.call.total_ms = 0;
        r.call.silence_ms = SILENCE_MS;
    }
    while (rc == ERR_OK) {
        int64_t wait;

        *err = ERR_INIT;
        p->status = 0;
        if (try_once(p, &r.call, err) == ERR_OK ||
            !(worth_another(p) || not_known_yet(p, call->path)))
            break;
        wait = err->retry_ms > 0 ? err->retry_ms : backoff_next_ms(&backoff);
        if (loop_now_ms(api_client_loop(p->a)) + wait > until)
            break;
        waiting_show(&row, api_client_is_quiet(p->a), why_again(p));
        if (!api_rest(p->a, wait))
            break;
    }
    waiting_end(&row);
    api_request_release(&r);
    if (p->status)
        api_problem_subject(call->path, err);
    return err->code;
}

enum err_code api_call(struct api_client *a, const struct api_call *call, struct buf *out,
                       struct api_problem *problem, struct err *err)
{
    struct pending p = {.a = a, .out = out};

    do_call(&p, call, err);
    if (problem)
        *problem = p.problem;
    if (err->code == ERR_OK && out && out->rc != ERR_OK)
        return err_set(err, out->rc, "the answer is over %zu bytes", out->max);
    return err->code;
}

enum err_code api_get(struct api_client *a, const char *path, cJSON **out, struct err *err)
{
    const struct api_call call = {.path = path};
    AUTO_BUF body = BUF_INIT(API_ANSWER_MAX);

    if (api_call(a, &call, &body, NULL, err) != ERR_OK)
        return err->code;
    if (json_parse(buf_str(&body), 0, out, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL,
                       "sandfleet-api at %s answers no JSON; is --api-url right?",
                       api_client_url(a));
    return ERR_OK;
}

enum err_code api_get_text(struct api_client *a, const char *path, struct buf *out,
                           const char *name, struct str *member, struct err *err)
{
    const struct api_call call = {.path = path};
    struct json_member m[MEMBERS];
    struct json_scan scan;

    if (api_call(a, &call, out, NULL, err) != ERR_OK)
        return err->code;
    if (json_scan(buf_str(out), m, MEMBERS, &scan, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL,
                       "sandfleet-api at %s answers no JSON; is --api-url right?",
                       api_client_url(a));
    *member = json_member(m, scan.n_members < MEMBERS ? scan.n_members : MEMBERS, name);
    return ERR_OK;
}

enum err_code api_pipe(struct api_client *a, const char *path, const char *accept, api_piece_fn *fn,
                       void *ctx, struct err *err)
{
    const struct api_call call = {.path = path, .accept = accept};
    struct pending p = {.a = a, .piece = fn, .ctx = ctx};

    return do_call(&p, &call, err);
}

struct lines {
    struct buf rest; /* of a line that is still to come */
    api_line_fn *fn;
    void *ctx;
    bool stopped;
};

static bool on_lines(void *ctx, struct str piece)
{
    struct lines *l = ctx;

    while (piece.n && !l->stopped && l->rest.rc == ERR_OK) {
        const char *end = memchr(piece.p, '\n', piece.n);
        size_t n = end ? (size_t)(end - piece.p) : piece.n;

        buf_add(&l->rest, piece.p, n);
        piece = (struct str){piece.p + n + (end != NULL), piece.n - n - (end != NULL)};
        if (!end || l->rest.rc != ERR_OK)
            break;
        l->stopped = !l->fn(l->ctx, buf_str(&l->rest));
        buf_clear(&l->rest);
    }
    return !l->stopped && l->rest.rc == ERR_OK;
}

enum err_code api_pipe_lines(struct api_client *a, const char *path, const char *accept,
                             api_line_fn *fn, void *ctx, struct err *err)
{
    struct lines l = {.rest = BUF_INIT(API_LINE_MAX), .fn = fn, .ctx = ctx};
    enum err_code rc = api_pipe(a, path, accept, on_lines, &l, err);

    if (l.rest.rc != ERR_OK)
        rc = err_set(err, l.rest.rc, "a line of the answer is over %d bytes", API_LINE_MAX);
    else if (rc == ERR_OK && l.rest.len && !fn(ctx, buf_str(&l.rest)))
        rc = err_set(err, ERR_CANCELLED, "stopped");
    buf_release(&l.rest);
    return rc;
}
