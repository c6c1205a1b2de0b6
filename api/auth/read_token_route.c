/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/runs/{id}/read-token: for a page whose EventSource cannot send a key. */
#include <stdlib.h>

#include "api/api_internal.h"
#include "api/auth/read_token.h"
#include "common/clock.h"
#include "common/json/json.h"
#include "common/banned.h"

enum { ANSWER_MAX = 1024 };

static bool ttl_of(struct call *c, const cJSON *body, int64_t *ttl_s)
{
    const cJSON *field;

    *ttl_s = READ_TOKEN_LIFE_S;
    cJSON_ArrayForEach(field, body)
    {
        if (!str_is(str_of(field->string), "ttl_s")) {
            call_problem_at(c, PROBLEM_UNKNOWN_FIELD, "",
                            "a read token is asked for with ttl_s alone");
            return false;
        }
    }
    if (json_get(body, "ttl_s") &&
        (!json_get_int(body, "ttl_s", ttl_s) || *ttl_s < 1 || *ttl_s > READ_TOKEN_LIFE_MAX_S)) {
        call_problem_at(c, PROBLEM_INVALID, "/ttl_s", "ttl_s is a whole number of 1 to %d",
                        READ_TOKEN_LIFE_MAX_S);
        return false;
    }
    return true;
}

static void release(struct call *c)
{
    free(c->state);
}

/* The run is there: sign. */
static void on_run(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    int64_t *ttl_s = c->state, expires_s = clock_wall_ms() / 1000 + *ttl_s;
    struct read_token t = {.expires_s = expires_s};
    struct buf body = BUF_INIT(ANSWER_MAX);
    AUTO_BUF text = BUF_INIT(ANSWER_MAX);
    char at[CLOCK_TEXT];

    (void)e;
    if (PQntuples(res) == 0) {
        call_problem(c, PROBLEM_NOT_FOUND, "there is no such run");
        return;
    }
    /* without keys a token is not looked at, but has the form of one */
    (void)snprintf(t.key_id, sizeof(t.key_id), "%s",
                   c->who.key_id[0] ? c->who.key_id : "000000000000");
    (void)snprintf(t.tenant, sizeof(t.tenant), "%s", c->who.tenant);
    read_token_write(&t, c->param[0].p, c->who.hash, &text);
    buf_addc(&body, '{');
    json_kv(&body, "run_id", c->param[0].p);
    json_kv_str(&body, "token", buf_str(&text));
    json_kv(&body, "expires_at", clock_rfc3339(expires_s * 1000, at));
    buf_adds(&body, "}\n");
    call_json(c, 201, &body);
}

void read_token_post(struct call *c)
{
    static const char *const none[] = {NULL};
    const char *id = call_params(c, none) ? call_run_id(c) : NULL;
    const struct pg_cmd cmd = {
        .sql = "SELECT FROM fleet.runs WHERE run_id = $1 AND tenant = $2"
               " UNION ALL SELECT FROM door.accepted WHERE run_id = $1 AND tenant = $2",
        .n = 2,
        .v = {id, c->who.tenant}};
    AUTO_JSON *body = id ? call_object(c) : NULL;
    int64_t ttl_s, *kept;

    if (!body || !ttl_of(c, body, &ttl_s))
        return;
    kept = malloc(sizeof(*kept));
    if (!kept) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    *kept = ttl_s;
    c->state = kept;
    c->release = release;
    call_query(c, &cmd, on_run);
}
