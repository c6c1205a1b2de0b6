/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/connect_rpc.h"

#include <string.h>

#include "common/json/json.h"
#include "worker/run/json_walk.h"

#include "common/banned.h"

enum { HEAD_BYTES = 5, KEPT_BYTES = 4 << 10 /* a longer frame's memory is given back */ };

void connect_frame_put(struct buf *out, unsigned flags, struct str message)
{
    uint32_t n = (uint32_t)message.n;
    const char head[HEAD_BYTES] = {(char)flags, (char)(n >> 24), (char)(n >> 16), (char)(n >> 8),
                                   (char)n};

    buf_add(out, head, sizeof(head));
    buf_addstr(out, message);
}

static size_t body_length(const struct connect_reader *r)
{
    return (size_t)r->head[1] << 24 | (size_t)r->head[2] << 16 | (size_t)r->head[3] << 8 |
           r->head[4];
}

static struct str take(struct str *piece, size_t n)
{
    struct str taken = {piece->p, n < piece->n ? n : piece->n};

    piece->p += taken.n;
    piece->n -= taken.n;
    return taken;
}

static enum connect_step broken(struct err *err, const char *what)
{
    (void)err_set(err, ERR_PROTOCOL, "stream frame: %s", what);
    return CONNECT_BROKEN;
}

static enum connect_step check_head(struct connect_reader *r, struct err *err)
{
    if (r->ended)
        return broken(err, "data behind the end frame");
    if (r->head[0] & CONNECT_COMPRESSED)
        return broken(err, "compressed, which was not asked for");
    if (r->head[0] & ~CONNECT_END)
        return broken(err, "unknown flags");
    if (body_length(r) > CONNECT_FRAME_MAX_BYTES)
        return broken(err, "longer than the ceiling");
    return CONNECT_FRAME;
}

static enum connect_step give(struct connect_reader *r, struct str message,
                              struct connect_frame *out)
{
    *out = (struct connect_frame){.flags = r->head[0], .message = message};
    r->ended = (r->head[0] & CONNECT_END) != 0;
    r->have = 0;
    r->given = true;
    return CONNECT_FRAME;
}

static void forget_body(struct connect_reader *r)
{
    if (r->body.cap > KEPT_BYTES)
        buf_release(&r->body);
    else
        buf_clear(&r->body);
    r->given = false;
}

enum connect_step connect_next(struct connect_reader *r, struct str *piece,
                               struct connect_frame *out, struct err *err)
{
    size_t length;

    if (r->given)
        forget_body(r);
    if (r->have < HEAD_BYTES) {
        struct str part = take(piece, HEAD_BYTES - r->have);

        if (part.n > 0)
            memcpy(r->head + r->have, part.p, part.n);
        r->have += part.n;
        if (r->have < HEAD_BYTES)
            return CONNECT_MORE;
        if (check_head(r, err) == CONNECT_BROKEN)
            return CONNECT_BROKEN;
    }
    length = body_length(r);
    if (r->body.len == 0 && piece->n >= length) /* the whole frame is here: no copy */
        return give(r, take(piece, length), out);
    buf_addstr(&r->body, take(piece, length - r->body.len));
    if (r->body.rc != ERR_OK)
        return broken(err, "out of memory");
    return r->body.len == length ? give(r, buf_str(&r->body), out) : CONNECT_MORE;
}

void connect_reader_release(struct connect_reader *r)
{
    buf_release(&r->body);
}

static enum err_code check_object(struct str message, const char *what, struct err *err)
{
    struct json_scan scan;

    if (json_scan(message, NULL, 0, &scan, NULL) != ERR_OK || !scan.is_object)
        return err_set(err, ERR_PROTOCOL, "%s is no JSON object", what);
    return ERR_OK;
}

/* A "\/" inside would be valid JSON, but nobody writes it: better a broken stream, which
 * is read again another way, than bytes silently lost. */
