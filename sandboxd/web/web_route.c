/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request goes, and what is refused by its headers alone. */
#include <stdlib.h>
#include <string.h>

#include "sandboxd/web/web_internal.h"

#include "common/banned.h"

static void add_allowed(const struct request *r)
{
    static const char *const methods[] = {"DELETE", "GET", "POST", "PUT"};
    const struct web_opts *o = web_opts_of(r->web);
    struct route_match match;

    for (size_t i = 0; i < COUNTOF(methods); i++)
        if (route_find(o->routes, o->n_routes, r->plane, methods[i], str_of(r->path), &match))
            (void)MHD_add_response_header(r->response, "Allow", methods[i]);
}

/* The service's API says so in JSON, the daemon of a sandbox as plain HTTP. */
static void nothing_there(struct request *r, bool other_method)
{
    AUTO_BUF text = BUF_INIT(64);

    if (r->plane == PLANE_ENVD && other_method)
        request_empty(r, 405);
    else if (other_method)
        request_error(r, 405, "method not allowed");
    else if (r->plane == PLANE_CONTROL)
        request_error(r, 404, "no such path");
    if (other_method)
        add_allowed(r);
    if (r->response != NULL)
        return;
    buf_adds(&text, "404 page not found\n");
    request_answer(r, 404, "text/plain; charset=utf-8", &text);
}

void request_route(struct request *r, const char *method)
{
    const struct web_opts *o = web_opts_of(r->web);
    struct route_match match;
    enum routed to = route_target(request_header(r, "Host"), request_header(r, "E2b-Sandbox-Id"),
                                  request_header(r, "E2b-Sandbox-Port"), &r->sandbox_id, &r->port);

    if (to != ROUTED_CONTROL && to != ROUTED_SANDBOX) {
        AUTO_BUF text = BUF_INIT(256);

        buf_adds(&text, route_refusal(to));
        request_answer(r, 400, "text/plain", &text);
        return;
    }
    if (to == ROUTED_CONTROL && o->guess != NULL && o->guess(r))
        to = ROUTED_SANDBOX;
    r->plane = to == ROUTED_SANDBOX ? PLANE_ENVD : PLANE_CONTROL;
    (void)route_find(o->routes, o->n_routes, r->plane, method, str_of(r->path), &match);
    r->route = match.route;
    r->param = match.param;
    if (r->response != NULL)
        return;
    fault_meet(r);
    if (r->response != NULL || !o->admit(r))
        return;
    if (r->route == NULL)
        nothing_there(r, match.other_method);
}

int64_t request_body_max(const struct request *r)
{
    const struct body_sink *sink = r->route != NULL ? r->route->sink : NULL;

    if (sink == NULL)
        return r->route != NULL && (r->route->flags & ROUTE_OPEN) ? WEB_OPEN_BODY_MAX
                                                                  : WEB_BODY_MAX;
    return sink->max_bytes != 0 ? sink->max_bytes : web_opts_of(r->web)->upload_max;
}

bool request_too_long(const struct request *r)
{
    const char *length = request_header(r, "Content-Length");

    return length != NULL &&
           (strlen(length) > 12 || strtoll(length, NULL, 10) > request_body_max(r));
}

bool request_wrong_type(struct request *r)
{
    bool stream = (r->route->flags & ROUTE_STREAM) != 0;
    const char *want = stream ? "application/connect+json" : "application/json";
    const char *have = request_header(r, "Content-Type");

    if ((r->route->flags & (ROUTE_STREAM | ROUTE_UNARY)) == 0)
        return false;
    if (have != NULL && strncasecmp(have, want, strlen(want)) == 0 &&
        (have[strlen(want)] == '\0' || strchr("; ", have[strlen(want)]) != NULL))
        return false;
    struct MHD_Response *m = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (m != NULL)
        (void)MHD_add_response_header(m, "Accept-Post", want);
    request_respond(r, 415, m);
    return true;
}
