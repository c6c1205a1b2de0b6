/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/api_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/uuid.h"
#include "producer/api/api_event.h"
#include "producer/api/sse.h"
#include "common/banned.h"

enum {
    MESSAGE_MAX = 8 << 20,  /* an event's data is under a megabyte */
    SILENCE_MS = 45 * 1000, /* a comment comes every 15 s */
    BACKOFF_MS = 250,
    YOUNG_MS = 60, /* a run that was submitted just now will be known in a moment */
    BACKOFF_CAP_MS = 10 * 1000,
    PATIENCE_MS = 120 * 1000
};

struct api_stream {
    struct api_client *api;
    const struct api_stream_events *ev;
    void *ctx;
    struct http_req *req;
    struct timer *again;
    struct sse sse;
    struct backoff backoff;
    char run_id[UUID_TEXT];
    int64_t sequence, contact_ms, patience_ms;
    bool young, over;
    struct err broken; /* why this connection is of no use any more */
};

static void give_up(struct api_stream *s, const struct err *e)
{
    s->over = true;
    s->ev->failed(s->ctx, e);
}

/* --- messages ------------------------------------------------------------------- */

/* `event: error`: the server says why it breaks off. */
static void on_problem(struct api_stream *s, struct str data)
{
    AUTO_JSON *doc = NULL;
    struct err unused = ERR_INIT;
    int64_t status = 503;

    if (json_parse(data, 0, &doc, &unused) == ERR_OK)
        json_get_int(doc, "status", &status);
    api_problem_read((int)status, data, NULL, &s->broken);
}

static void on_end(struct api_stream *s, struct str data)
{
    AUTO_JSON *doc = NULL;
    struct err unused = ERR_INIT;
    const char *state = NULL;

    if (json_parse(data, 0, &doc, &unused) == ERR_OK)
        state = json_get_string(doc, "state");
    s->over = true;
    s->ev->ended(s->ctx, state ? state : "?");
}

static void on_message(struct api_stream *s, const struct sse_message *m)
{
    struct event_view v;
    int64_t sequence;

    if (strcmp(m->event, "end") == 0)
        return on_end(s, m->data);
    if (strcmp(m->event, "error") == 0)
        return on_problem(s, m->data);
    if (strcmp(m->event, "message") != 0) /* a newer server's */
        return;
    if (api_event_read(m->data, &v, &sequence, &s->broken) != ERR_OK)
        return;
    if (sequence <= s->sequence) /* a repeat */
        return;
    s->sequence = sequence;
    s->ev->event(s->ctx, &v, sequence, m->data);
}

static void come_again(struct api_stream *s, struct err *e);

/* What came makes no sense, or is a reason to break off: this connection is of no use. */
static void cut(struct api_stream *s)
{
    struct err why = s->broken;

    http_cancel(s->req);
    s->req = NULL;
    come_again(s, &why);
}

static void on_data(void *ctx, struct str piece)
{
    struct api_stream *s = ctx;
    struct sse_message m;

    s->contact_ms = loop_now_ms(api_client_loop(s->api));
    s->young = false;
    s->backoff = BACKOFF_INIT(BACKOFF_MS, BACKOFF_CAP_MS);
    while (!s->over && s->broken.code == ERR_OK)
        switch (sse_next(&s->sse, &piece, &m)) {
        case SSE_MORE:
            return;
        case SSE_MESSAGE:
            on_message(s, &m);
            break;
        case SSE_FULL:
            err_set(&s->broken, ERR_PROTOCOL, "the API sent an event of over %d bytes",
                    MESSAGE_MAX);
            break;
        }
    if (!s->over)
        cut(s);
}

/* --- connections ---------------------------------------------------------------- */

static bool worth_another(const struct api_stream *s, const struct err *e)
{
    switch (err_action(e->code)) {
    case ERR_DO_RETRY:
        return e->code != ERR_PROTOCOL;
    case ERR_DO_REJECT:
        return s->young && e->code == ERR_NOT_FOUND;
    case ERR_DO_NONE: /* it just ended, without saying that the run has */
        return true;
    case ERR_DO_STOP:
        break;
    }
    return false;
}

