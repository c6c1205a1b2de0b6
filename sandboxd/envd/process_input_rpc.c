/* SPDX-License-Identifier: Apache-2.0 */
/* envd's process.Process: what a process is given to read. A request is answered
 * when the process has taken it; a stream of input is read no faster than that. */
#include "sandboxd/server.h"

#include <stdlib.h>

#include "common/json/json.h"
#include "sandboxd/envd/process_rpc.h"

#include "common/banned.h"

static void write_failed(struct request *r, bool pty, const struct err *e)
{
    request_rpc_error(r, e->code == ERR_CAPACITY ? RPC_RESOURCE_EXHAUSTED : RPC_INTERNAL,
                      "error writing to %s: %s", pty ? "tty" : "stdin", e->msg);
}

/* *pty: for the words of what may fail later. */
static enum err_code give(struct process *p, struct input *in, bool *pty,
                          const struct input_want *want, struct err *err)
{
    *pty = in->pty;
    if (in->pty && !process_on_terminal(p))
        return err_set(err, ERR_INVALID,
                       "tty not assigned to process — input should be written to the stdin, "
                       "not the tty");
    if (!in->pty && process_on_terminal(p))
        return err_set(err, ERR_INVALID,
                       "tty assigned to process — input should be written to the pty, not the "
                       "stdin");
    return input_add(process_input(p), &in->bytes, want, err);
}

/* --- SendInput, CloseStdin ----------------------------------------------------- */

enum { INPUT_WAIT_MS = 60000 }; /* unless Connect-Timeout-Ms says otherwise */

struct sender { /* state of a unary request that waits */
    struct request *r;
    bool pty;
    struct input_part *waits;
    struct timer *deadline;
};

static void on_taken(void *ctx, const struct err *e)
{
    struct sender *s = ctx;

    s->waits = NULL;
    timer_stop(s->deadline);
    if (e->code == ERR_OK)
        request_done(s->r);
    else
        write_failed(s->r, s->pty, e);
}

