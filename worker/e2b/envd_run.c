/* SPDX-License-Identifier: Apache-2.0 */
/* A process as a stream: started by us, or joined. */
#include "worker/e2b/envd_internal.h"

#include <string.h>

#include "common/base64.h"
#include "common/json/json.h"

#include "common/banned.h"

enum { KEPT_BYTES = 4 << 10 };

static void give_output(struct envd_stream *s, struct str base64,
                        void (*to)(void *ctx, struct str bytes))
{
    if (base64_decode(base64, &s->bytes, &s->broken) != ERR_OK)
        (void)err_set(&s->broken, ERR_PROTOCOL, "sandbox process: its output is no base64");
    else if (s->bytes.len > 0 && to)
        to(s->ctx, buf_str(&s->bytes));
    if (s->bytes.cap > KEPT_BYTES) /* most frames hold a line or two */
        buf_release(&s->bytes);
    buf_clear(&s->bytes);
}

static void on_message(struct envd_stream *s, struct str json)
{
    const struct envd_stream_events *ev = &s->ev.process;
    struct process_event e;

    if (process_event_parse(json, &e, &s->broken) != ERR_OK)
        return;
    switch (e.kind) {
    case PROCESS_STDOUT:
    case PROCESS_PTY:
        give_output(s, e.base64, ev->out);
        return;
    case PROCESS_STDERR:
        if (ev->err_out)
            give_output(s, e.base64, ev->err_out);
        return;
    case PROCESS_END:
        s->exited = true;
        s->exit_code = e.exit_code;
        return;
    case PROCESS_KEEPALIVE:
        if (ev->idle)
            ev->idle(s->ctx);
        return;
    case PROCESS_START:
        if (ev->started)
            ev->started(s->ctx, e.pid);
        return;
    case PROCESS_OTHER:
        return;
    }
}

/* An exit that was told stands, whatever became of the connection behind it. */
static void on_ended(struct envd_stream *s, const struct err *e)
{
    static const struct err fine = {.code = ERR_OK};

    s->ev.process.ended(s->ctx, s->exit_code, s->exited ? &fine : e);
}

/* --- requests --------------------------------------------------------------- */

static void put_args(struct buf *b, const char *const *args)
{
    json_key(b, "args");
    buf_addc(b, '[');
    for (const char *const *a = args; *a; a++) {
        if (a != args)
            buf_addc(b, ',');
        json_put_string(b, str_of(*a));
    }
    buf_addc(b, ']');
}

static void put_env(struct buf *b, const char *const *env)
{
    json_key(b, "envs");
    buf_addc(b, '{');
    for (; *env; env++) {
        struct str value = str_of(*env), name = {0};
        AUTO_BUF key = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

        if (!str_next(&value, '=', &name))
            continue;
        buf_addstr(&key, name);
        if (key.rc == ERR_OK && key.p)
            json_kv_str(b, key.p, value);
        else
            b->rc = key.rc != ERR_OK ? key.rc : ERR_INVALID;
    }
    buf_addc(b, '}');
}

static void put_command(struct buf *b, const struct envd_command *c)
{
    buf_adds(b, "{\"process\":{");
    json_kv(b, "cmd", c->cmd);
    put_args(b, c->args);
    if (c->env)
        put_env(b, c->env);
    json_kv(b, "cwd", c->cwd);
    buf_addc(b, '}');
    json_kv(b, "tag", c->tag);
    if (c->pty.cols > 0) {
        json_key(b, "pty");
        buf_addf(b, "{\"size\":{\"cols\":%d,\"rows\":%d}}", c->pty.cols, c->pty.rows);
    }
    json_kv_bool(b, "stdin", c->with_stdin);
    buf_addc(b, '}');
}

enum err_code envd_run(struct envd *d, const struct envd_command *command,
                       const struct envd_stream_events *ev, void *ctx, struct envd_stream **out,
                       struct err *err)
{
    static const struct envd_stream_kind kind = {
        .method = "process.Process/Start", .message = on_message, .ended = on_ended};
    struct envd_stream *s = envd_stream_new(&kind, ctx);
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    put_command(&json, command);
    if (s)
        s->ev.process = *ev;
    return envd_stream_start(d, s, &json, out, err);
}

enum err_code envd_connect(struct envd *d, int64_t pid, const struct envd_stream_events *ev,
                           void *ctx, struct envd_stream **out, struct err *err)
{
    static const struct envd_stream_kind kind = {
        .method = "process.Process/Connect", .message = on_message, .ended = on_ended};
    struct envd_stream *s = envd_stream_new(&kind, ctx);
    AUTO_BUF json = BUF_INIT(ENVD_REQUEST_MAX_BYTES);

    buf_adds(&json, "{\"process\":{");
    json_kv_int(&json, "pid", pid);
    buf_adds(&json, "}}");
    if (s)
        s->ev.process = *ev;
    return envd_stream_start(d, s, &json, out, err);
}