static enum err_code read_data(struct str data, struct process_event *out, struct err *err)
{
    struct json_walk w = json_walk(data);
    struct json_member m;

    while (json_walk_member(&w, &m)) {
        if (str_is(m.key, "stdout"))
            out->kind = PROCESS_STDOUT;
        else if (str_is(m.key, "stderr"))
            out->kind = PROCESS_STDERR;
        else if (str_is(m.key, "pty"))
            out->kind = PROCESS_PTY;
        else
            continue;
        out->base64 = json_to_word(m.value, CONNECT_FRAME_MAX_BYTES);
        if (out->base64.n == 0 && !str_is(m.value, "\"\""))
            return err_set(err, ERR_PROTOCOL, "process event: its data is no base64 string");
        return ERR_OK;
    }
    return ERR_OK;
}

/* Defaults are left out by the other side: no exitCode is 0. */
static void read_end(struct str end, struct process_event *out)
{
    struct str code = json_walk_get(end, "exitCode");

    out->kind = PROCESS_END;
    out->exit_code = code.n > 0 && *code.p == '-' ? -1 : json_to_count(code);
}

/* Nearly all of a stream looks like this, byte for byte: between these two stands one JSON
 * string without escapes. False: it is read as any JSON is. */
static bool read_usual_data(struct str message, struct process_event *out)
{
    static const char head[] = "{\"event\":{\"data\":{\"std", tail[] = "\"}}}";
    enum { KIND_AT = sizeof(head) - 1, DATA_AT = KIND_AT + 6, TAIL_BYTES = sizeof(tail) - 1 };
    const char *p = message.p, *end;
    bool err_side;

    if (message.n < DATA_AT + TAIL_BYTES || memcmp(p, head, KIND_AT) != 0)
        return false;
    end = p + message.n - TAIL_BYTES;
    if (memcmp(end, tail, TAIL_BYTES) != 0)
        return false;
    err_side = memcmp(p + KIND_AT, "err\":\"", 6) == 0;
    if (!err_side && memcmp(p + KIND_AT, "out\":\"", 6) != 0)
        return false;
    out->base64 = (struct str){p + DATA_AT, (size_t)(end - p) - DATA_AT};
    out->kind = err_side ? PROCESS_STDERR : PROCESS_STDOUT;
    return !memchr(out->base64.p, '"', out->base64.n) &&
           !memchr(out->base64.p, '\\', out->base64.n);
}

enum err_code process_event_parse(struct str message, struct process_event *out, struct err *err)
{
    struct json_member m;
    struct json_walk w;

    *out = (struct process_event){0};
    if (read_usual_data(message, out))
        return ERR_OK;
    *out = (struct process_event){0};
    if (check_object(message, "process event", err) != ERR_OK)
        return ERR_PROTOCOL;
    w = json_walk(json_walk_get(str_trim(message), "event"));
    if (!json_walk_member(&w, &m))
        return ERR_OK;
    if (str_is(m.key, "data"))
        return read_data(m.value, out, err);
    if (str_is(m.key, "start")) {
        out->kind = PROCESS_START;
        out->pid = json_to_count(json_walk_get(m.value, "pid"));
    } else if (str_is(m.key, "end")) {
        read_end(m.value, out);
    } else if (str_is(m.key, "keepalive")) {
        out->kind = PROCESS_KEEPALIVE;
    }
    return ERR_OK;
}

enum err_code connect_end_parse(struct str message, struct connect_failure *out, struct err *err)
{
    struct str error;

    *out = (struct connect_failure){0};
    if (check_object(message, "end of stream", err) != ERR_OK)
        return ERR_PROTOCOL;
    error = json_walk_get(str_trim(message), "error");
    if (error.n == 0 || *error.p != '{')
        return ERR_OK;
    out->failed = true;
    json_to_text(json_walk_get(error, "code"), out->code, sizeof(out->code));
    json_to_text(json_walk_get(error, "message"), out->text, sizeof(out->text));
    return ERR_OK;
}