/* As with the real daemon the bytes still go when the process reads, but nobody waits for that. */
static void on_deadline(void *ctx)
{
    struct sender *s = ctx;

    input_forget(s->waits);
    s->waits = NULL;
    request_rpc_error(s->r, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
}

static void sender_gone(struct request *r)
{
    struct sender *s = r->state;

    if (s->waits != NULL)
        input_forget(s->waits);
    timer_free(s->deadline);
    free(s);
}

static struct sender *sender_new(struct request *r)
{
    const struct server *server = r->app;
    struct sender *s = calloc(1, sizeof(*s));

    if (s != NULL)
        s->deadline = timer_new(server->fleet.loop, on_deadline, s);
    if (s == NULL || s->deadline == NULL) {
        free(s);
        request_rpc_error(r, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    s->r = r;
    r->state = s;
    r->gone = sender_gone;
    return s;
}

/* How long the request may wait; false: answered. */
static bool time_to_wait(struct request *r, int64_t *ms)
{
    struct err e = ERR_INIT;

    *ms = INPUT_WAIT_MS;
    if (rpc_timeout(request_header(r, "Connect-Timeout-Ms"), ms, &e) != ERR_OK)
        request_rpc_error(r, RPC_INVALID_ARGUMENT, "%s", e.msg);
    else if (*ms <= 0)
        request_rpc_error(r, RPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    else
        return true;
    return false;
}

static void done_or_wait(struct sender *s, int64_t ms)
{
    if (s->waits == NULL)
        request_done(s->r);
    else
        timer_start(s->deadline, ms);
}

void handle_send_input(struct request *r)
{
    AUTO_JSON *m = NULL;
    struct process *p = request_live_process(r, &m);
    struct sender *s = p != NULL ? sender_new(r) : NULL;
    struct input in = {.bytes = BUF_INIT(INPUT_MAX)};
    enum rpc_code code;
    struct err e = ERR_INIT;
    int64_t ms;

    if (s == NULL || !time_to_wait(r, &ms))
        return;
    const struct input_want want = {on_taken, s, &s->waits};
    if (input_read(m, &in, &code, &e) != ERR_OK)
        request_rpc_error(r, code, "%s", e.msg);
    else if (give(p, &in, &s->pty, &want, &e) != ERR_OK)
        write_failed(r, in.pty, &e);
    else
        done_or_wait(s, ms);
    buf_release(&in.bytes);
}

void handle_close_stdin(struct request *r)
{
    AUTO_JSON *m = NULL;
    struct process *p = request_live_process(r, &m);
    struct sender *s = p != NULL ? sender_new(r) : NULL;
    struct err e = ERR_INIT;
    int64_t ms;

    if (s == NULL || !time_to_wait(r, &ms))
        return;
    const struct input_want want = {on_taken, s, &s->waits};
    if (process_on_terminal(p))
        request_rpc_error(r, RPC_UNKNOWN,
                          "error closing stdin: cannot close stdin for PTY process — send Ctrl+D "
                          "(0x04) instead");
    else if (input_end(process_input(p), &want, &e) != ERR_OK)
        request_rpc_error(r, RPC_UNKNOWN, "error closing stdin: %s", e.msg);
    else
        done_or_wait(s, ms);
}

/* --- StreamInput ------------------------------------------------------------------ */

#define INPUT_STREAM_MAX (INT64_C(1) << 40) /* bytes of one body; they are not kept */

struct input_stream { /* state of its request */
    struct request *r;
    struct buf text; /* of the body, what is no whole message yet or has to wait */
    struct buf room; /* a message that came compressed */
    int pid;         /* 0: not started */
    bool gzip, pty;
    struct input_part *waits;
};

static void on_stream_taken(void *ctx, const struct err *e);

static void take_data(struct input_stream *s, struct sandbox *sb, const cJSON *body)
{
    const struct selector who = {.pid = s->pid};
    struct process *p = process_find(sb, &who);
    struct input in = {.bytes = BUF_INIT(INPUT_MAX)};
    const struct input_want want = {on_stream_taken, s, &s->waits};
    enum rpc_code code;
    struct err e = ERR_INIT;

    if (s->pid == 0)
        request_rpc_error(s->r, RPC_INVALID_ARGUMENT, "data before a start event");
    else if (p == NULL)
        request_rpc_error(s->r, RPC_NOT_FOUND, "process with pid %d not found", s->pid);
    else if (input_read(body, &in, &code, &e) != ERR_OK)
        request_rpc_error(s->r, code, "%s", e.msg);
    else if (give(p, &in, &s->pty, &want, &e) != ERR_OK)
        write_failed(s->r, in.pty, &e);
    buf_release(&in.bytes);
}

static void take_start(struct input_stream *s, struct sandbox *sb, const cJSON *body)
{
    const struct process *p = request_process(s->r, sb, body);

    if (p != NULL && process_alive(p))
        s->pid = process_pid(p);
    else if (p != NULL)
        request_rpc_error(s->r, RPC_NOT_FOUND, "process with pid %d not found", process_pid(p));
}

static void take_message(struct input_stream *s, const struct rpc_envelope *e)
{
    struct sandbox *sb = request_sandbox(s->r);
    AUTO_JSON *m = NULL;
    const cJSON *body;
    struct str text;
    struct err err = ERR_INIT;

    if (sb == NULL)
        return;
    if (rpc_message(e, s->gzip, &s->room, &text, &err) != ERR_OK ||
        json_parse(text, 0, &m, &err) != ERR_OK) {
        request_rpc_error(s->r, rpc_code_of_err(err.code), "%s", err.msg);
        return;
    }
    switch (input_event(m, &body)) {
    case INPUT_START:
        take_start(s, sb, body);
        break;
    case INPUT_DATA:
        take_data(s, sb, body);
        break;
    case INPUT_KEEPALIVE:
        break;
    case INPUT_OTHER:
        request_rpc_error(s->r, RPC_UNIMPLEMENTED, "invalid event type");
        break;
    }
}

/* Until one has to wait, or fails, or the next is not whole. */
static void take_messages(struct input_stream *s)
{
    struct str rest = buf_str(&s->text);
    struct rpc_envelope e;
    struct err err = ERR_INIT;
    bool whole = true;

    while (whole && s->waits == NULL && s->r->response == NULL) {
        if (rpc_next(&rest, &e, &whole, &err) != ERR_OK)
            request_rpc_error(s->r, rpc_code_of_err(err.code), "%s", err.msg);
        else if (whole)
            take_message(s, &e);
    }
    buf_drop(&s->text, s->text.len - rest.n);
}

static void on_stream_taken(void *ctx, const struct err *e)
{
    struct input_stream *s = ctx;

    s->waits = NULL;
    if (e->code != ERR_OK)
        write_failed(s->r, s->pty, e);
    else
        take_messages(s);
    if (s->waits == NULL)
        request_go_on(s->r);
}

static void stream_gone(struct request *r)
{
    struct input_stream *s = r->state;

    if (s->waits != NULL)
        input_forget(s->waits);
    buf_release(&s->text);
    buf_release(&s->room);
    free(s);
}

static void begin(struct request *r)
{
    struct input_stream *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        request_rpc_error(r, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *s = (struct input_stream){.r = r,
                               .text = BUF_INIT(2 * RPC_MESSAGE_MAX),
                               .room = BUF_INIT(RPC_MESSAGE_MAX),
                               .gzip = request_gzip(r)};
    r->state = s;
    r->gone = stream_gone;
    request_may_idle(r);
}

static void piece(struct request *r, struct str bytes)
{
    struct input_stream *s = r->state;

    buf_addstr(&s->text, bytes);
    if (s->text.rc != ERR_OK)
        request_rpc_error(r, RPC_RESOURCE_EXHAUSTED, "out of memory");
    take_messages(s);
    if (s->waits != NULL)
        request_hold(r);
}

const struct body_sink input_sink = {begin, piece, INPUT_STREAM_MAX};

void handle_stream_input(struct request *r)
{
    struct input_stream *s = r->state;
    AUTO_BUF frames = BUF_INIT(64);

    if (s->text.len > 0) {
        request_rpc_error(r, RPC_INVALID_ARGUMENT, "protocol error: incomplete envelope");
        return;
    }
    rpc_put_data(&frames, STR("{}"));
    rpc_put_end(&frames);
    request_frames(r, &frames);
}