static void come_again(struct api_stream *s, struct err *e)
{
    int64_t wait = backoff_next_ms(&s->backoff);
    int64_t idle = loop_now_ms(api_client_loop(s->api)) - s->contact_ms;

    if (e->retry_ms > wait)
        wait = e->retry_ms;
    if (s->sse.retry_ms > wait)
        wait = s->sse.retry_ms;
    if (!worth_another(s, e) || idle + wait >= s->patience_ms) {
        if (e->code == ERR_OK)
            err_set(e, ERR_UNAVAILABLE, "the events of run '%s' stopped before its end", s->run_id);
        return give_up(s, e);
    }
    if (s->ev->away && e->code != ERR_OK)
        s->ev->away(s->ctx, e, wait);
    timer_start(s->again, wait);
}

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct api_stream *s = ctx;
    struct err why = *e;

    s->req = NULL;
    if (s->over)
        return;
    if (e->code == ERR_OK && a->status != 200) {
        AUTO_BUF path = BUF_INIT(512);

        api_refused(s->api, a, NULL, &why);
        api_path(&path, "/v1/runs/%s", s->run_id);
        api_problem_subject(path.p, &why);
    } else if (e->code != ERR_OK) {
        err_wrap(&why, "sandfleet-api at %s", api_client_url(s->api));
    }
    come_again(s, &why);
}

static void connect_now(void *ctx)
{
    static const struct http_events ev = {.data = on_data, .done = on_done};
    struct api_stream *s = ctx;
    struct api_request r;
    struct err err = ERR_INIT;
    char last[24];
    AUTO_BUF path = BUF_INIT(512);

    sse_restart(&s->sse);
    s->broken = ERR_INIT;
    snprintf(last, sizeof(last), "%" PRId64, s->sequence);
    api_path(&path, "/v1/runs/%s/events", s->run_id);
    const struct api_call call = {
        .path = path.p, .accept = "text/event-stream", .last_event_id = last};
    if (api_request_make(s->api, &call, &r, &err) == ERR_OK) {
        r.call.stream = true;
        r.call.total_ms = 0;
        r.call.silence_ms = SILENCE_MS;
        if (http_start(api_client_http(s->api), &r.call, &ev, s, &s->req, &err) != ERR_OK)
            s->req = NULL;
    }
    api_request_release(&r);
    if (err.code != ERR_OK)
        give_up(s, &err);
}

enum err_code api_stream_start(struct api_client *a, const struct api_stream_opts *opts,
                               const struct api_stream_events *ev, void *ctx,
                               struct api_stream **out, struct err *err)
{
    struct api_stream *s = calloc(1, sizeof(*s));

    if (!s)
        return err_set(err, ERR_NOMEM, "cannot follow run '%s'", opts->run_id);
    *s = (struct api_stream){.api = a,
                             .ev = ev,
                             .ctx = ctx,
                             .backoff =
                                 BACKOFF_INIT(opts->young ? YOUNG_MS : BACKOFF_MS, BACKOFF_CAP_MS),
                             .sequence = opts->since,
                             .contact_ms = loop_now_ms(api_client_loop(a)),
                             .patience_ms = opts->patience_ms ? opts->patience_ms : PATIENCE_MS,
                             .young = opts->young};
    snprintf(s->run_id, sizeof(s->run_id), "%s", opts->run_id);
    sse_init(&s->sse, MESSAGE_MAX);
    s->again = timer_new(api_client_loop(a), connect_now, s);
    if (!s->again) {
        api_stream_free(s);
        return err_set(err, ERR_NOMEM, "cannot follow run '%s'", opts->run_id);
    }
    timer_start(s->again, 0);
    *out = s;
    return ERR_OK;
}

int64_t api_stream_sequence(const struct api_stream *s)
{
    return s->sequence;
}

void api_stream_free(struct api_stream *s)
{
    if (!s)
        return;
    http_cancel(s->req);
    if (s->again)
        timer_free(s->again);
    sse_release(&s->sse);
    free(s);
}
