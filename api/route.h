/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler answers a request: a table of method, path pattern and what the caller must be
 * allowed. Pure. */
#ifndef SANDFLEET_API_ROUTE_H
#define SANDFLEET_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

struct call;

enum permission {
    PERMIT_NOBODY, /* a row that names none does not compile: see ROUTE() */
    PERMIT_PUBLIC, /* no key is asked for */
    PERMIT_READ,
    PERMIT_SUBMIT,
    PERMIT_ADMIN,
    PERMISSIONS
};
const char *permission_name(enum permission p); /* "read"; PERMIT_NOBODY: "" */

enum { ROUTE_PARAMS = 2, ROUTE_METHODS_ROOM = 64 };

enum {                            /* flags */
       ROUTE_NDJSON = 1 << 0,     /* its body is NDJSON, else JSON */
       ROUTE_READ_TOKEN = 1 << 1, /* a read token for this one run does, too */
       ROUTE_LASTS = 1 << 2       /* its answer may take as long as it takes */
};

struct route {
    const char *method;
    const char *path; /* "/v1/runs/{}/events": {} stands for one segment */
    enum permission permission;
    void (*handler)(struct call *c);
    size_t body_max; /* bytes; 0: no body but {} (intake/no_body.h) */
    size_t held;     /* bytes of a body that is taken in pieces that are held at once */
    unsigned flags;
    void (*begin)(struct call *c); /* takes the body in pieces (call.h), behind the check of the
                                      caller; NULL: it is collected first */
};

/* ROUTE("POST", "/v1/runs", SUBMIT, runs_post, .body_max = API_BODY_MAX) */
#define ROUTE(method_, path_, permission_, handler_, ...)                                          \
    {.method = (method_),                                                                          \
     .path = (path_),                                                                              \
     .permission = PERMIT_##permission_,                                                           \
     .handler = (handler_)__VA_OPT__(, ) __VA_ARGS__}

struct route_match {
    const struct route *route;        /* NULL: none */
    struct str param[ROUTE_PARAMS];   /* borrowed from the path, still percent-encoded */
    char allowed[ROUTE_METHODS_ROOM]; /* methods of the path, "GET, HEAD, OPTIONS"; "": no such path
                                       */
};

/* HEAD is answered where GET is, OPTIONS wherever there is something. */
void route_find(const struct route *rows, size_t n, const char *method, struct str path,
                struct route_match *out);

#endif
