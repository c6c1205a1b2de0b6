/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/new_sandbox.h"

#include <ctype.h>
#include <string.h>

#include "common/json/json.h"

#include "common/banned.h"

/* A member, but for null, which counts as none. */
static const cJSON *told(const cJSON *body, const char *key)
{
    const cJSON *e = json_get(body, key);

    return cJSON_IsNull(e) ? NULL : e;
}

static enum err_code read_bool(const cJSON *body, const char *key, bool *out, struct err *err)
{
    if (told(body, key) == NULL || json_get_bool(body, key, out))
        return ERR_OK;
    return err_set(err, ERR_INVALID, "'%s' must be true or false", key);
}

static enum err_code read_tristate(const cJSON *body, const char *key, enum tristate *out,
                                   struct err *err)
{
    bool b = false;
    enum err_code rc = read_bool(body, key, &b, err);

    *out = told(body, key) == NULL ? UNTOLD : b ? YES : NO;
    return rc;
}

static enum err_code read_strings(const cJSON *body, const char *key, const cJSON **out,
                                  struct err *err)
{
    const cJSON *o = told(body, key), *e;

    *out = NULL;
    if (o == NULL)
        return ERR_OK;
    cJSON_ArrayForEach(e, o)
    {
        if (!cJSON_IsString(e) || e->string == NULL || *e->string == '\0')
            break;
    }
    if (!cJSON_IsObject(o) || e != NULL)
        return err_set(err, ERR_INVALID, "'%s' must be an object of strings", key);
    *out = o;
    return ERR_OK;
}

static enum err_code check_names(const cJSON *env, struct err *err)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, env)
    {
        if (strchr(e->string, '=') != NULL)
            return err_set(err, ERR_INVALID, "'envVars' has a name with '='");
    }
    return ERR_OK;
}

enum err_code timeout_parse(const cJSON *body, int64_t def, bool zero_ok, int64_t *out,
                            struct err *err)
{
    *out = def;
    if (told(body, "timeout") != NULL && !json_get_int(body, "timeout", out))
        return err_set(err, ERR_INVALID, "'timeout' must be a whole number of seconds");
    if (*out < 0 || (*out == 0 && !zero_ok))
        return err_set(err, ERR_INVALID, "Timeout must be greater than 0");
    if (*out > TIMEOUT_MAX_S)
        return err_set(err, ERR_INVALID, "Timeout cannot be greater than %d hours",
                       TIMEOUT_MAX_S / 3600);
    return ERR_OK;
}

static enum err_code read_pausing(const cJSON *body, struct new_sandbox *out, struct err *err)
{
    const cJSON *resume = told(body, "autoResume");
    bool memory = true;
    enum err_code rc = read_bool(body, "autoPause", &out->auto_pause, err);

    if (rc == ERR_OK)
        rc = read_bool(body, "autoPauseMemory", &memory, err);
    if (rc == ERR_OK && resume != NULL && !cJSON_IsObject(resume))
        rc = err_set(err, ERR_INVALID, "'autoResume' must be an object");
    if (rc == ERR_OK && resume != NULL)
        rc = read_bool(resume, "enabled", &out->auto_resume, err);
    if (rc != ERR_OK || memory)
        return rc;
    if (!out->auto_pause || out->auto_resume)
        return err_set(err, ERR_INVALID, "'autoPauseMemory' false needs autoPause, no autoResume");
    return err_set(err, ERR_INVALID,
                   "'autoPauseMemory' false is not supported here: a pause always "
                   "keeps the memory");
}

/* What a sandbox here cannot have is refused, not forgotten. */
static enum err_code check_unsupported(const cJSON *body, struct err *err)
{
    static const char *const no[] = {"mcp", "iam", "volumeMounts"};

    for (size_t i = 0; i < COUNTOF(no); i++)
        if (cJSON_GetArraySize(told(body, no[i])) > 0)
            return err_set(err, ERR_INVALID, "'%s' is not supported here", no[i]);
    return ERR_OK;
}

static enum err_code read_network(const cJSON *body, struct new_sandbox *out, struct err *err)
{
    out->network = told(body, "network");
    return out->network != NULL ? network_check(out->network, err) : ERR_OK;
}

enum err_code new_sandbox_parse(const cJSON *body, bool v2, struct new_sandbox *out,
                                struct err *err)
{
    enum err_code rc = ERR_OK;

    *out =
        (struct new_sandbox){.secure = v2, .template = str_of(json_get_string(body, "templateID"))};
    if (out->template.n == 0)
        return err_set(err, ERR_INVALID, "'templateID' must be a string");
    rc = timeout_parse(body, v2 ? TIMEOUT_V2_S : TIMEOUT_V1_S, false, &out->timeout_s, err);
    if (rc == ERR_OK && !v2)
        rc = read_bool(body, "secure", &out->secure, err);
    if (rc == ERR_OK)
        rc = read_strings(body, "metadata", &out->metadata, err);
    if (rc == ERR_OK)
        rc = read_strings(body, "envVars", &out->env, err);
    if (rc == ERR_OK)
        rc = check_names(out->env, err);
    if (rc == ERR_OK)
        rc = read_pausing(body, out, err);
    if (rc == ERR_OK)
        rc = read_tristate(body, "allow_internet_access", &out->internet, err);
    if (rc == ERR_OK)
        rc = check_unsupported(body, err);
    return rc == ERR_OK ? read_network(body, out, err) : rc;
}

/* --- templates --------------------------------------------------------------------- */

static bool copy_name(struct str s, char out[TEMPLATE_NAME_ROOM])
{
    if (s.n == 0 || s.n >= TEMPLATE_NAME_ROOM || s.p[0] == '.' || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = (char)tolower((unsigned char)s.p[i]);

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
        out[i] = c;
    }
    out[s.n] = '\0';
    return true;
}

enum err_code template_ref_parse(struct str text, struct template_ref *out, struct err *err)
{
    char namespace[TEMPLATE_NAME_ROOM];
    struct str rest = text, name, tag, first;

    *out = (struct template_ref){0};
    (void)str_next(&rest, ':', &name);
    tag = rest;
    bool good = tag.p == NULL || copy_name(tag, out->tag);
    rest = name;
    if (good && str_next(&rest, '/', &first) && rest.p != NULL) {
        good = copy_name(first, namespace);
        name = rest;
    }
    if (good && copy_name(name, out->name))
        return ERR_OK;
    return err_set(err, ERR_INVALID, "'%.100s' cannot be a template's name",
                   text.n > 0 && memchr(text.p, '\0', text.n) == NULL ? text.p : "");
}
