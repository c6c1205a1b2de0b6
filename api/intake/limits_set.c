/* SPDX-License-Identifier: Apache-2.0 */
/* PUT /v1/limits: one of them, as `sandfleet limits set` does. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/intake/body.h"
#include "api/intake/handlers.h"
#include "api/reads/reads.h"
#include "schema/limits.h"
#include "common/banned.h"

/* What limits_parse() takes. */
struct words {
    char who[16 + RUN_NAME_MAX_BYTES], to[24];
    const char *setting;
};

static const char *text_of(const cJSON *tree, const char *member, struct body_errors *errors)
{
    const char *text = json_get_string(tree, member);

    if (!text)
        body_errors_add(errors, "", member, PROBLEM_INVALID, "'%s' must be there, a string",
                        member);
    return text;
}

static void read_who(const cJSON *tree, struct words *w, struct body_errors *errors)
{
    const char *scope = text_of(tree, "scope", errors), *name = text_of(tree, "name", errors);
    bool all = name && strcmp(name, "*") == 0, fleet = scope && strcmp(scope, "fleet") == 0;

    if (name && !all && (fleet || !run_name_ok(str_of(name))))
        body_errors_add(errors, "", "name", PROBLEM_INVALID,
                        fleet ? "'name' of the fleet is *" : "'name' must be a name, or *");
    else if (scope && name)
        (void)snprintf(w->who, sizeof(w->who), fleet ? "%s" : "%s:%s", scope, name);
}

static void read_to(const cJSON *tree, struct words *w, struct body_errors *errors)
{
    const cJSON *value = json_get(tree, "value");
    int64_t n;

    if (cJSON_IsNull(value))
        (void)snprintf(w->to, sizeof(w->to), "none");
    else if (cJSON_IsString(value) && strcmp(value->valuestring, "default") == 0)
        (void)snprintf(w->to, sizeof(w->to), "default");
    else if (json_get_int(tree, "value", &n))
        (void)snprintf(w->to, sizeof(w->to), "%" PRId64, n);
    else
        body_errors_add(errors, "", "value", PROBLEM_INVALID,
                        "'value' must be a whole number, null (no limit) or \"default\"");
}

/* False: *errors says why. *w is what the change's name is a part of. */
static bool read_change(const cJSON *tree, struct words *w, struct limit_change *out,
                        struct body_errors *errors)
{
    static const char *const members[] = {"scope", "name", "setting", "value", NULL};
    struct err err = ERR_INIT;

    body_only(tree, members, errors);
    read_who(tree, w, errors);
    w->setting = text_of(tree, "setting", errors);
    read_to(tree, w, errors);
    if (errors->n > 0)
        return false;
    if (limits_parse(w->who, w->setting, "default", out, &err) != ERR_OK)
        body_errors_add(errors, "", "setting", PROBLEM_INVALID, "%s", err.msg);
    else if (limits_parse(w->who, w->setting, w->to, out, &err) != ERR_OK)
        body_errors_add(errors, "", "value", PROBLEM_INVALID, "%s", err.msg);
    return errors->n == 0;
}

static void on_set(void *ctx, PGresult *res, const struct err *e)
{
    (void)res, (void)e;
    limits_show(ctx);
}

void limit_set(struct call *c)
{
    static const char *const none[] = {NULL};
    struct body_errors errors = BODY_ERRORS_INIT;
    struct words words = {0};
    struct limit_change change;
    struct limit_command set;
    AUTO_JSON *tree = NULL;

    if (!call_params(c, none) || !(tree = call_object(c)))
        return;
    if (!read_change(tree, &words, &change, &errors)) {
        call_problem_fields(c, errors.fields, errors.n);
        return;
    }
    limits_command(&change, &set);
    struct pg_cmd cmd = {.sql = set.sql, .n = set.n};
    memcpy(cmd.v, set.v, sizeof(set.v));
    call_query(c, &cmd, on_set);
}
