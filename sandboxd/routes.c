/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/server.h"

#include <string.h>

#include <sodium.h>

#include "common/base64.h"
#include "common/clock.h"
#include "common/json.h"
#include "sandboxd/envd/files_sign.h"

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
    {"PUT",    "/sandfleet/faults",        CONTROL, ROUTE_FAULTLESS, handle_faults_put, NULL},
    {"GET",    "/sandfleet/faults",        CONTROL, ROUTE_FAULTLESS, handle_faults_get, NULL},

    {"GET",    "/health",                  ENVD, ROUTE_OPEN,    handle_envd_health,     NULL},
    {"POST",   PROCESS "Start",            ENVD, ROUTE_STREAM,  handle_start,           NULL},
    {"POST",   PROCESS "Connect",          ENVD, ROUTE_STREAM,  handle_process_connect, NULL},
    {"POST",   PROCESS "List",             ENVD, ROUTE_UNARY,   handle_process_list,    NULL},
    {"POST",   PROCESS "SendSignal",       ENVD, ROUTE_UNARY,   handle_send_signal,     NULL},
    {"POST",   PROCESS "Update",           ENVD, ROUTE_UNARY,   handle_update,          NULL},
    {"POST",   PROCESS "SendInput",        ENVD, ROUTE_UNARY,   handle_send_input,      NULL},
    {"POST",   PROCESS "CloseStdin",       ENVD, ROUTE_UNARY,   handle_close_stdin,     NULL},
    {"POST",   PROCESS "StreamInput",      ENVD, ROUTE_STREAM,  handle_stream_input,    &input_sink},
    {"GET",    "/files",                   ENVD, ROUTE_SIGNED,  handle_file_get,        NULL},
    {"POST",   "/files",                   ENVD, ROUTE_SIGNED,  handle_file_put,        &file_sink},
    {"POST",   "/files/compose",           ENVD, 0,             handle_compose,         NULL},
    {"GET",    "/envs",                    ENVD, 0,             handle_envs,            NULL},
    {"GET",    "/metrics",                 ENVD, 0,             handle_envd_metrics,    NULL},
    {"POST",   FILES "Stat",               ENVD, ROUTE_UNARY,   handle_stat,            NULL},
    {"POST",   FILES "MakeDir",            ENVD, ROUTE_UNARY,   handle_make_dir,        NULL},
    {"POST",   FILES "Move",               ENVD, ROUTE_UNARY,   handle_move,            NULL},
    {"POST",   FILES "Remove",             ENVD, ROUTE_UNARY,   handle_remove,          NULL},
    {"POST",   FILES "ListDir",            ENVD, ROUTE_UNARY,   handle_list_dir,        NULL},
    {"POST",   FILES "WatchDir",           ENVD, ROUTE_STREAM,  handle_watch_dir,       NULL},
    {"POST",   FILES "CreateWatcher",      ENVD, ROUTE_UNARY,   handle_create_watcher,  NULL},
    {"POST",   FILES "GetWatcherEvents",   ENVD, ROUTE_UNARY,   handle_watcher_events,  NULL},
    {"POST",   FILES "RemoveWatcher",      ENVD, ROUTE_UNARY,   handle_remove_watcher,  NULL},

    {"POST",   "/init",                    ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/freeze",                  ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/unfreeze",                ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/collapse",                ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/fsfreeze",                ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/fsthaw",                  ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/upgrade",                 ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
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

/* A path that a signature opens; a token that does not fit is not helped by one. */
static bool signature_ok(struct request *r, const struct sandbox *sb, const char *token)
{
    const struct file_sign s = {.path = request_query(r, "path"),
                                .user = request_query(r, "username"),
                                .signature = request_query(r, "signature"),
                                .expiration = request_query(r, "signature_expiration"),
                                .operation =
                                    strcmp(r->route->method, "GET") == 0 ? "read" : "write",
                                .token = sb->token};
    const char *why = token != NULL && token[0] != '\0'
                          ? "access token present in header but does not match"
                          : file_sign_refusal(&s, clock_wall_ms() / 1000);

    if (why != NULL)
        request_error(r, 401, "%s", why);
    return why == NULL;
}

static bool admit_envd(struct request *r)
{
    struct sandbox *sb = envd_sandbox(r);

    if (sb == NULL)
        return false;
    if (r->route != NULL && (r->route->flags & ROUTE_OPEN))
        return true;
    const char *token = request_header(r, "X-Access-Token");
    if (!same(str_of(sb->token), token)) {
        if (r->route != NULL && (r->route->flags & ROUTE_SIGNED))
            return signature_ok(r, sb, token);
        request_error(r, 401, REFUSED_TOKEN);
        return false;
    }
    if (r->route == NULL || (r->route->flags & (ROUTE_STREAM | ROUTE_UNARY)) == 0)
        return true;
    return request_user_ok(r) && request_rpc_ok(r);
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

void server_lose(struct request *r)
{
    struct server *s = r->app;
    struct str id = r->sandbox_id;
    struct sandbox *sb =
        id.n > 0 || sandbox_id_parse(r->param, &id) ? sandbox_find(&s->fleet, id) : NULL;

    if (sb != NULL)
        sandbox_kill(sb, "scripted fault", NULL);
}

/* --- users -------------------------------------------------------------------- */

enum { USER_MAX = 256 };

/* The name of "Basic base64(name:password)"; empty when there is none. */
static void basic_user(const char *header, struct buf *out)
{
    AUTO_BUF pair = BUF_INIT(4 * USER_MAX);
    struct str rest, name;

    if (header == NULL || strncasecmp(header, "Basic ", 6) != 0 ||
        base64_decode(str_trim(str_of(header + 6)), &pair, NULL) != ERR_OK)
        return;
    rest = buf_str(&pair);
    if (str_next(&rest, ':', &name))
        buf_addstr(out, name);
}

static bool is_user(struct str name)
{
    return name.n == 0 || str_is(name, SANDBOX_USER);
}

static void refuse_user(struct request *r, struct str name)
{
    AUTO_BUF text = BUF_INIT(2 * USER_MAX);

    buf_addf(&text, "invalid username: '" STR_FMT "'", STR_ARG(name));
    const char *message = text.rc == ERR_OK ? text.p : "invalid username";
    if (r->route->flags & (ROUTE_STREAM | ROUTE_UNARY))
        request_rpc_error(r, RPC_UNAUTHENTICATED, "%s", message);
    else
        request_error(r, 401, "%s", message);
}

bool request_user_ok(struct request *r)
{
    AUTO_BUF basic = BUF_INIT(4 * USER_MAX);
    struct str query = request_query(r, "username");

    basic_user(request_header(r, "Authorization"), &basic);
    if (is_user(buf_str(&basic)) && is_user(query))
        return true;
    refuse_user(r, is_user(query) ? buf_str(&basic) : query);
    return false;
}
