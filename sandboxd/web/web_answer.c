/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/gate.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/json/json.h"
#include "sandboxd/envd/connect_rpc_http.h"
#include "common/gzip.h"

#include "common/banned.h"

enum { PACK_SLACK = 1024, ERROR_TEXT_MAX = 16 << 10 }; /* a message may name two paths */

static void resume(struct request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->conn);
    web_kick(r->web);
}

void request_hold(struct request *r)
{
    r->held = true; /* suspended when more comes */
}

void request_go_on(struct request *r)
{
    if (r->held)
        resume(r);
    r->held = false;
}

void request_may_idle(struct request *r)
{
    (void)MHD_set_connection_option(r->conn, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)WEB_STREAM_S);
}

void request_respond(struct request *r, int status, struct MHD_Response *response)
{
    if (r->response != NULL) { /* the first answer stands */
        if (response != NULL)
            MHD_destroy_response(response);
        return;
    }
    r->status = response != NULL ? status : 500;
    r->response = response != NULL
                      ? response
                      : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    resume(r);
}

void request_answer(struct request *r, int status, const char *type, struct buf *body)
{
    size_t n = body->len;
    bool whole = body->rc == ERR_OK;
    char *text = buf_take(body);
    struct MHD_Response *m = NULL;

    if (whole && text != NULL && r->effect.kind != FAULT_NONE) {
        m = gate_response(r, text, -1, 0, n);
        text = NULL;
    } else if (whole && text != NULL) {
        m = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
    }
    if (m == NULL)
        free(text);
    else if (type != NULL)
        (void)MHD_add_response_header(m, "Content-Type", type);
    request_respond(r, status, m);
}

struct MHD_Response *request_file(struct request *r, int fd, uint64_t from, uint64_t n)
{
    if (r->effect.kind != FAULT_NONE)
        return gate_response(r, NULL, fd, from, n);
    struct MHD_Response *m = MHD_create_response_from_fd_at_offset64(n, fd, from);
    if (m == NULL)
        (void)close(fd);
    return m;
}

static bool is_unary(const struct request *r)
{
    return r->route != NULL && (r->route->flags & ROUTE_UNARY) != 0;
}

/* False: body is as it was. */
static bool pack(struct buf *body)
{
    AUTO_BUF packed = BUF_INIT(body->max + PACK_SLACK);

    if (gzip_pack(buf_str(body), &packed, NULL) != ERR_OK)
        return false;
    struct buf plain = *body;
    *body = packed;
    packed = plain;
    return true;
}

void request_json(struct request *r, int status, struct buf *body)
{
    bool first = r->response == NULL;
    bool packed = is_unary(r) && status == 200 && body->rc == ERR_OK &&
                  gzip_accepted(request_header(r, "Accept-Encoding")) && pack(body);

    request_answer(r, status, "application/json", body);
    if (!first || !is_unary(r))
        return;
    (void)MHD_add_response_header(r->response, "Accept-Encoding", "gzip");
    if (packed)
        (void)MHD_add_response_header(r->response, "Content-Encoding", "gzip");
}

void request_empty(struct request *r, int status)
{
    if (r->effect.kind == FAULT_CUT) /* no body to cut it in */
        r->effect.after_bytes = -1;
    if (r->effect.kind == FAULT_HALF_OPEN)
        r->delay_ms = FAULT_MS_MAX;
    request_respond(r, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

static void answer_error(struct request *r, int status, const char *error_code, const char *fmt,
                         va_list ap) PRINTF(4, 0);
static void answer_error(struct request *r, int status, const char *error_code, const char *fmt,
                         va_list ap)
{
    AUTO_BUF text = BUF_INIT(ERROR_TEXT_MAX), body = BUF_INIT(6 * ERROR_TEXT_MAX + 128);

    buf_vaddf(&text, fmt, ap);
    buf_adds(&body, "{");
    json_kv_int(&body, "code", status);
    json_kv(&body, "error_code", error_code);
    json_kv_str(&body, "message", buf_str(&text));
    buf_adds(&body, "}");
    request_json(r, status, &body);
}

void request_error(struct request *r, int status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    answer_error(r, status, NULL, fmt, ap);
    va_end(ap);
}

void request_error_code(struct request *r, int status, const char *error_code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    answer_error(r, status, error_code, fmt, ap);
    va_end(ap);
}

/* The body, unpacked into `room` if it was compressed. */
static enum err_code plain_body(struct request *r, struct buf *room, struct str *text,
                                struct err *err)
{
    *text = r->body.len > 0 ? buf_str(&r->body) : STR("{}");
    if (!is_unary(r) || !request_gzip(r) || r->body.len == 0)
        return ERR_OK;
    enum err_code rc = gzip_unpack(buf_str(&r->body), room, err);
    *text = buf_str(room);
    return rc;
}

cJSON *request_object(struct request *r)
{
    AUTO_BUF room = BUF_INIT(WEB_BODY_MAX);
    struct err e = ERR_INIT;
    cJSON *tree = NULL;
    struct str text;

    if (plain_body(r, &room, &text, &e) == ERR_OK && json_parse(text, 0, &tree, &e) == ERR_OK &&
        cJSON_IsObject(tree))
        return tree;
    cJSON_Delete(tree);
    if (is_unary(r))
        request_rpc_error(r, rpc_code_of_err(e.code), "the message is no JSON object: %s", e.msg);
    else
        request_error(r, 400, "the body is no JSON object: %s", e.msg);
    return NULL;
}
