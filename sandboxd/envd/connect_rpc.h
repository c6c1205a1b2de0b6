/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of the Connect protocol with JSON: envelopes, end frames,
 * error codes, and the messages of process.Process that stream. Pure. */
#ifndef SANDFLEET_SANDBOXD_ENVD_CONNECT_RPC_H
#define SANDFLEET_SANDBOXD_ENVD_CONNECT_RPC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum { RPC_HEAD_BYTES = 5, RPC_MESSAGE_MAX = 16 << 20, RPC_KEEPALIVE_MAX_S = 86400 };

/* code as Connect spells it, HTTP status of a unary answer */
#define RPC_MAP(X)                                                                                 \
    X(INVALID_ARGUMENT, "invalid_argument", 400)                                                   \
    X(UNAUTHENTICATED, "unauthenticated", 401)                                                     \
    X(PERMISSION_DENIED, "permission_denied", 403)                                                 \
    X(NOT_FOUND, "not_found", 404)                                                                 \
    X(FAILED_PRECONDITION, "failed_precondition", 400)                                             \
    X(ALREADY_EXISTS, "already_exists", 409)                                                       \
    X(RESOURCE_EXHAUSTED, "resource_exhausted", 429)                                               \
    X(INTERNAL, "internal", 500)                                                                   \
    X(UNIMPLEMENTED, "unimplemented", 501)                                                         \
    X(UNAVAILABLE, "unavailable", 503)                                                             \
    X(UNKNOWN, "unknown", 500)                                                                     \
    X(DEADLINE_EXCEEDED, "deadline_exceeded", 504)

#define RPC_ENUM(name, text, status) RPC_##name,
enum rpc_code { RPC_MAP(RPC_ENUM) RPC_CODES };
#undef RPC_ENUM

const char *rpc_code_text(enum rpc_code c);
int rpc_http_status(enum rpc_code c);
enum rpc_code rpc_code_of_errno(int errnum);

enum rpc_code rpc_code_of_err(enum err_code c); /* what was wrong with a request */

struct rpc_envelope {
    bool compressed;
    struct str bytes; /* borrowed */
};
/* Takes the next data envelope off *rest. *whole false: more bytes are needed, *rest is
 * untouched. ERR_INVALID, ERR_TOO_BIG: never one. */
enum err_code rpc_next(struct str *rest, struct rpc_envelope *out, bool *whole,
                       struct err *err) MUST_USE;
/* The message in an envelope, borrowed from it or from `room`, which is emptied first. `gzip`:
 * the request named that compression. ERR_INVALID, ERR_TOO_BIG. */
enum err_code rpc_message(const struct rpc_envelope *e, bool gzip, struct buf *room,
                          struct str *message, struct err *err) MUST_USE;
/* The only message of a request to a streaming method: exactly one data envelope. */
enum err_code rpc_open_request(struct str body, bool gzip, struct buf *room, struct str *message,
                               struct err *err) MUST_USE;
/* Appends whole frames, each compressed. ERR_TOO_BIG, ERR_NOMEM. */
enum err_code rpc_compress(struct str frames, struct buf *out, struct err *err) MUST_USE;

void rpc_put_data(struct buf *out, struct str json);
void rpc_put_start(struct buf *out, int64_t pid);
void rpc_put_output(struct buf *out, const char *stream, struct str bytes); /* "stdout"… */
void rpc_put_keepalive(struct buf *out);
void rpc_put_exit(struct buf *out, int wait_status); /* as waitpid() gave it */
void rpc_put_end(struct buf *out);
void rpc_put_end_error(struct buf *out, enum rpc_code code, const char *message);
void rpc_error_json(struct buf *out, enum rpc_code code, const char *message);

/* Whole numbers of headers; NULL leaves *out. ERR_INVALID with what to answer.
 *   keepalive  Keepalive-Ping-Interval, seconds, to milliseconds
 *   timeout    Connect-Timeout-Ms; may be 0 or less: it has passed */
enum err_code rpc_keepalive(const char *text, int64_t *ms, struct err *err) MUST_USE;
enum err_code rpc_timeout(const char *text, int64_t *ms, struct err *err) MUST_USE;
/* A Connect-Protocol-Version, a Content-Encoding; NULL: none was sent. */
bool rpc_version_ok(const char *text);
bool rpc_encoding_ok(const char *text, bool *gzip);

#endif
