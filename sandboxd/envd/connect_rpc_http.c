/* SPDX-License-Identifier: Apache-2.0 */
/* Connect's requests and answers as HTTP carries them. */
#include "sandboxd/envd/connect_rpc_http.h"

#include "common/json/json.h"
#include "common/gzip.h"

#include "common/banned.h"

enum { ERROR_TEXT_MAX = 16 << 10, ERROR_MAX = 6 * ERROR_TEXT_MAX + 128 }; /* all of it escaped */

bool request_rpc_ok(struct request *r)
{
    bool stream = (r->route->flags & ROUTE_STREAM) != 0, gzip;
    const char *version = request_header(r, "Connect-Protocol-Version");
    const char *encoding =
        request_header(r, stream ? "Connect-Content-Encoding" : "Content-Encoding");

    if (!rpc_version_ok(version))
        request_rpc_error(r, RPC_INVALID_ARGUMENT,
                          "Connect-Protocol-Version must be \"1\": got \"%.32s\"", version);
    else if (!rpc_encoding_ok(encoding, &gzip))
        request_rpc_error(r, RPC_UNIMPLEMENTED,
                          "unknown compression \"%.32s\": supported encodings are gzip", encoding);
    else
        return true;
    return false;
}

bool request_gzip(struct request *r)
{
    bool stream = (r->route->flags & ROUTE_STREAM) != 0, gzip;

    (void)rpc_encoding_ok(
        request_header(r, stream ? "Connect-Content-Encoding" : "Content-Encoding"), &gzip);
    return gzip;
}

void request_frames(struct request *r, struct buf *frames)
{
    AUTO_BUF packed = BUF_INIT(2 * frames->max);
    bool gzip = gzip_accepted(request_header(r, "Connect-Accept-Encoding")),
         first = r->response == NULL;

    if (gzip && rpc_compress(buf_str(frames), &packed, NULL) != ERR_OK)
        packed.rc = ERR_NOMEM;
    request_answer(r, 200, "application/connect+json", gzip ? &packed : frames);
    if (!first)
        return;
    (void)MHD_add_response_header(r->response, "Connect-Accept-Encoding", "gzip");
    if (gzip)
        (void)MHD_add_response_header(r->response, "Connect-Content-Encoding", "gzip");
}

void request_rpc_error(struct request *r, enum rpc_code code, const char *fmt, ...)
{
    AUTO_BUF text = BUF_INIT(ERROR_TEXT_MAX), body = BUF_INIT(ERROR_MAX);
    const char *message;
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    message = text.p != NULL ? text.p : "";
    if (r->route->flags & ROUTE_STREAM) {
        rpc_put_end_error(&body, code, message);
        request_frames(r, &body);
    } else {
        rpc_error_json(&body, code, message);
        request_json(r, rpc_http_status(code), &body);
    }
}

cJSON *request_message(struct request *r)
{
    AUTO_BUF room = BUF_INIT(RPC_MESSAGE_MAX);
    struct err e = ERR_INIT;
    struct str text;
    cJSON *m = NULL;

    if (rpc_open_request(buf_str(&r->body), request_gzip(r), &room, &text, &e) == ERR_OK &&
        json_parse(text, 0, &m, &e) == ERR_OK && cJSON_IsObject(m))
        return m;
    cJSON_Delete(m);
    request_rpc_error(r, rpc_code_of_err(e.code), "%s",
                      e.code != ERR_OK ? e.msg : "no JSON object");
    return NULL;
}
