/* SPDX-License-Identifier: Apache-2.0 */
/* Connect's requests and answers as HTTP carries them; the route says whether the
 * method is unary or streams. */
#ifndef SANDFLEET_SANDBOXD_ENVD_CONNECT_RPC_HTTP_H
#define SANDFLEET_SANDBOXD_ENVD_CONNECT_RPC_HTTP_H

#include "sandboxd/envd/connect_rpc.h"
#include "sandboxd/web/web.h"

struct cJSON;

bool request_rpc_ok(struct request *r); /* version and compression; false: answered */
bool request_gzip(struct request *r);   /* what it sends is compressed so */

/* The one message of a request to a streaming method; NULL: answered. Yours. */
struct cJSON *request_message(struct request *r);

/* Whole frames as the answer, compressed if the client wants that; taken. */
void request_frames(struct request *r, struct buf *frames);
/* An error: with its HTTP status, or as the end of a stream. */
void request_rpc_error(struct request *r, enum rpc_code code, const char *fmt, ...) PRINTF(3, 4);

#endif
