/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/gate.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"
#include "sandboxd/envd/connect_rpc.h"

#include "common/banned.h"

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
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->conn);
        web_kick(r->web);
    }
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

void request_json(struct request *r, int status, struct buf *body)
{
    request_answer(r, status, "application/json", body);
}

void request_empty(struct request *r, int status)
{
    if (r->effect.kind == FAULT_CUT) /* no body to cut it in */
        r->effect.after_bytes = -1;
    request_respond(r, status, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
}

void request_error(struct request *r, int status, const char *fmt, ...)
{
    AUTO_BUF text = BUF_INIT(4096), body = BUF_INIT(8192);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    buf_adds(&body, "{");
    json_kv_int(&body, "code", status);
    json_kv_str(&body, "message", buf_str(&text));
    buf_adds(&body, "}");
    request_json(r, status, &body);
}

cJSON *request_object(struct request *r)
{
    struct err e = ERR_INIT;
    cJSON *tree = NULL;
    struct str text = r->body.len > 0 ? buf_str(&r->body) : STR("{}");

    if (json_parse(text, 0, &tree, &e) == ERR_OK && cJSON_IsObject(tree))
        return tree;
    cJSON_Delete(tree);
    if (r->route->flags & ROUTE_UNARY) {
        AUTO_BUF body = BUF_INIT(4096);

        rpc_error_json(&body, RPC_INVALID_ARGUMENT, "the message is no JSON object");
        request_json(r, 400, &body);
    } else {
        request_error(r, 400, "the body is no JSON object: %s", e.msg);
    }
    return NULL;
}
