/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP in: libmicrohttpd in the loop. Routes a request, collects or passes on
 * its body under a ceiling, and sends what the handler answers, at once or
 * later. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_SANDBOXD_WEB_WEB_H
#define SANDFLEET_SANDBOXD_WEB_WEB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <microhttpd.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"
#include "sandboxd/web/faults.h"
#include "sandboxd/web/route.h"

enum {
    WEB_BODY_MAX = 16 << 20,     /* of a collected body, */
    WEB_OPEN_BODY_MAX = 4 << 10, /* and of one from who showed no key */
    WEB_CONNECTIONS_MAX = 8192,
    WEB_IDLE_S = 75,   /* a connection without a byte */
    WEB_STREAM_S = 900 /* a stream whose reader takes nothing */
};

/* What envd says to a wrong or missing token. */
#define REFUSED_TOKEN                                                                              \
    "unauthorized access, please provide a valid access token or method signing if supported"

struct web;
struct delay;
struct stream;

struct effect { /* a fault on the bytes of an answer */
    enum fault_kind kind;
    int64_t after_bytes, bytes_per_s;
};

struct body_sink {
    /* Each may answer: the body is then discarded; and request_hold(). */
    void (*begin)(struct request *r);
    void (*piece)(struct request *r, struct str piece);
    int64_t max_bytes; /* 0: web_opts.upload_max */
};

struct request { /* from its headers to the last byte of its answer */
    void *app;   /* web_opts.app */
    enum plane plane;
    const struct route *route; /* NULL until routed */
    struct str param;          /* what {} stood for */
    struct str sandbox_id;     /* PLANE_ENVD: from the headers; else empty */
    int port;
    struct buf body; /* collected; complete when the handler runs */

    void *state;                     /* the handler's own */
    void (*gone)(struct request *r); /* NULL or: called before it is freed */

    struct web *web; /* private from here on */
    LIST_ENTRY(request) link;
    struct stream *stream; /* the answer is one; NULL: not */
    struct MHD_Connection *conn;
    char *path;
    struct MHD_Response *response;
    int status;
    int64_t taken;
    bool dispatched, suspended, held;
    char guessed[32];     /* room for an id that no header holds */
    struct effect effect; /* of a scripted fault; kind FAULT_NONE: none */
    int64_t delay_ms;
    struct delay *delay;
};

struct web_opts {
    int listen_fd; /* taken */
    const struct route *routes;
    size_t n_routes;
    void *app;
    int64_t upload_max; /* bytes of a body that a sink takes */
    /* Before any of the body: whether this caller may go on; answers when not.
     * r->route is NULL when nothing answers there. */
    bool (*admit)(struct request *r);
    /* NULL, or: names the sandbox of a request that names none, by r->sandbox_id and r->port. May
     * answer. */
    bool (*guess)(struct request *r);
    /* Scripted faults, owned by the app; NULL, or pointing to NULL: none. */
    struct faults **faults;
    void (*lose)(struct request *r); /* FAULT_LOSE: kill the sandbox that r is about */
};

enum err_code web_new(struct loop *l, const struct web_opts *opts, struct web **out,
                      struct err *err) MUST_USE;
void web_free(struct web *w); /* every stream must have been cut */
/* Cuts the streams that answer requests to a sandbox. */
void web_cut(struct web *w, struct str sandbox_id);
void web_kick(struct web *w); /* libmicrohttpd has something to do that no socket tells it */

int64_t web_upload_max(const struct web *w);

/* From a body_sink: no more of the body comes, nor its end, until request_go_on() or an answer. */
void request_hold(struct request *r);
void request_go_on(struct request *r); /* not held: nothing */

const char *request_header(const struct request *r, const char *name); /* NULL: none */
/* A query value, decoded once; p NULL: none. ERR_INVALID when it holds a NUL. */
struct str request_query(const struct request *r, const char *name);

void request_may_idle(struct request *r); /* WEB_STREAM_S instead of WEB_IDLE_S */

/* The answer, now or later, once. `body` is taken and left empty. */
void request_answer(struct request *r, int status, const char *type, struct buf *body);
void request_json(struct request *r, int status, struct buf *body);
void request_empty(struct request *r, int status);
/* {"code":status,"message":…} */
void request_error(struct request *r, int status, const char *fmt, ...) PRINTF(3, 4);
/* The same, with "error_code":error_code in it. */
void request_error_code(struct request *r, int status, const char *error_code, const char *fmt, ...)
    PRINTF(4, 5);
/* An answer of one's own making; takes `response`; NULL is out of memory: 500. */
void request_respond(struct request *r, int status, struct MHD_Response *response);
/* A response of n bytes of a file from an offset on; takes fd; for request_respond(). Files go
 * through here so that scripted faults reach their bytes, too. NULL: no memory. */
struct MHD_Response *request_file(struct request *r, int fd, uint64_t from, uint64_t n);

/* A JSON object from the body, or the answer 400 and NULL. Yours. An empty body counts as {}. */
struct cJSON *request_object(struct request *r);

#endif
