/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: one sandbox. */
#include "sandboxd/server.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

#include "common/banned.h"

enum { TIMEOUT_MAX_S = 24 * 3600, REFRESH_MAX_S = 3600, REFRESH_LEAST_S = 15 };

/* --- create ------------------------------------------------------------------ */

void sandbox_json(const struct sandbox *sb, struct buf *out)
{
    buf_adds(out, "{");
    json_kv(out, "templateID", sb->template);
    json_kv(out, "sandboxID", sb->id);
    json_kv(out, "clientID", "sandfleet");
    json_kv(out, "envdVersion", ENVD_VERSION);
    json_kv(out, "envdAccessToken", sb->token);
    json_kv_raw(out, "domain", STR("null"));
    buf_adds(out, "}");
}

/* A member that must be an object of strings when it is there. */
static bool strings_ok(struct request *r, const cJSON *body, const char *key, const cJSON **out)
{
    const cJSON *o = json_get(body, key), *e;

    *out = NULL;
    if (o == NULL || cJSON_IsNull(o))
        return true;
    cJSON_ArrayForEach(e, o)
    {
        if (!cJSON_IsString(e) || e->string == NULL || *e->string == '\0')
            break;
    }
    if (cJSON_IsObject(o) && e == NULL) {
        *out = o;
        return true;
    }
    request_error(r, 400, "'%s' must be an object of strings", key);
    return false;
}

static bool names_ok(struct request *r, const cJSON *env)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, env)
    {
        if (strchr(e->string, '=') != NULL) {
            request_error(r, 400, "'envVars' has a name with '='");
            return false;
        }
    }
    return true;
}

static bool timeout_ok(struct request *r, const cJSON *body, int64_t def, int64_t *out)
{
    *out = def;
    if (json_get(body, "timeout") != NULL && !json_get_int(body, "timeout", out)) {
        request_error(r, 400, "'timeout' must be a whole number of seconds");
    } else if (*out <= 0) {
        request_error(r, 400, "Timeout must be greater than 0");
    } else if (*out > TIMEOUT_MAX_S) {
        request_error(r, 400, "Timeout cannot be greater than %d hours", TIMEOUT_MAX_S / 3600);
    } else {
        return true;
    }
    return false;
}

static const char *template_of(struct request *r, const cJSON *body)
{
    static const char *const known[] = {"base", "claude"};
    const char *name = json_get_string(body, "templateID");

    if (name == NULL) {
        request_error(r, 400, "'templateID' must be a string");
        return NULL;
    }
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (strcasecmp(name, known[i]) == 0)
            return known[i];
    request_error(r, 404, "template '%.100s' not found", name);
    return NULL;
}

static enum err_code mark_isolation(const struct server *s, struct sandbox *sb)
{
    cJSON_DeleteItemFromObjectCaseSensitive(sb->metadata, ISOLATION_KEY);
    return cJSON_AddStringToObject(sb->metadata, ISOLATION_KEY,
                                   isolation_name(s->isolation.want.level)) != NULL
               ? ERR_OK
               : ERR_NOMEM;
}

/* NULL: answered. */
static struct sandbox *create(struct request *r, int64_t default_s)
{
    struct server *s = r->app;
    struct sandbox_want want = {0};
    struct sandbox *sb = NULL;
    struct err e = ERR_INIT;
    AUTO_JSON *body = request_object(r);

    if (body == NULL || (want.template = template_of(r, body)) == NULL ||
        !strings_ok(r, body, "metadata", &want.metadata) ||
        !strings_ok(r, body, "envVars", &want.env) || !names_ok(r, want.env) ||
        !timeout_ok(r, body, default_s, &want.timeout_ms))
        return NULL;
    want.timeout_ms *= 1000;
    enum err_code rc = sandbox_create(&s->fleet, &want, &sb, &e);
    if (rc == ERR_OK && mark_isolation(s, sb) == ERR_OK)
        return sb;
    if (rc == ERR_CAPACITY)
        request_error(r, 429, "%s", e.msg);
    else
        request_error(r, 500, "cannot create the sandbox: %s", e.msg);
    return NULL;
}

static void answer_sandbox(struct request *r, int status, const struct sandbox *sb)
{
    AUTO_BUF body = BUF_INIT(4096);

    sandbox_json(sb, &body);
    request_json(r, status, &body);
}

