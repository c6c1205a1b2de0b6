/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/sandboxes: sandboxes made ahead of need. The rows are the API's, the rest is the
 * workers' (schema/sandbox_ask.h). */
#include "schema/sandbox_ask.h"

#include <stdio.h>

#include "api/api_internal.h"
#include "common/json/json.h"
#include "common/banned.h"

enum { ANSWER_MAX = 1024 };

static bool only_known(struct call *c, const cJSON *body)
{
    const cJSON *field;

    cJSON_ArrayForEach(field, body)
    {
        if (str_is(str_of(field->string), "template") || str_is(str_of(field->string), "count"))
            continue;
        call_problem_at(c, PROBLEM_UNKNOWN_FIELD, "",
                        "sandboxes are asked for with template and count");
        return false;
    }
    return true;
}

static bool read_ask(struct call *c, const cJSON *body, const char **template, int64_t *count)
{
    *template = "claude";
    *count = 1;
    if (!only_known(c, body))
        return false;
    if (json_get(body, "template") &&
        (!(*template = json_get_string(body, "template")) || !run_name_ok(str_of(*template)))) {
        call_problem_at(c, PROBLEM_INVALID, "/template", "template is the name of one");
        return false;
    }
    if (json_get(body, "count") &&
        (!json_get_int(body, "count", count) || *count < 1 || *count > SANDBOX_ASK_MAX)) {
        call_problem_at(c, PROBLEM_INVALID, "/count", "count is a whole number of 1 to %d",
                        SANDBOX_ASK_MAX);
        return false;
    }
    return true;
}

static void on_asked(void *ctx, PGresult *res, const struct err *e)
{
    struct call *c = ctx;
    struct buf body = BUF_INIT(ANSWER_MAX);

    (void)e;
    buf_addc(&body, '{');
    json_kv(&body, "template", pg_text(res, 0, 1));
    json_kv_int(&body, "asked", PQntuples(res));
    buf_adds(&body, "}\n");
    call_json(c, 202, &body);
}

void sandboxes_ask(struct call *c)
{
    static const char *const none[] = {NULL};
    AUTO_JSON *body = call_params(c, none) ? call_object(c) : NULL;
    const char *template;
    int64_t count;
    char n[24];

    if (!body || !read_ask(c, body, &template, &count))
        return;
    (void)snprintf(n, sizeof(n), "%lld", (long long)count);
    const struct pg_cmd cmd = {.sql = SANDBOX_ASK_SQL, .n = 2, .v = {template, n}};
    call_query(c, &cmd, on_asked);
}
