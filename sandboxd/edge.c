/* SPDX-License-Identifier: Apache-2.0 */
/* The edge: which sandbox a request is for, and whether it may come in. */
#include "sandboxd/control/control.h"

#include <string.h>

#include <sodium.h>

#include "common/base64.h"
#include "common/clock.h"
#include "common/json/json.h"
#include "sandboxd/envd/files_sign.h"

#include "common/banned.h"

static void refuse(struct request *r, int status, const char *message, bool with_port)
{
    AUTO_BUF body = BUF_INIT(1024);

    buf_adds(&body, "{");
    json_kv_str(&body, "sandboxId", r->sandbox_id);
    json_kv(&body, "message", message);
    if (with_port)
        json_kv_int(&body, "port", r->port);
    json_kv_int(&body, "code", status);
    buf_adds(&body, "}");
    request_json(r, status, &body);
}

/* One that is paused and was asked to wake up with traffic does so: its first process takes
 * requests in their order, so this one can follow at once. */
static bool wakes(struct sandbox *sb)
{
    struct err e = ERR_INIT;

    return sb->life->state == LIFE_RESUMING ||
           (sb->life->state == LIFE_PAUSED && sb->life->auto_resume &&
            life_resume(sb, sb->life->timeout_ms, &e) == ERR_OK);
}

static struct sandbox *envd_sandbox(struct request *r)
{
    struct server *s = r->app;
    struct sandbox *sb = sandbox_find(&s->fleet, r->sandbox_id);

    if (sb == NULL || !life_shown(sb))
        refuse(r, 502, "The sandbox was not found", false);
    else if (sb->life->state == LIFE_PAUSING)
        refuse(r, 409, "The sandbox is still transitioning", false);
    else if (sb->life->state != LIFE_RUNNING && sb->life->state != LIFE_SAVING && !wakes(sb))
        refuse(r, 502, "The sandbox was not found", false);
    else if (r->port != ENVD_PORT)
        refuse(r, 502, "The sandbox is running but port is not open", true);
    else
        return sb;
    return NULL;
}

struct sandbox *request_sandbox(struct request *r)
{
    struct server *s = r->app;
    struct str id = STR("");

    if (r->plane == PLANE_ENVD)
        return envd_sandbox(r);
    struct sandbox *sb = sandbox_id_parse(r->param, &id) ? sandbox_find(&s->fleet, id) : NULL;
    if (sb != NULL && life_shown(sb))
        return sb;
    control_not_found(r, r->param);
    return NULL;
}

static bool same(struct str secret, const char *given)
{
    return given != NULL && strlen(given) == secret.n &&
           sodium_memcmp(secret.p, given, secret.n) == 0;
}

static struct file_sign signature_of(const struct request *r, const struct sandbox *sb,
                                     const char *operation)
{
    return (struct file_sign){.path = request_query(r, "path"),
                              .user = request_query(r, "username"),
                              .signature = request_query(r, "signature"),
                              .expiration = request_query(r, "signature_expiration"),
                              .operation = operation,
                              .token = sb->token};
}

/* A path that a signature opens; a token that does not fit is not helped by one. */
static bool signature_ok(struct request *r, const struct sandbox *sb, const char *token)
{
    const struct file_sign s =
        signature_of(r, sb, strcmp(r->route->method, "GET") == 0 ? "read" : "write");
    const char *why = token != NULL && token[0] != '\0'
                          ? "access token present in header but does not match"
                          : file_sign_refusal(&s, clock_wall_ms() / 1000);

    if (why != NULL)
        request_error(r, 401, "%s", why);
    return why == NULL;
}

static bool made_by(const struct request *r, const struct sandbox *sb)
{
    const struct file_sign read = signature_of(r, sb, "read"), write = signature_of(r, sb, "write");

    return file_sign_refusal(&read, 0) == NULL || file_sign_refusal(&write, 0) == NULL;
}

/* A signed URL that a browser opens at the one address of all sandboxes names none: it is for
 * the one whose token made the signature. Whether it is still good is asked later. */
bool server_guess(struct request *r)
{
    struct server *s = r->app;
    const struct sandbox *sb;

    if (strcmp(r->path, "/files") != 0 || request_query(r, "signature").p == NULL)
        return false;
    TAILQ_FOREACH(sb, &s->fleet.all, link)
    if (life_shown(sb) && made_by(r, sb))
        break;
    if (sb == NULL) {
        request_error(r, 401, "invalid signature");
        return false;
    }
    memcpy(r->guessed, sb->id, sizeof(r->guessed));
    r->sandbox_id = str_of(r->guessed);
    r->port = ENVD_PORT;
    return true;
}

static bool admit_envd(struct request *r)
{
    struct sandbox *sb = envd_sandbox(r);

    if (sb == NULL)
        return false;
    if (r->route != NULL && (r->route->flags & ROUTE_OPEN))
        return true;
    const char *token = request_header(r, "X-Access-Token");
    if (sb->life->secure && !same(str_of(sb->token), token)) {
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
