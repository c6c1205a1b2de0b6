/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_answer.h"

#include <sodium.h>
#include <string.h>

#include "common/clock.h"

#include "common/banned.h"

/* --- words ------------------------------------------------------------------------- */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool word_ok(struct str s, size_t room, const char *also)
{
    if (s.n == 0 || s.n >= room)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(also, s.p[i])))
            return false;
    return true;
}

bool sandbox_id_ok(struct str id)
{
    if (!word_ok(id, SANDBOX_ID_MAX_BYTES, "-") || id.p[0] == '-')
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] >= 'A' && id.p[i] <= 'Z')
            return false;
    return true;
}

bool sandbox_template_ok(struct str id)
{
    return word_ok(id, SANDBOX_TEMPLATE_MAX_BYTES, "-_.:/") && is_alnum(id.p[0]);
}

bool sandbox_token_ok(struct str token)
{
    return word_ok(token, SANDBOX_TOKEN_MAX_BYTES, "-_.=+/~:");
}

bool sandbox_host_ok(struct str host)
{
    return word_ok(host, SANDBOX_HOST_MAX_BYTES, "-.:") && is_alnum(host.p[0]);
}

bool sandbox_url_ok(struct str url)
{
    static const char *const schemes[] = {"https://", "http://"};
    struct str rest = {0}, host = {0};

    for (size_t i = 0; i < COUNTOF(schemes) && !rest.p; i++)
        if (str_starts(url, schemes[i]))
            rest = (struct str){url.p + strlen(schemes[i]), url.n - strlen(schemes[i])};
    if (!str_next(&rest, '/', &host) || !sandbox_host_ok(host))
        return false;
    return rest.n == 0 || word_ok(rest, SANDBOX_TOKEN_MAX_BYTES, "-_.~/");
}

/* --- create and connect --------------------------------------------------------------- */

static enum err_code no_sandbox(struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "sandbox service: its answer names no sandbox");
}

/* NULL and "" are "not told". */
static bool take(const cJSON *o, const char *key, bool (*ok)(struct str s), char *out)
{
    const cJSON *item = json_get(o, key);
    struct str s = str_of(cJSON_GetStringValue(item));

    if (!item || cJSON_IsNull(item))
        return true;
    if (!cJSON_IsString(item) || (s.n > 0 && !ok(s)))
        return false;
    memcpy(out, s.p, s.n + 1);
    return true;
}

/* An old service's "id-clientid" is cut at the dash. */
static bool take_id(const cJSON *o, char out[SANDBOX_ID_MAX_BYTES])
{
    struct str rest = str_of(json_get_string(o, "sandboxID")), id = {0};

    if (!str_next(&rest, '-', &id) || !sandbox_id_ok(id))
        return false;
    memcpy(out, id.p, id.n);
    out[id.n] = '\0';
    return true;
}

enum err_code sandbox_made_parse(struct str body, struct sandbox_made *out, struct err *err)
{
    AUTO_JSON *tree = NULL;

    *out = (struct sandbox_made){0};
    if (json_parse(body, 0, &tree, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL, "sandbox service: its answer is not JSON");
    if (!take_id(tree, out->id) || !take(tree, "envdAccessToken", sandbox_token_ok, out->token) ||
        !take(tree, "trafficAccessToken", sandbox_token_ok, out->traffic_token) ||
        !take(tree, "domain", sandbox_host_ok, out->domain))
        return no_sandbox(err);
    return ERR_OK;
}

void sandbox_made_wipe(struct sandbox_made *m)
{
    sodium_memzero(m, sizeof(*m));
}

/* --- looking --------------------------------------------------------------------------- */

static bool take_template(const cJSON *o, const char *key, char out[SANDBOX_TEMPLATE_MAX_BYTES])
{
    struct str s = str_of(json_get_string(o, key));

    if (!sandbox_template_ok(s))
        return false;
    memcpy(out, s.p, s.n + 1);
    return true;
}

static bool take_time(const cJSON *o, const char *key, int64_t *out)
{
    return clock_parse_rfc3339(str_of(json_get_string(o, key)), out);
}

static bool take_count(const cJSON *o, const char *key, int64_t *out)
{
    return json_get_int(o, key, out) && *out >= 0;
}

static bool take_metadata(const cJSON *o, const struct cJSON **out)
{
    const cJSON *all = json_get(o, "metadata"), *one;

    if (!all || cJSON_IsNull(all))
        return true;
    if (!cJSON_IsObject(all))
        return false;
    cJSON_ArrayForEach(one, all) if (!cJSON_IsString(one)) return false;
    *out = all;
    return true;
}

enum err_code sandbox_info_parse(const cJSON *item, struct sandbox_info *out, struct err *err)
{
    const char *state = json_get_string(item, "state");

    *out = (struct sandbox_info){0};
    if (!take_id(item, out->id) || !take_template(item, "templateID", out->template_id) || !state ||
        !take_time(item, "startedAt", &out->started_ms) ||
        !take_time(item, "endAt", &out->end_ms) || !take_count(item, "cpuCount", &out->cpu_count) ||
        !take_count(item, "memoryMB", &out->memory_mb) || !take_metadata(item, &out->metadata))
        return no_sandbox(err);
    out->paused = strcmp(state, "paused") == 0;
    return ERR_OK;
}

enum err_code sandbox_snapshot_parse(const cJSON *item, char out[SANDBOX_TEMPLATE_MAX_BYTES],
                                     struct err *err)
{
    if (!take_template(item, "snapshotID", out))
        return err_set(err, ERR_PROTOCOL, "sandbox service: its answer names no snapshot");
    return ERR_OK;
}

enum err_code sandbox_array_parse(struct str body, int most, cJSON **out, struct err *err)
{
    AUTO_JSON *tree = NULL;
    const cJSON *item;

    if (json_parse(body, 0, &tree, err) != ERR_OK || !cJSON_IsArray(tree))
        return err_set(err, ERR_PROTOCOL, "sandbox service: its answer is no list");
    if (cJSON_GetArraySize(tree) > most)
        return err_set(err, ERR_PROTOCOL, "sandbox service: its list has more than %d entries",
                       most);
    cJSON_ArrayForEach(item, tree) if (!cJSON_IsObject(item)) return err_set(
        err, ERR_PROTOCOL, "sandbox service: its list holds something else");
    *out = tree;
    tree = NULL;
    return ERR_OK;
}
