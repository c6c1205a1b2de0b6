/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDFLEET_API_INTERNAL_H
#define SANDFLEET_API_INTERNAL_H

#include "api/call.h"
#include "api/intake/intake.h"
#include "api/route.h"
#include "api/settings.h"
#include "common/http/http_server.h"
#include "common/kafka/kafka.h"
#include "common/loop.h"
#include "common/pg/pg.h"
#include "schema/topics.h"

enum {
    API_BODY_MAX = 1 << 20,        /* of a JSON body */
    API_BODIES_MAX = 128 << 20,    /* of all that are under way */
    API_ANSWER_MAX = 16 << 20,     /* of an answer that is no stream */
    API_HEADERS_MAX = 16 << 10,    /* of a request, names and values */
    API_TARGET_MAX = 8 << 10,      /* of its URL */
    API_CONNECTION_MAX = 32 << 10, /* what libmicrohttpd may keep of one */
    API_DATABASES_MAX = 64
};

struct keys;
struct metrics;

struct api {
    const struct settings *set;
    struct keys *keys; /* NULL: none is asked for */
    struct metrics *metrics;
    struct loop *loop;
    struct topics topics;
    struct pg *db[API_DATABASES_MAX];
    size_t n_db;
    struct feed *feed;
    struct streams *streams;
    struct waits *waits;
    struct producer *producer;
    struct intake_waiters waiters; /* for room in its queue */
    struct telling *notes, *audits;
    struct purge *purge;
    struct http_server *server;
    struct timer *drain;
    int64_t stop_by_ms;
    LIST_HEAD(, call) calls; /* under way */
    size_t n_calls;
    size_t bodies; /* bytes that their bodies may come to */
    bool stopping;
    struct err fatal;
};

/* The rows of the route table: routes.c. */
extern const struct route api_routes[];
extern const size_t api_routes_n;

/* The connection with the least before it; NULL: none is up. */
struct pg *api_db(const struct api *a);

/* NULL: no memory. It frees itself when r is gone and nothing refers to it: call_life.c */
struct call *call_new(struct http_request *r);
size_t calls_unanswered(const struct api *a); /* whose clients still wait */
/* At the end, when nothing comes back any more: those that something still refers to are freed. */
void calls_abandon(struct api *a);

/* http_server_opts of the door: call.c */
void call_begin(struct http_request *r);
void call_whole(struct http_request *r);
void call_refuse(struct http_request *r, int status, const char *why);

/* handlers: one file a noun */
void health_get(struct call *c);
void ready_get(struct call *c);
void contract_get(struct call *c);
void metrics_get(struct call *c);
void read_token_post(struct call *c);
void events_get(struct call *c);
void run_result(struct call *c);
void run_attempts(struct call *c);
void run_usage(struct call *c);
void sandboxes_ask(struct call *c);

#endif
