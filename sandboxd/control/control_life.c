/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane: how long a sandbox lives, pausing, connecting. */
#include "sandboxd/control/control.h"

#include <string.h>

#include "common/json/json.h"

#include "common/banned.h"

enum { REFRESH_MAX_S = 3600, REFRESH_LEAST_S = 15 };

static void answer_err(struct request *r, const struct err *e)
{
    int status = e->code == ERR_CONFLICT ? 409 : e->code == ERR_INVALID ? 400 : 503;

    request_error(r, status, "%s", e->msg);
}

/* --- its time ---------------------------------------------------------------------- */

void handle_timeout(struct request *r)
{
    struct sandbox *sb = request_running(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    struct err e = ERR_INIT;
    int64_t s = 0;

    if (body == NULL)
        return;
    if (json_get(body, "timeout") == NULL)
        request_error(r, 400, "'timeout' must be a whole number of seconds");
    else if (timeout_parse(body, 0, true, &s, &e) != ERR_OK ||
             life_last(sb, s * 1000, &e) != ERR_OK)
        answer_err(r, &e);
    else
        request_empty(r, 204);
}

void handle_refresh(struct request *r)
{
    struct sandbox *sb = request_running(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    struct err e = ERR_INIT;
    int64_t s = REFRESH_LEAST_S;

    if (body == NULL)
        return;
    if ((json_get(body, "duration") != NULL && !json_get_int(body, "duration", &s)) || s < 0 ||
        s > REFRESH_MAX_S) {
        request_error(r, 400, "'duration' must be 0 to %d seconds", REFRESH_MAX_S);
        return;
    }
    if (s < REFRESH_LEAST_S)
        s = REFRESH_LEAST_S;
    if (life_extend(sb, s * 1000, &e) == ERR_OK)
        request_empty(r, 204);
    else
        answer_err(r, &e);
}

/* --- connect, resume ------------------------------------------------------------------ */

static void answer_sandbox(struct request *r, int status, const struct sandbox *sb)
{
    AUTO_BUF body = BUF_INIT(8192);

    sandbox_json(sb, &body);
    request_json(r, status, &body);
}

/* Memory cannot be left behind: a pause here keeps the processes. */
static bool wants_memory(struct request *r, const cJSON *body)
{
    bool memory = true;

    if (json_get(body, "memory") == NULL || (json_get_bool(body, "memory", &memory) && memory))
        return true;
    request_error(r, 400,
                  "'memory' false is not supported here: a paused sandbox keeps its "
                  "processes; kill it and create one from a snapshot instead");
    return false;
}

static void connect_to(struct request *r, struct sandbox *sb, int64_t ms);

static void on_resumed(struct request *r, struct sandbox *sb, int errnum)
{
    if (errnum != 0)
        request_error(r, 503, "cannot resume the sandbox: %s", strerror(errnum));
    else
        answer_sandbox(r, 201, sb);
}

/* Somebody else's change is over: looks again. */
static void on_changed(struct request *r, struct sandbox *sb, int errnum)
{
    (void)errnum;
    (void)sb;
    r->route->handler(r);
}

static void connect_to(struct request *r, struct sandbox *sb, int64_t ms)
{
    struct err e = ERR_INIT;

    switch (sb->life->state) {
    case LIFE_NONE:
    case LIFE_STARTING:
    case LIFE_STATES:
        control_not_found(r, r->param);
        break;
    case LIFE_RUNNING:
    case LIFE_SAVING:
        if (life_extend(sb, ms, &e) == ERR_OK)
            answer_sandbox(r, 200, sb);
        else
            answer_err(r, &e);
        break;
    case LIFE_PAUSING:
    case LIFE_RESUMING:
        (void)request_await(r, sb, on_changed);
        break;
    case LIFE_PAUSED:
        if (life_resume(sb, ms, &e) == ERR_OK)
            (void)request_await(r, sb, on_resumed);
        else
            answer_err(r, &e);
        break;
    }
}

static void connect_sandbox(struct request *r, bool timeout_required)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    struct err e = ERR_INIT;
    int64_t s = 0;

    if (body == NULL)
        return;
    if (timeout_required && json_get(body, "timeout") == NULL)
        request_error(r, 400, "'timeout' is required");
    else if (timeout_parse(body, TIMEOUT_V2_S, false, &s, &e) != ERR_OK)
        answer_err(r, &e);
    else if (wants_memory(r, body))
        connect_to(r, sb, s * 1000);
}

void handle_connect_v1(struct request *r)
{
    connect_sandbox(r, true);
}

void handle_connect_v2(struct request *r)
{
    connect_sandbox(r, false);
}

void handle_resume(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    struct err e = ERR_INIT;
    int64_t s = 0;

    if (body == NULL)
        return;
    if (timeout_parse(body, TIMEOUT_V1_S, false, &s, &e) != ERR_OK)
        answer_err(r, &e);
    else if (sb->life->state == LIFE_PAUSING)
        (void)request_await(r, sb, on_changed);
    else if (sb->life->state != LIFE_PAUSED)
        request_error(r, 409, "Sandbox '%s' is already running", sb->id);
    else
        connect_to(r, sb, s * 1000);
}

/* --- pause ------------------------------------------------------------------------------ */

static void on_paused(struct request *r, struct sandbox *sb, int errnum)
{
    (void)sb;
    if (errnum != 0)
        request_error(r, 503, "cannot pause the sandbox: %s", strerror(errnum));
    else
        request_empty(r, 204);
}

void handle_pause(struct request *r)
{
    struct sandbox *sb = request_sandbox(r);
    AUTO_JSON *body = sb != NULL ? request_object(r) : NULL;
    struct err e = ERR_INIT;

    if (body == NULL || !wants_memory(r, body))
        return;
    if (life_paused(sb))
        request_error(r, 409, "Sandbox '%s' is already paused", sb->id);
    else if (life_next(sb->life->state, EV_PAUSE) == LIFE_NONE)
        request_error(r, 409, "Sandbox '%s' is still transitioning: try again", sb->id);
    else if (life_pause(sb, "asked for", &e) == ERR_OK)
        (void)request_await(r, sb, on_paused);
    else
        answer_err(r, &e);
}

void handle_fork(struct request *r)
{
    if (request_sandbox(r) != NULL)
        request_error(r, 501,
                      "fork is not supported here: memory cannot be copied; take a snapshot "
                      "of the files and create sandboxes from it");
}

/* --- network ------------------------------------------------------------------------------ */

/* Replaces all of it; what is left out is cleared. */
void handle_network(struct request *r)
{
    struct sandbox *sb = request_running(r);
    cJSON *body = sb != NULL ? request_object(r) : NULL;
    struct err e = ERR_INIT;
    bool internet = true;

    if (body == NULL)
        return;
    enum err_code rc = network_check(body, &e);
    if (rc == ERR_OK && !sb->door && network_adds(body)) /* so that whoever asks can tell */
        rc = err_set(&e, ERR_INVALID,
                     "headers are added by the proxy of --isolation strong: there is none");
    if (rc != ERR_OK) {
        request_error(r, 400, "%s", e.msg);
        cJSON_Delete(body);
        return;
    }
    sb->life->internet = !json_get_bool(body, "allow_internet_access", &internet) ? UNTOLD
                         : internet                                               ? YES
                                                                                  : NO;
    cJSON_DeleteItemFromObjectCaseSensitive(body, "allow_internet_access");
    cJSON_Delete(sb->network);
    sb->network = body;
    if (sb->fleet->network_changed != NULL)
        sb->fleet->network_changed(sb);
    request_empty(r, 204);
}
