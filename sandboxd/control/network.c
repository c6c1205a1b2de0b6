/* SPDX-License-Identifier: Apache-2.0 */
/* The network object of a sandbox, as a client may give it and as others are shown it. Pure. */
#include "sandboxd/control/new_sandbox.h"

#include <string.h>

#include "common/json/json.h"
#include "sandboxd/egress/rules.h"

#include "common/banned.h"

#define ALL_TRAFFIC "0.0.0.0/0"

/* A list of domains only means something when all else is denied. */
static enum err_code check_domains(const cJSON *network, struct err *err)
{
    bool domains = false, denied = false;
    struct net net;
    const cJSON *e;

    cJSON_ArrayForEach(e, json_get(network, "allowOut")) domains =
        domains || !net_parse(str_of(e->valuestring), &net);
    cJSON_ArrayForEach(e, json_get(network, "denyOut")) denied =
        denied || strcmp(e->valuestring, ALL_TRAFFIC) == 0;
    if (!domains || denied)
        return ERR_OK;
    return err_set(err, ERR_INVALID,
                   "When specifying allowed domains in allow out, you must include '" ALL_TRAFFIC
                   "' in deny out to block all other traffic.");
}

/* What the proxy can enforce, by its own reader. */
static enum err_code check_rules(const cJSON *network, struct err *err)
{
    struct egress_rules *rules = NULL;
    enum err_code rc = egress_rules_new(network, true, &rules, err);

    egress_rules_free(rules);
    return rc;
}

static enum err_code check_servers(const cJSON *network, struct err *err)
{
    const cJSON *list = json_get(network, "dnsServers"), *e;
    struct net net;

    cJSON_ArrayForEach(e, list)
    {
        if (!cJSON_IsString(e) || strchr(e->valuestring, '/') != NULL ||
            !net_parse(str_of(e->valuestring), &net))
            return err_set(err, ERR_INVALID, "'dnsServers' must hold addresses");
    }
    return list == NULL || cJSON_IsNull(list) || cJSON_IsArray(list)
               ? ERR_OK
               : err_set(err, ERR_INVALID, "'dnsServers' must be a list");
}

static enum err_code check_rest(const cJSON *network, struct err *err)
{
    const cJSON *public = json_get(network, "allowPublicTraffic");
    const cJSON *mask = json_get(network, "maskRequestHost");
    const cJSON *proxy = json_get(network, "egressProxy");

    if (public != NULL && !cJSON_IsNull(public) && !cJSON_IsBool(public))
        return err_set(err, ERR_INVALID, "'allowPublicTraffic' must be true or false");
    if (mask != NULL && !cJSON_IsNull(mask) && !cJSON_IsString(mask))
        return err_set(err, ERR_INVALID, "'maskRequestHost' must be a string");
    if (proxy != NULL && !cJSON_IsNull(proxy))
        return err_set(err, ERR_INVALID, "'egressProxy' is not supported here");
    return ERR_OK;
}

enum err_code network_check(const cJSON *network, struct err *err)
{
    if (!cJSON_IsObject(network))
        return err_set(err, ERR_INVALID, "'network' must be an object");
    enum err_code rc = check_rules(network, err);
    if (rc == ERR_OK)
        rc = check_servers(network, err);
    if (rc == ERR_OK)
        rc = check_domains(network, err);
    return rc == ERR_OK ? check_rest(network, err) : rc;
}

bool network_adds(const cJSON *network)
{
    const cJSON *host, *rule;

    cJSON_ArrayForEach(host, json_get(network, "rules")) cJSON_ArrayForEach(rule, host)
    {
        if (cJSON_GetArraySize(json_get(json_get(rule, "transform"), "headers")) > 0)
            return true;
    }
    return false;
}

cJSON *network_shown(const cJSON *network)
{
    cJSON *copy = cJSON_Duplicate(network, true), *host, *rule, *h;

    cJSON_ArrayForEach(host, cJSON_GetObjectItemCaseSensitive(copy, "rules"))
        cJSON_ArrayForEach(rule, host)
    {
        const cJSON *transform = json_get(rule, "transform");
        cJSON_ArrayForEach(h, cJSON_GetObjectItemCaseSensitive(transform, "headers"))(void)
            cJSON_SetValuestring(h, "***");
    }
    return copy;
}
