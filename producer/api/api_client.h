/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of the HTTP API (schema/openapi.yaml): one address, one key. A call blocks: it
 * runs the loop until its answer is there. Single-threaded. */
#ifndef SANDFLEET_PRODUCER_API_API_CLIENT_H
#define SANDFLEET_PRODUCER_API_API_CLIENT_H

#include "common/http/http.h"
#include "common/json/json.h"
#include "common/loop.h"
#include "producer/api/api_problem.h"
#include "producer/client.h"

#define API_URL_DEFAULT "http://127.0.0.1:8080"

struct api_client; /* opaque */

/* By c's --api-url, --api-key, --api-ca-file, --tenant, which outlive it. ERR_USAGE: the URL is
 * none. */
enum err_code api_client_new(const struct client *c, struct api_client **out,
                             struct err *err) MUST_USE;
void api_client_free(struct api_client *a); /* NULL is fine */

struct loop *api_client_loop(struct api_client *a);
struct http *api_client_http(struct api_client *a);
const char *api_client_url(const struct api_client *a);
bool api_client_has_key(const struct api_client *a);
bool api_client_is_quiet(const struct api_client *a);

/* As client_fail(), with what to do next about an API. */
int api_fail(const struct err *e);

/* What an answer that is no success says; problem may be NULL. */
void api_refused(const struct api_client *a, const struct http_answer *answer,
                 struct api_problem *problem, struct err *err);

/* A request of this API, for http_start(): its URL, and the headers that every one has. */
enum { API_HEADERS = 6 };
struct api_request {
    struct buf url, accept;
    struct buf key; /* for Idempotency-Key */
    const char *headers[API_HEADERS];
    struct http_call call;
};

struct api_call {
    const char *method, *path;   /* NULL: GET; "/v1/runs?limit=2" */
    struct str body;             /* JSON; p NULL: none */
    const char *accept;          /* NULL: application/json */
    const char *idempotency_key; /* NULL: none */
    int64_t wait_ms;             /* the server may take so long for its answer, beyond the usual */
    const char *last_event_id;   /* of streams; NULL: none */
    bool once;                   /* must not be done twice: not sent again when a connection dies */
};
enum err_code api_request_make(struct api_client *a, const struct api_call *call,
                               struct api_request *out, struct err *err) MUST_USE;
void api_request_release(struct api_request *r);

/* Is this run's id (UUIDv7) of the last minute? Then the API may not know it yet: what was put on
 * Kafka is there once the sink has stored it. */
bool api_run_is_young(struct str run_id);

/* Done, its answer appended to out. A server that is not ready or asks for time is asked again, for
 * up to API_PATIENCE_MS, and so is one that does not know a run that is young. Errors:
 * api_problem_read(); ERR_UNAVAILABLE, ERR_TIMEOUT; ERR_CANCELLED when the loop was stopped
 * meanwhile. problem may be NULL. */
enum { API_PATIENCE_MS = 10 * 1000, API_ANSWER_MAX = 128 << 20 };
enum err_code api_call(struct api_client *a, const struct api_call *call, struct buf *out,
                       struct api_problem *problem, struct err *err) MUST_USE;
/* GET of a JSON document, yours: cJSON_Delete. */
enum err_code api_get(struct api_client *a, const char *path, cJSON **out,
                      struct err *err) MUST_USE;

/* The same as text, found to be JSON, appended to out; *member is the value of its member `name`.
 */
enum err_code api_get_text(struct api_client *a, const char *path, struct buf *out,
                           const char *name, struct str *member, struct err *err) MUST_USE;

/* GET of an answer of any length, piece by piece; false stops it (ERR_CANCELLED). */
typedef bool api_piece_fn(void *ctx, struct str piece);
enum err_code api_pipe(struct api_client *a, const char *path, const char *accept, api_piece_fn *fn,
                       void *ctx, struct err *err) MUST_USE;

/* The same in lines, without their newlines. A line over API_LINE_MAX is ERR_TOO_BIG. */
enum { API_LINE_MAX = 8 << 20 };
typedef bool api_line_fn(void *ctx, struct str line);
enum err_code api_pipe_lines(struct api_client *a, const char *path, const char *accept,
                             api_line_fn *fn, void *ctx, struct err *err) MUST_USE;

/* Runs the loop for so long; false: somebody else stopped it. */
bool api_rest(struct api_client *a, int64_t ms);

/* --- addresses ------------------------------------------------------------------ */
/* Starts a path: "/v1/batches/%s/results", each %s a percent-encoded word. */
void api_path(struct buf *out, const char *fmt, ...) PRINTF(2, 3);
/* "?name=value" or "&name=value"; value NULL or "": nothing. */
void api_query(struct buf *path, const char *name, const char *value);
void api_query_int(struct buf *path, const char *name, int64_t value);

#endif
