/* SPDX-License-Identifier: Apache-2.0 */
/* One request at the door: who asks, for what, and the answer. A handler answers once, now or
 * behind the database or Kafka; what comes back to a call whose client went away is dropped here,
 * so no handler asks for that. Single-threaded. */
#ifndef SANDFLEET_API_CALL_H
#define SANDFLEET_API_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <cjson/cJSON.h>

#include "api/intake/no_body.h"
#include "api/problem.h"
#include "api/route.h"
#include "common/http/http_server.h"
#include "common/pg/pg.h"
#include "common/uuid.h"
#include "schema/api_key.h"
#include "schema/run_request.h"

struct api;
struct waiter;

struct principal { /* who asks */
    char tenant[RUN_NAME_MAX_BYTES + 1];
    char key_id[API_KEY_ID];     /* "": none was asked for */
    uint8_t hash[API_KEY_BYTES]; /* of the key: what its read tokens are signed with */
    int64_t ends_ms;             /* loop_now_ms(): the key counts until then */
    bool may[PERMISSIONS];       /* by enum permission */
    bool any_tenant;             /* may name another tenant by ?tenant=; `tenant` is that then */
    char only_run[UUID_TEXT];    /* a read token: of this run; "": not one */
};

struct call {
    struct api *api;
    struct http_request *http;      /* NULL once the client is gone */
    const struct route *route;      /* NULL until found */
    struct str param[ROUTE_PARAMS]; /* of the path, decoded; each ends with a NUL */
    char id[UUID_TEXT];             /* X-Request-Id */
    struct principal who;

    char made[RUN_NAME_MAX_BYTES + 1]; /* what it made, for the audit; "": see param */
    int ok_status;                     /* of call_json_row(); 0: 200 */
    void *state;                       /* the handler's own */
    void (*release)(struct call *c);   /* NULL or: frees it, when nothing refers to the call */
    struct waiter *waiter;             /* wait.h's */
    size_t refs;                       /* private from here on */
    size_t body;                       /* of api->bodies */
    LIST_ENTRY(call) link;
    LIST_HEAD(, call_owned) owned;
    struct no_body none; /* what came where no body is wanted */
    int64_t began_us;
    char *params_text;
    pg_fn on_result;
};

/* Something refers to it that will come back: it stays until as many call_drop(). */
void call_keep(struct call *c);
void call_drop(struct call *c);
/* Memory for what comes back with it as ctx; zeroed when it goes, at the latest with the call.
 * NULL: there is none. */
void *call_own(struct call *c, size_t n);
void call_disown(void *p);               /* NULL is fine */
bool call_is_open(const struct call *c); /* the client is there, and not answered yet */

/* --- what was asked --- */

/* True when the query has no other parameters than these, each once, those with "*" behind their
 * name as often as they like (NULL ends them; what auth_check() reads, `tenant` and `access_token`,
 * is always fine); else answers 400. */
bool call_params(struct call *c, const char *const *names);
/* A query parameter as text, NUL-terminated, in `out`; *given tells whether it is there. False:
 * it is not valid UTF-8, holds a NUL or is too long, and was answered 400. */
bool call_text(struct call *c, const char *name, char *out, size_t room, bool *given);
/* A whole number of least..most, `def` if absent. False: answered 400. */
bool call_int(struct call *c, const char *name, int64_t least, int64_t most, int64_t def,
              int64_t *out);
/* The first parameter of the path as a run id; NULL: it is none, answered 404. */
const char *call_run_id(struct call *c);
/* The body as an object, yours; NULL: answered 400. An empty body counts as {}. */
cJSON *call_object(struct call *c);

/* --- the answer, once --- */

/* body is taken and left empty. */
void call_json(struct call *c, int status, struct buf *body);
void call_empty(struct call *c, int status);
void call_problem(struct call *c, enum problem p, const char *fmt, ...) PRINTF(3, 4);
/* The same with what of the request it is about: a JSON pointer, or a parameter's name. */
void call_problem_at(struct call *c, enum problem p, const char *pointer, const char *fmt, ...)
    PRINTF(4, 5);
/* All that is wrong with the body; n > 0, the first one gives the status. */
void call_problem_fields(struct call *c, const struct problem_field *fields, size_t n);
void call_failed(struct call *c, const struct err *e); /* by its code; 503 says when to come back */

/* --- the database --- */

/* Asks; fn(c, res, e) follows unless the client goes away. A failure is answered here, and fn is
 * only called with a result (e->code ERR_OK). */
void call_query(struct call *c, const struct pg_cmd *cmd, pg_fn fn);
/* The result's first value as the answer's JSON, 404 when there is no row. */
void call_json_row(void *ctx, PGresult *res, const struct err *e);

#endif