void handle_create_v1(struct request *r)
{
    const struct sandbox *sb = create(r, 15);

    if (sb != NULL)
        answer_sandbox(r, 201, sb);
}

static void refuse_mismatch(struct request *r)
{
    AUTO_BUF body = BUF_INIT(512);

    buf_adds(&body, "{\"code\":422,\"error_code\":\"idempotency_request_mismatch\",\"message\":"
                    "\"the Idempotency-Key was used for another request\"}");
    request_json(r, 422, &body);
}

void handle_create_v2(struct request *r)
{
    struct server *s = r->app;
    const char *header = request_header(r, "Idempotency-Key");
    struct str key = str_of(header), known = STR("");
    AUTO_BUF answer = BUF_INIT(4096);
    const struct sandbox *sb;

    if (header != NULL && !idempotency_key_valid(key)) {
        request_error(r, 400, "Idempotency-Key must be 1 to 255 of a-z, 0-9 and -");
        return;
    }
    switch (header == NULL ? IDEM_NEW
                           : idempotency_find(s->created, key, buf_str(&r->body), &known)) {
    case IDEM_SAME:
        buf_addstr(&answer, known);
        break;
    case IDEM_OTHER_BODY:
        refuse_mismatch(r);
        return;
    case IDEM_NEW:
        sb = create(r, 300);
        if (sb == NULL)
            return;
        sandbox_json(sb, &answer);
        if (header != NULL)
            idempotency_keep(s->created, key, buf_str(&r->body), buf_str(&answer));
        break;
    }
    request_json(r, 201, &answer);
}

/* --- kill ------------------------------------------------------------------------ */

struct kill_wait {
    struct waiter waiter;
    struct request *r; /* NULL: the client is gone */
};

static void on_ended(struct waiter *w)
{
    struct kill_wait *k = CONTAINER_OF(w, struct kill_wait, waiter);

    if (k->r != NULL) {
        k->r->gone = NULL;
        request_empty(k->r, 204);
    }
    free(k);
}

static void on_client_gone(struct request *r)
{
    struct kill_wait *k = r->state;

    k->r = NULL;
}

/* Answered when all is gone. */
void handle_kill(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    struct kill_wait *k = sb != NULL ? calloc(1, sizeof(*k)) : NULL;

    if (sb == NULL)
        return;
    if (k == NULL) {
        request_error(r, 500, "out of memory");
        return;
    }
    k->waiter.ended = on_ended;
    k->r = r;
    r->state = k;
    r->gone = on_client_gone;
    sandbox_kill(sb, "asked for", &k->waiter);
}

/* --- how long it lives ----------------------------------------------------------- */

void handle_timeout(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    int64_t s = 0;

    if (body == NULL)
        return;
    if (!json_get_int(body, "timeout", &s) || s < 0) {
        request_error(r, 400, "'timeout' must be a whole number of seconds");
        return;
    }
    if (s > TIMEOUT_MAX_S) {
        request_error(r, 400, "Timeout cannot be greater than %d hours", TIMEOUT_MAX_S / 3600);
        return;
    }
    sandbox_expire_in(sb, s * 1000);
    request_empty(r, 204);
}

static void extend_to(struct sandbox *sb, int64_t s)
{
    if (clock_wall_ms() + s * 1000 > sb->end_ms)
        sandbox_expire_in(sb, s * 1000);
}

void handle_refresh(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    int64_t s = REFRESH_LEAST_S;

    if (body == NULL)
        return;
    if ((json_get(body, "duration") != NULL && !json_get_int(body, "duration", &s)) || s < 0 ||
        s > REFRESH_MAX_S) {
        request_error(r, 400, "'duration' must be 0 to %d seconds", REFRESH_MAX_S);
        return;
    }
    extend_to(sb, s < REFRESH_LEAST_S ? REFRESH_LEAST_S : s);
    request_empty(r, 204);
}

static void connect_sandbox(struct request *r, bool timeout_required)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    int64_t s = 0;

    if (body == NULL)
        return;
    if (timeout_required && json_get(body, "timeout") == NULL) {
        request_error(r, 400, "'timeout' is required");
        return;
    }
    if (!timeout_ok(r, body, 300, &s))
        return;
    extend_to(sb, s);
    answer_sandbox(r, 200, sb);
}

void handle_connect_v1(struct request *r)
{
    connect_sandbox(r, true);
}

void handle_connect_v2(struct request *r)
{
    connect_sandbox(r, false);
}
