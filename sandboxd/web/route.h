/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler answers a request: a table of method, path pattern, plane. Pure. */
#ifndef SANDFLEET_SANDBOXD_WEB_ROUTE_H
#define SANDFLEET_SANDBOXD_WEB_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

struct request;
struct body_sink;

enum plane {
    PLANE_CONTROL, /* the service's REST API */
    PLANE_ENVD     /* the daemon inside one sandbox, named by the E2b-Sandbox-Id header */
};

enum {
    ROUTE_OPEN = 1 << 0,      /* no key is asked for */
    ROUTE_UNARY = 1 << 1,     /* Connect RPC, one JSON message each way */
    ROUTE_STREAM = 1 << 2,    /* Connect RPC, enveloped */
    ROUTE_FAULTLESS = 1 << 3, /* no scripted fault applies */
    ROUTE_SIGNED = 1 << 4     /* a signature of the query does instead of a token */
};

struct route {
    const char *method;
    const char *path; /* "/sandboxes/{}/timeout": {} stands for one segment */
    enum plane plane;
    unsigned flags;
    void (*handler)(struct request *r); /* the whole request is there */
    const struct body_sink *sink;       /* takes the body piecewise; NULL: it is collected */
};

struct route_match {
    const struct route *route;
    struct str param;  /* borrowed from path: what {} stood for; empty: no {} */
    bool other_method; /* the path exists, the method does not */
};

/* False: nothing answers there. */
bool route_find(const struct route *rows, size_t n, enum plane plane, const char *method,
                struct str path, struct route_match *out);

/* Where a request wants to go, from its Host and routing headers (each may be NULL).
 *   ROUTED_CONTROL  to the control plane
 *   ROUTED_SANDBOX  *id and *port are set; a host that names one goes before the headers
 *   else            400, with route_refusal()'s text */
enum routed {
    ROUTED_CONTROL,
    ROUTED_SANDBOX,
    ROUTED_HALF,
    ROUTED_BAD_HOST,
    ROUTED_BAD_ID,
    ROUTED_BAD_PORT
};
enum routed route_target(const char *host, const char *id_header, const char *port_header,
                         struct str *id, int *port);
const char *route_refusal(enum routed r);

/* "i" and 20 of [a-z0-9]; an old "-client" suffix is cut off. */
bool sandbox_id_parse(struct str s, struct str *id);

#endif
