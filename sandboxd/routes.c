/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/server.h"

#include <string.h>

#include <sodium.h>

#include "common/json.h"

#include "common/banned.h"

#define CONTROL PLANE_CONTROL
#define ENVD    PLANE_ENVD
#define PROCESS "/process.Process/"
#define FILES   "/filesystem.Filesystem/"

// clang-format off
const struct route server_routes[] = {
    {"GET",    "/health",                  CONTROL, ROUTE_OPEN, handle_health,     NULL},
    {"POST",   "/sandboxes",               CONTROL, 0,          handle_create_v1,  NULL},
    {"POST",   "/v2/sandboxes",            CONTROL, 0,          handle_create_v2,  NULL},
    {"GET",    "/sandboxes",               CONTROL, 0,          handle_list_v1,    NULL},
    {"GET",    "/v2/sandboxes",            CONTROL, 0,          handle_list_v2,    NULL},
    {"GET",    "/sandboxes/{}",            CONTROL, 0,          handle_get,        NULL},
    {"DELETE", "/sandboxes/{}",            CONTROL, 0,          handle_kill,       NULL},
    {"POST",   "/sandboxes/{}/timeout",    CONTROL, 0,          handle_timeout,    NULL},
    {"POST",   "/sandboxes/{}/refreshes",  CONTROL, 0,          handle_refresh,    NULL},
    {"POST",   "/sandboxes/{}/connect",    CONTROL, 0,          handle_connect_v1, NULL},
    {"POST",   "/v2/sandboxes/{}/connect", CONTROL, 0,          handle_connect_v2, NULL},

    {"GET",    "/health",                  ENVD, ROUTE_OPEN,    handle_envd_health,     NULL},
    {"POST",   PROCESS "Start",            ENVD, ROUTE_STREAM,  handle_start,           NULL},
    {"POST",   PROCESS "Connect",          ENVD, ROUTE_STREAM,  handle_process_connect, NULL},
    {"POST",   PROCESS "List",             ENVD, ROUTE_UNARY,   handle_process_list,    NULL},
    {"POST",   PROCESS "SendSignal",       ENVD, ROUTE_UNARY,   handle_send_signal,     NULL},
    {"GET",    "/files",                   ENVD, 0,             handle_file_get,        NULL},
    {"POST",   "/files",                   ENVD, 0,             handle_file_put,        &file_sink},
    {"POST",   FILES "Stat",               ENVD, ROUTE_UNARY,   handle_stat,            NULL},
    {"POST",   FILES "MakeDir",            ENVD, ROUTE_UNARY,   handle_make_dir,        NULL},
    {"POST",   FILES "Move",               ENVD, ROUTE_UNARY,   handle_move,            NULL},
    {"POST",   FILES "Remove",             ENVD, ROUTE_UNARY,   handle_remove,          NULL},
};
// clang-format on
const size_t server_n_routes = COUNTOF(server_routes);

static struct sandbox *envd_sandbox(struct request *r)
{
    struct server *s = r->app;
    struct sandbox *sb = sandbox_find(&s->fleet, r->sandbox_id);
    AUTO_BUF body = BUF_INIT(1024);

    if (sb != NULL && r->port == ENVD_PORT)
        return sb;
    buf_adds(&body, "{");
    json_kv_str(&body, "sandboxId", r->sandbox_id);
    json_kv(&body, "message",
            sb == NULL ? "The sandbox was not found"
                       : "The sandbox is running but port is not open");
    if (sb != NULL)
        json_kv_int(&body, "port", r->port);
    json_kv_int(&body, "code", 502);
    buf_adds(&body, "}");
    request_json(r, 502, &body);
    return NULL;
}

struct sandbox *request_sandbox(struct request *r)
{
    struct server *s = r->app;
    struct str id = STR("");

    if (r->plane == PLANE_ENVD)
        return envd_sandbox(r);
    struct sandbox *sb = sandbox_id_parse(r->param, &id) ? sandbox_find(&s->fleet, id) : NULL;
    if (sb == NULL)
        request_error(r, 404,
                      "Sandbox \"" STR_FMT "\" doesn't exist or you don't have access to it",
                      STR_ARG(r->param));
    return sb;
}

static bool same(struct str secret, const char *given)
{
    return given != NULL && strlen(given) == secret.n &&
           sodium_memcmp(secret.p, given, secret.n) == 0;
}

static bool admit_envd(struct request *r)
{
    struct sandbox *sb = envd_sandbox(r);

    if (sb == NULL)
        return false;
    if (r->route != NULL && (r->route->flags & ROUTE_OPEN))
        return true;
    if (same(str_of(sb->token), request_header(r, "X-Access-Token")))
        return true;
    request_error(r, 401,
                  "unauthorized access, please provide a valid access token or method "
                  "signing if supported");
    return false;
}

bool server_admit(struct request *r)
{
    const struct server *s = r->app;

    if (r->plane == PLANE_ENVD)
        return admit_envd(r);
    if (r->route != NULL && (r->route->flags & ROUTE_OPEN))
        return true;
    if (same(secret_value(s->api_key), request_header(r, "X-API-Key")))
        return true;
    request_error(r, 401, "Invalid API key: send the one of this server as X-API-Key");
    return false;
}

void request_rpc_error(struct request *r, enum rpc_code code, const char *fmt, ...)
{
    AUTO_BUF text = BUF_INIT(4096), body = BUF_INIT(8192);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    rpc_error_json(&body, code, text.p != NULL ? text.p : "");
    request_json(r, rpc_http_status(code), &body);
}
